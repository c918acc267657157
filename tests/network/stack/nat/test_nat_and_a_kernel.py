"""The same packets through our NAT and through a Linux kernel's netfilter come out the same."""

import random
import shutil
from collections.abc import Iterator

import kernelnat
import natworld
import pytest
from kernelnat import Kernel
from natworld import (
    ACK,
    FIN,
    POD,
    RST,
    SYN,
    Node,
    backend,
    echo_frame,
    entry,
    error_frame,
    ip,
    parsed,
    seen,
    tcp_frame,
    udp_frame,
)

from cluster.network.stack.nat.verdicts import Drop, Reject
from cluster.network.wire import addresses, ipv4
from cluster.network.wire.frame import Frame

WEB, WEB_TOO, NAMES, OWN, EMPTY = (f"10.96.0.{last}" for last in range(10, 15))
WEB_TOO, NAMES = "10.96.0.12", "10.96.0.11"
THERE, OUTSIDE, NODE = "10.244.2.9", "192.0.2.50", kernelnat.NODE
Step = tuple[str, Frame]
"""From which side, and what."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Kernel]:
    if shutil.which("nft") is None or shutil.which("unshare") is None:
        pytest.skip("needs nft and unshare (scripts/peers)")
    try:
        kernel = Kernel()
    except OSError as fault:
        pytest.skip(f"needs a network namespace with netfilter: {fault}")
    yield kernel
    kernel.close()


class Both:
    """Our NAT and the kernel's, which are sent the same."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._node = Node()
        self._node.serve(
            entry(backend(THERE), vips=(WEB,), node_port=30080),
            entry(backend(THERE), key="default/too", vips=(WEB_TOO,)),
            entry(backend(THERE, 5353), key="default/names", vips=(NAMES,), port=53, protocol=17),
            entry(backend(POD), key="default/own", vips=(OWN,)),
            entry(key="default/empty", vips=(EMPTY,)),
        )

    def send(self, side: str, ours: Frame, theirs: Frame | None = None) -> tuple[Frame, Frame]:
        """Send a frame that both let through; as it left each of them."""
        left = self._ours(ours)
        assert isinstance(left, Frame), left
        came = self._theirs(side, theirs or ours)
        assert len(came) == 1, came
        kernels = Frame(came[0][1])
        _same(left, kernels)
        return left, kernels

    def drop(self, side: str, frame: Frame) -> None:
        """Send a frame that neither lets through."""
        assert isinstance(self._ours(frame), Drop)
        assert self._theirs(side, frame) == []

    def reject(self, side: str, frame: Frame) -> None:
        """Send a frame that both refuse with the same error."""
        verdict = self._ours(frame)
        assert isinstance(verdict, Reject)
        ((back, data),) = self._theirs(side, frame)
        assert back == side
        header = ipv4.parse(data)
        assert header is not None
        assert header.destination == parsed(frame).source
        assert (data[header.payload], data[header.payload + 1]) == (verdict.type, verdict.code)

    def _ours(self, frame: Frame) -> object:
        return self._node.passes(frame)

    def _theirs(self, side: str, frame: Frame) -> list[tuple[str, bytes]]:
        return self._kernel.send(side, frame.data)


def _same(ours: Frame, kernels: Frame) -> None:
    """Addresses and ports are the same, and so is what is inside; ports that were drawn differ."""
    one, other = seen(ours), seen(kernels)
    assert (one.source[0], one.destination[0]) == (other.source[0], other.destination[0])
    assert one.protocol == other.protocol
    if addresses.text(ip(one.source[0])) not in (NODE, "10.244.1.0", "10.244.1.1"):
        assert one.source == other.source
    if addresses.text(ip(one.destination[0])) != NODE:
        assert one.destination == other.destination


@pytest.fixture
def both(shared: Kernel, monkeypatch: pytest.MonkeyPatch) -> Both:
    monkeypatch.setattr(natworld, "NODE", NODE)
    return Both(shared)


def _back(left: Frame, flags: int | None) -> Frame:
    """The answer to a frame that left."""
    found = seen(left)
    if found.protocol == ipv4.ICMP:
        ends = found.destination[0], found.source[0]
        return echo_frame(*ends, found.source[1], answer=True)
    if flags is None:
        return udp_frame(found.destination, found.source)
    return tcp_frame(found.destination, found.source, flags)


