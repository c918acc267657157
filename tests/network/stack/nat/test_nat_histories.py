"""Whatever happens before: what leaves comes back to whom it came from, and nobody else's does."""

import random
from typing import Any

import pytest
from natworld import (
    ACK,
    FIN,
    NODE,
    POD,
    RST,
    SYN,
    VIP,
    Node,
    Place,
    Seen,
    backend,
    check,
    entry,
    ip,
    seen,
    tcp_frame,
    udp_frame,
)

from cluster.network.stack.nat.services import Entry
from cluster.network.wire.frame import Frame

OTHER, OUTSIDE = "10.244.2.9", "192.0.2.50"
NAMES = "10.96.0.11"
CLIENTS = [POD, "10.244.1.6", "10.244.7.7", OUTSIDE, NODE]
PORTS = [5000, 5001]
TARGETS: list[Place] = [(VIP, 80), (NAMES, 53), (NODE, 30080), (OTHER, 8080), (OUTSIDE, 443)]
POOL = [backend(POD), backend(OTHER), backend("10.244.2.8")]
ROOM = 20
SEGMENTS = [SYN, SYN, ACK, FIN | ACK, RST, None, None]
WAITS = [0.1, 0.1, 0.5, 20.0, 70.0, 4000.0]


def _table(pool: list[Any], affinity: int) -> list[Entry]:
    return [
        entry(*pool, affinity_seconds=affinity, node_port=30080),
        entry(*pool, key="kube-system/dns", vips=(NAMES,), port=53, protocol=17),
    ]


class _World:
    """A node, and what has left it: (ends as they came, ends as they left, protocol)."""

    def __init__(self) -> None:
        self.node = Node(connections=ROOM)
        self.answered = 0
        self.left: list[tuple[tuple[Place, Place], Seen]] = []

    def packet(self, client: str, port: int, to: Place, flags: int | None) -> None:
        frame = (
            udp_frame((client, port), to) if flags is None else tcp_frame((client, port), to, flags)
        )
        came = self.node.passes(frame, own=client == NODE)
        if isinstance(came, Frame):
            self.left.append((((client, port), to), seen(came)))

    def answer(self, back: int, flags: int) -> None:
        if back >= len(self.left):
            return
        (client, to), out = self.left[-1 - back]
        protocol = out.protocol
        key = (ip(client[0]), client[1], ip(to[0]), to[1], protocol)
        way = self.node.nat.conntrack.find(key)
        if protocol == 6:
            frame = tcp_frame(out.destination, out.source, flags)
        else:
            frame = udp_frame(out.destination, out.source)
        places = (way.new_key[:2], way.new_key[2:4]) if way is not None else None
        if places != tuple((ip(place), port) for place, port in out.ends):
            return  # forgotten meanwhile, or it goes elsewhere now
        came = self.node.passes(frame, own=out.destination[0] == NODE)
        assert isinstance(came, Frame)
        assert seen(came).ends == (to, client)
        self.answered += 1

    def services(self, pool: list[Any], affinity: int) -> None:
        self.node.serve(*_table(pool, affinity))

    def wait(self, seconds: float) -> None:
        self.node.now += seconds
        self.node.nat.tick(self.node.now)
        deadline = self.node.nat.deadline
        assert deadline is None or deadline > self.node.now


def _step(world: _World, draw: random.Random) -> None:
    chance = draw.random()
    if chance < 0.4:
        client, port = draw.choice(CLIENTS), draw.choice(PORTS)
        world.packet(client, port, draw.choice(TARGETS), draw.choice(SEGMENTS))
    elif chance < 0.9:
        world.answer(draw.randrange(8), draw.choice([SYN | ACK, ACK, ACK, RST]))
    elif chance < 0.95:
        world.services(draw.sample(POOL, draw.randrange(4)), draw.choice([0, 60]))
    else:
        world.wait(draw.choice(WAITS))


@pytest.mark.parametrize("seed", range(5))
def test_answers_find_their_way_back(seed: int) -> None:
    world, draw = _World(), random.Random(seed)
    world.services(POOL[:2], 0)
    for _ in range(1500):
        _step(world, draw)
        check(world.node.nat)
        assert len(world.node.nat.conntrack) <= ROOM
    assert world.answered > 200
    world.node.nat.tick(world.node.now + 1e6)
    assert len(world.node.nat.conntrack) == 0
    assert world.node.nat.deadline is None
