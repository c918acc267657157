"""Segments of strangers, and of nobody in his right mind, do no harm."""

import random

import pytest
from test_tcp_endings import established

from cluster.network.stack.tcp import states
from cluster.network.stack.tcp.inbound import Inbound
from cluster.network.stack.tcp.segment import MASK, Offer, Segment
from cluster.network.stack.tcp.settings import Memory
from cluster.network.wire import tcp


def forged(wires, flags: int, offset: int = 0, payload: bytes = b"", ack: int = 0) -> Segment:
    """A segment to the server, `offset` away from what it awaits."""
    client, server = wires.both
    return Segment(
        flags,
        server.inbound.wire(server.inbound.next + offset),
        server.outbound.wire(server.outbound.next + ack),
        1000,
        payload,
        (client.stamp(wires.now), server.recent),
    )


def sent(wires, segment: Segment) -> list[Segment]:
    server = wires.both[1]
    server.receive(wires.now, segment)
    return server.pull(wires.now)


def test_only_the_very_next_reset_resets():
    wires = established()
    answers = sent(wires, forged(wires, tcp.RST, 10))
    assert wires.both[1].state == states.ESTABLISHED
    assert [one.flags for one in answers] == [tcp.ACK]
    assert sent(wires, forged(wires, tcp.RST, 1 << 25)) == []
    sent(wires, forged(wires, tcp.RST))
    assert wires.both[1].state == states.CLOSED


def test_a_syn_in_a_connection_is_challenged():
    wires = established()
    answers = sent(wires, forged(wires, tcp.SYN))
    assert [one.flags for one in answers] == [tcp.ACK]
    assert wires.both[1].state == states.ESTABLISHED


def test_challenges_are_few():
    wires = established()
    answers = [len(sent(wires, forged(wires, tcp.SYN))) for _ in range(50)]
    assert sum(answers) == 1


def test_acknowledging_what_was_never_sent_counts_for_nothing():
    wires = established()
    answers = sent(wires, forged(wires, tcp.ACK, 0, b"forged", ack=5000))
    assert wires.both[1].readable == 0
    assert len(answers) == 1


def test_a_segment_from_before_is_known_by_its_timestamp():
    wires = established()
    wires.server.reads = False
    old = forged(wires, tcp.ACK, 0, b"old")
    old.stamps = ((wires.both[1].recent - 5000) & MASK, 0)
    sent(wires, old)
    assert wires.both[1].readable == 0


def test_segments_without_the_timestamps_agreed_upon_are_dropped():
    wires = established()
    wires.server.reads = False
    bare = forged(wires, tcp.ACK, 0, b"bare")
    bare.stamps = None
    assert sent(wires, bare) == []
    assert wires.both[1].readable == 0


def test_two_who_disagree_do_not_answer_each_other_for_ever():
    wires = established()
    client, server = wires.both
    client.outbound.next += 100_000  # as after a restart from an old state
    client.acknowledge()
    wires.run(101.0)
    assert len(wires.client.log) + len(wires.server.log) < 20
    del server


def test_holes_in_every_second_byte_stay_bounded():
    memory = Memory()
    inbound = Inbound(1 << 20, 1400, memory)
    inbound.begin(0, 5)
    inbound.window()
    for at in range(3, 100_000, 2):
        inbound.put(at, b"x")
    assert memory.used <= 256
    assert len(inbound.blocks()) <= 4


@pytest.mark.parametrize("seed", range(6))
def test_any_segment_at_any_time_raises_nothing_and_holds_no_memory(seed):
    draw = random.Random(seed)
    wires = established()
    for _ in range(1500):
        end = draw.choice(wires.both)
        near = draw.random() < 0.8
        span = draw.choice([1, 3, 1500, 70_000, 1 << 21])
        sequence = end.inbound.next + draw.randint(-span, span) if near else draw.getrandbits(32)
        ack = end.outbound.next + draw.randint(-span, span) if near else draw.getrandbits(32)
        blocks = tuple(
            (
                end.outbound.wire(ack + draw.randint(-span, span)),
                end.outbound.wire(ack + draw.randint(-span, span)),
            )
            for _ in range(draw.choice([0, 0, 1, 4]))
        )
        stamps = None
        if draw.random() < 0.9:
            stamps = ((end.recent + draw.choice([0, 1, -1, 1 << 31])) & MASK, draw.getrandbits(32))
        flags = tcp.ACK | (draw.getrandbits(8) if draw.random() < 0.2 else 0)
        offer = Offer(draw.getrandbits(16), 14) if flags & tcp.SYN else None
        segment = Segment(
            flags & ~tcp.RST if draw.random() < 0.99 else flags,
            end.inbound.wire(sequence),
            end.outbound.wire(ack),
            draw.getrandbits(16),
            draw.randbytes(draw.choice([0, 0, 1, 1398, 60_000])),
            stamps,
            blocks,
            offer,
        )
        end.receive(wires.now, segment)
        if draw.random() < 0.3:
            end.send(draw.randbytes(draw.randrange(5000)))
        if draw.random() < 0.1:
            end.take(draw.randrange(100_000))
        if draw.random() < 0.3:
            wires.now += draw.random() * draw.choice([0.001, 1.0])
            end.tick(wires.now)
        assert len(end.pull(wires.now)) < 2000
    assert wires.memory.used <= 4 << 20
    for end in wires.both:
        end.abort()
    assert wires.memory.used == 0