def _answer(both: Both, side: str, left: tuple[Frame, Frame], flags: int | None = None) -> None:
    both.send(side, *(_back(one, flags) for one in left))


CASES = [
    pytest.param("pods", "nodes", (POD, 4001), (WEB, 80), id="a cluster address"),
    pytest.param("out", "nodes", (OUTSIDE, 4002), (NODE, 30080), id="a node port"),
    pytest.param("out", "nodes", (OUTSIDE, 4003), (WEB, 80), id="a cluster address from outside"),
    pytest.param("pods", "out", (POD, 4004), (OUTSIDE, 443), id="beyond the cluster"),
    pytest.param("pods", "nodes", (POD, 4005), (THERE, 8080), id="another node's pod"),
    pytest.param("pods", "pods", (POD, 4006), (OWN, 80), id="itself by its service"),
]


@pytest.mark.parametrize(("side", "far", "client", "to"), CASES)
def test_connections(
    both: Both, side: str, far: str, client: tuple[str, int], to: tuple[str, int]
) -> None:
    left = both.send(side, tcp_frame(client, to, SYN))
    _answer(both, far, left, SYN | ACK)
    both.send(side, tcp_frame(client, to, ACK, b"question"))
    _answer(both, far, left, ACK)
    both.send(side, tcp_frame(client, to, FIN | ACK))
    _answer(both, far, left, FIN | ACK)
    both.send(side, tcp_frame(client, to, ACK))
    left = both.send(side, tcp_frame(client, to, SYN))
    _answer(both, far, left, RST | ACK)


@pytest.mark.parametrize("unsummed", [False, True])
def test_datagrams(both: Both, unsummed: bool) -> None:
    port = 4100 + unsummed
    left = both.send("pods", udp_frame((POD, port), (NAMES, 53), b"?", unsummed=unsummed))
    _answer(both, "nodes", left)
    left = both.send("pods", udp_frame((POD, port), (OUTSIDE, 53), b"?", unsummed=unsummed))
    _answer(both, "out", left)


def test_echoes(both: Both) -> None:
    for identifier in (41, 42):
        left = both.send("pods", echo_frame(POD, OUTSIDE, identifier))
        _answer(both, "out", left)
    both.send("pods", echo_frame(POD, THERE, 7))
    both.send("nodes", echo_frame(THERE, POD, 7))
    both.send("nodes", echo_frame(THERE, POD, 7, answer=True))
    both.send("pods", echo_frame(POD, THERE, 7, answer=True))


def test_a_source_port_that_would_be_taken_twice(both: Both) -> None:
    both.send("pods", tcp_frame((POD, 4200), (WEB, 80), SYN))
    ours = both._ours(tcp_frame((POD, 4200), (WEB_TOO, 80), SYN))
    assert isinstance(ours, Frame)
    ((_, data),) = both._theirs("pods", tcp_frame((POD, 4200), (WEB_TOO, 80), SYN))
    for left in (seen(ours), seen(Frame(data))):
        assert left.source[0] == POD
        assert left.source[1] != 4200
        assert left.destination == (THERE, 8080)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(tcp_frame((POD, 4300), (EMPTY, 80)), id="no endpoints"),
        pytest.param(tcp_frame((POD, 4301), (WEB, 81)), id="no such port"),
        pytest.param(udp_frame((POD, 4302), (WEB, 80)), id="no such protocol"),
        pytest.param(echo_frame(POD, WEB, 4303), id="an echo to a cluster address"),
    ],
)
def test_what_is_refused(both: Both, frame: Frame) -> None:
    both.reject("pods", frame)


@pytest.mark.parametrize(
    ("side", "frame"),
    [
        pytest.param("pods", tcp_frame((POD, 4400), (THERE, 80), SYN | ACK), id="unasked SYN-ACK"),
        pytest.param("pods", tcp_frame((POD, 4401), (THERE, 80), RST), id="unasked RST"),
        pytest.param("nodes", echo_frame(THERE, POD, 4402, answer=True), id="unasked echo reply"),
        pytest.param("pods", tcp_frame((POD, 4403), ("10.96.0.99", 80)), id="no service's address"),
        pytest.param(
            "nodes",
            error_frame(THERE, tcp_frame((POD, 4404), (THERE, 80)).data),
            id="an error about nothing",
        ),
    ],
)
def test_what_is_dropped(both: Both, side: str, frame: Frame) -> None:
    both.drop(side, frame)


@pytest.mark.parametrize("quoted", [28, 40], ids=["eight bytes", "the whole header"])
@pytest.mark.parametrize(("side", "far", "client", "to"), CASES)
def test_errors_about_connections(
    both: Both, side: str, far: str, client: tuple[str, int], to: tuple[str, int], quoted: int
) -> None:
    client = client[0], client[1] + quoted
    left = both.send(side, tcp_frame(client, to, SYN))
    by = seen(left[0]).destination[0]
    errors = [error_frame(by, one.data[: 14 + quoted], code=1) for one in left]
    ours, kernels = both.send(far, *errors)
    assert ours.data[34:36] == kernels.data[34:36]
    assert ours.data[42:50] == kernels.data[42:50]
    # Of what is quoted the time to live differs, and the header's checksum with it.
    assert ours.data[54 : 42 + quoted] == kernels.data[54 : 42 + quoted]


def test_errors_by_routers_on_the_way(both: Both) -> None:
    left = both.send("pods", udp_frame((POD, 4500), (NAMES, 53)))
    errors = [error_frame("10.244.2.200", one.data, kind=11, code=0) for one in left]
    ours, kernels = both.send("nodes", *errors)
    assert seen(ours).source == seen(kernels).source
    assert seen(ours).source[0] == NAMES


HELLO = [("pods", SYN), ("nodes", SYN | ACK), ("pods", ACK)]
STORIES = [
    [*HELLO, ("pods", FIN | ACK), ("nodes", ACK), ("nodes", FIN | ACK), ("pods", ACK)],
    [*HELLO, ("nodes", FIN | ACK), ("pods", FIN | ACK), ("nodes", ACK)],
    [*HELLO, ("nodes", RST), ("pods", ACK)],
    [*HELLO, ("nodes", ACK), ("pods", RST), ("pods", SYN), ("nodes", SYN | ACK)],
    [("pods", SYN), ("pods", SYN), ("nodes", RST | ACK), ("pods", SYN)],
    [("pods", SYN), ("nodes", SYN), ("pods", SYN | ACK), ("nodes", ACK), ("pods", ACK)],
    [("pods", ACK), ("nodes", ACK), ("pods", FIN | ACK), ("nodes", ACK)],
    [*HELLO, ("pods", SYN), ("nodes", ACK)],
]


@pytest.mark.parametrize("number", range(len(STORIES)))
def test_states_of_connections(both: Both, number: int) -> None:
    client, server = (POD, 4600 + number), (THERE, 9090)
    for side, flags in STORIES[number]:
        ends = (client, server) if side == "pods" else (server, client)
        both.send(side, tcp_frame(*ends, flags))
        way = both._node.nat.conntrack.find((ip(POD), client[1], ip(THERE), 9090, 6))
        ours = [] if way is None else [way.connection.state.value]
        assert ours == both._kernel.states(client[1]), (side, flags)


def test_states_of_made_up_connections(both: Both) -> None:
    draw = random.Random(11)
    kinds = [SYN, SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST]
    met: dict[str, int] = {}
    for port in range(5000, 5040):
        client, server = (POD, port), (THERE, 9191)
        story: list[tuple[str, int]] = [("pods", SYN)] if port % 2 else HELLO[:]
        story += [(draw.choice(["pods", "nodes"]), draw.choice(kinds)) for _ in range(6)]
        for step, (side, flags) in enumerate(story):
            frame = tcp_frame(*((client, server) if side == "pods" else (server, client)), flags)
            before = both._kernel.states(port)
            passed = isinstance(both._ours(frame), Frame)
            assert passed == bool(both._theirs(side, frame)), story[: step + 1]
            theirs = both._kernel.states(port)
            if before == theirs == ["CLOSE"] and flags == SYN and side == "pods":
                break  # see `tcpstates.begins_anew`
            way = both._node.nat.conntrack.find((ip(POD), port, ip(THERE), 9191, 6))
            if way is not None and way.answer:
                break  # who was called began another one
            ours = [] if way is None else [way.connection.state.value]
            assert ours == theirs, story[: step + 1]
            met.update(dict.fromkeys(ours, 0))
    assert len(met) >= 7
