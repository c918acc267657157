"""Connections: what begins one, how long it is remembered, and what room they get."""

import pytest
from natworld import (
    ACK,
    FIN,
    NODE,
    POD,
    RST,
    SYN,
    VIP,
    VTEP,
    Node,
    Seen,
    backend,
    echo_frame,
    entry,
    framed,
    ip,
    tcp_frame,
    udp_frame,
)  # fmt: skip

from cluster.network.stack.nat import masquerade, verdicts
from cluster.network.stack.nat.conntrack import Connection
from cluster.network.stack.nat.verdicts import Drop
from cluster.network.wire.frame import Frame

OTHER = "10.244.2.9"
OUTSIDE = "192.0.2.50"
CALL, ANSWER = True, False


def _of(node: Node) -> Connection:
    (found,) = node.nat.conntrack.connections()
    return found


def _segment(node: Node, called: bool, flags: int) -> None:
    one, other = (POD, 5000), (OTHER, 80)
    node.sends(tcp_frame(one, other, flags) if called else tcp_frame(other, one, flags))


OPEN = [(CALL, SYN), (ANSWER, SYN | ACK), (CALL, ACK)]


@pytest.mark.parametrize(
    ("segments", "state", "kept"),
    [
        pytest.param(OPEN[:1], "SYN_SENT", 120, id="called"),
        pytest.param(OPEN[:1] * 3, "SYN_SENT", 120, id="called again"),
        pytest.param(OPEN[:2], "SYN_RECV", 60, id="answered"),
        pytest.param(OPEN, "ESTABLISHED", 86400, id="open"),
        pytest.param([*OPEN, (CALL, FIN | ACK)], "FIN_WAIT", 120, id="one is done"),
        pytest.param(
            [*OPEN, (CALL, FIN | ACK), (ANSWER, ACK)], "CLOSE_WAIT", 3600, id="half closed"
        ),
        pytest.param(
            [*OPEN, (ANSWER, FIN | ACK), (CALL, ACK), (CALL, FIN | ACK)], "LAST_ACK", 30,
            id="both are done",
        ),
        pytest.param(
            [*OPEN, (ANSWER, FIN | ACK), (CALL, ACK), (CALL, FIN | ACK), (ANSWER, ACK)],
            "TIME_WAIT", 120, id="over",
        ),
        pytest.param([*OPEN, (ANSWER, RST)], "CLOSE", 10, id="reset"),
        pytest.param([(CALL, SYN), (ANSWER, SYN)], "SYN_SENT2", 120, id="both called"),
        pytest.param(
            [(CALL, SYN), (ANSWER, SYN), (ANSWER, SYN | ACK), (CALL, ACK)], "ESTABLISHED", 86400,
            id="both called, open",
        ),
        pytest.param([(CALL, ACK)], "ESTABLISHED", 86400, id="was there before"),
    ],
)  # fmt: skip
def test_states_and_how_long_they_are_kept(
    segments: list[tuple[bool, int]], state: str, kept: float
) -> None:
    node = Node()
    for called, flags in segments:
        node.now += 1
        _segment(node, called, flags)
    assert _of(node).state.value == state
    conntrack = node.nat.conntrack
    assert conntrack.deadline is not None
    conntrack.tick(node.now + kept - 0.5)
    assert len(conntrack) == 1
    conntrack.tick(node.now + kept + 1)
    assert (len(conntrack), conntrack.deadline) == (0, None)


def test_one_that_is_refused_is_forgotten_at_once() -> None:
    node = Node()
    node.serve(entry(backend(OTHER)))
    node.sends(tcp_frame((POD, 5000), (VIP, 80)))
    answer = node.sends(tcp_frame((OTHER, 8080), (POD, 5000), RST | ACK))
    assert answer.ends == ((VIP, 80), (POD, 5000))
    assert (len(node.nat.conntrack), node.nat.deadline) == (0, None)


@pytest.mark.parametrize("flags", [SYN | ACK, RST, FIN | ACK, 0])
def test_segments_that_begin_nothing_are_dropped(flags: int) -> None:
    node = Node()
    found = node.passes(tcp_frame((POD, 5000), (OTHER, 80), flags))
    assert isinstance(found, Drop)
    assert found.reason == verdicts.INVALID
    assert len(node.nat.conntrack) == 0
    assert isinstance(node.passes(tcp_frame((POD, 5000), (NODE, 80), flags)), Frame), "not ours"


@pytest.mark.parametrize("end", [[(ANSWER, RST)], [
    (CALL, FIN | ACK), (ANSWER, ACK), (ANSWER, FIN | ACK), (CALL, ACK)
]])  # fmt: skip
def test_a_port_that_is_used_again_is_a_new_connection(end: list[tuple[bool, int]]) -> None:
    node = Node()
    for called, flags in [*OPEN, *end]:
        _segment(node, called, flags)
    before = _of(node)
    _segment(node, CALL, SYN)
    assert not before.alive
    assert _of(node).state.value == "SYN_SENT"


def test_who_was_called_may_begin_anew_only_once_all_is_over() -> None:
    node = Node()
    for called, flags in [*OPEN, (ANSWER, RST)]:
        _segment(node, called, flags)
    found = node.passes(tcp_frame((OTHER, 80), (POD, 5000), SYN))
    assert isinstance(found, Drop)
    assert found.reason == verdicts.INVALID
    assert _of(node).state.value == "CLOSE"


@pytest.mark.parametrize(
    ("answers", "kept"), [([], 30), ([0.0], 30), ([0.0, 1.0, 3.0], 120)],
    ids=["not answered", "answered", "a stream"],
)  # fmt: skip
def test_how_long_datagrams_make_a_connection(answers: list[float], kept: float) -> None:
    node = Node()
    node.sends(udp_frame((POD, 5000), (OTHER, 53)))
    for at in answers:
        node.now = at
        node.sends(udp_frame((OTHER, 53), (POD, 5000)))
    node.nat.tick(node.now + kept - 1)
    assert len(node.nat.conntrack) == 1
    node.nat.tick(node.now + kept + 1)
    assert len(node.nat.conntrack) == 0


def test_what_a_cache_passes_by_counts_as_seen() -> None:
    node = Node()
    node.sends(udp_frame((POD, 5000), (OTHER, 53)))
    found = _of(node)
    found.seen = 100.0
    node.nat.tick(50)
    assert found.alive
    node.nat.tick(131)
    assert not found.alive


def test_connections_that_end_leave_no_timer() -> None:
    node = Node()
    for port in range(1000, 1100):
        node.connects((POD, port), (OTHER, 80))
        node.sends(tcp_frame((POD, port), (OTHER, 80), RST))
    node.nat.tick(node.now + 11)
    assert node.nat.deadline is None


@pytest.mark.parametrize("settled", [False, True])
def test_a_connection_may_be_cached_once_both_sides_spoke(settled: bool) -> None:
    node = Node()
    for called, flags in OPEN if settled else OPEN[:2]:
        _segment(node, called, flags)
    assert _of(node).settled is settled


def test_room_is_made_by_what_nobody_answered() -> None:
    node = Node(connections=10)
    for port in range(9):
        node.connects((POD, 1000 + port), (OTHER, 80))
    for port in range(100):
        node.sends(tcp_frame((POD, 2000 + port), (OTHER, 80)))
    conntrack = node.nat.conntrack
    assert (len(conntrack), conntrack.evicted, conntrack.refused) == (10, 99, 0)
    node.connects((POD, 3000), (OTHER, 80))
    found = node.passes(tcp_frame((POD, 3001), (OTHER, 80)))
    assert isinstance(found, Drop)
    assert (found.reason, len(conntrack), conntrack.refused) == (verdicts.FULL, 10, 1)
    for port in range(9):
        node.sends(tcp_frame((OTHER, 80), (POD, 1000 + port), ACK))


def test_echoes_of_both_sides_with_one_identifier_are_apart() -> None:
    node = Node()
    assert _ends(node.sends(echo_frame(POD, OTHER, 7))) == (POD, OTHER)
    assert _ends(node.sends(echo_frame(OTHER, POD, 7))) == (OTHER, POD)
    assert len(node.nat.conntrack) == 2
    assert _ends(node.sends(echo_frame(OTHER, POD, 7, answer=True))) == (OTHER, POD)
    assert _ends(node.sends(echo_frame(POD, OTHER, 7, answer=True))) == (POD, OTHER)
    unasked = node.passes(echo_frame(OTHER, POD, 8, answer=True))
    assert isinstance(unasked, Drop)
    node.nat.tick(31)
    assert len(node.nat.conntrack) == 0


def _ends(found: Seen) -> tuple[str, str]:
    return found.source[0], found.destination[0]


def test_echoes_to_beyond_are_masqueraded_by_their_identifier() -> None:
    node = Node()
    left = {}
    for pod in (POD, "10.244.1.6"):
        out = node.sends(echo_frame(pod, OUTSIDE, 7))
        assert _ends(out) == (NODE, OUTSIDE)
        left[out.source[1]] = pod
    assert len(left) == 2
    for identifier, pod in left.items():
        back = node.sends(echo_frame(OUTSIDE, NODE, identifier, answer=True))
        assert (_ends(back), back.source[1]) == ((OUTSIDE, pod), 7)


@pytest.mark.parametrize(
    ("source", "to", "own", "shown"),
    [
        pytest.param(POD, "10.244.1.6", False, POD, id="to a pod here"),
        pytest.param(POD, OTHER, False, POD, id="to another node's pod"),
        pytest.param(POD, OUTSIDE, False, NODE, id="beyond the pods' network"),
        pytest.param(POD, "127.9.0.2", False, NODE, id="to another node"),
        pytest.param("10.244.2.9", POD, False, "10.244.2.9", id="from another node's pod"),
        pytest.param(OUTSIDE, POD, False, OUTSIDE, id="from outside to a pod here"),
        pytest.param(NODE, OTHER, True, VTEP, id="from the node to another's pod"),
        pytest.param(VTEP, OTHER, True, VTEP, id="from the address that it would get"),
        pytest.param(NODE, OUTSIDE, True, NODE, id="from the node to beyond"),
    ],
)
def test_who_is_masqueraded(source: str, to: str, own: bool, shown: str) -> None:
    node = Node()
    syn = node.connects((source, 5000), (to, 80), own=own)
    assert syn.source[0] == shown
    assert syn.destination == (to, 80)
    if shown == source:
        assert syn.source[1] == 5000


def test_what_goes_to_groups_is_never_masqueraded() -> None:
    node = Node()
    assert node.sends(udp_frame((POD, 5000), ("224.0.0.251", 5353))).source == (POD, 5000)


def test_ports_of_masqueraded_connections_are_nobody_elses() -> None:
    node = Node()
    taken = {
        node.connects((f"10.244.1.{1 + pod}", 5000), (OUTSIDE, 80)).source for pod in range(4, 204)
    }
    assert len(taken) == 200
    assert all(port >= 1024 for _, port in taken)


def test_no_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masquerade, "_PORTS", 100)
    node = Node()
    for port in range(1024, 1124):
        node.sends(udp_frame((NODE, port), (OUTSIDE, 53)), own=True)
    found = node.passes(udp_frame((POD, 5000), (OUTSIDE, 53)))
    assert isinstance(found, Drop)
    assert found.reason == verdicts.NO_SOURCE_PORT
    assert node.sends(udp_frame((POD, 5000), (OUTSIDE, 54))).source[0] == NODE


def test_a_socket_that_speaks_to_itself_does_no_harm() -> None:
    node = Node()
    for _ in range(3):
        assert node.sends(udp_frame((POD, 5000), (POD, 5000))).ends == ((POD, 5000), (POD, 5000))
    assert [one.alive for one in node.nat.conntrack.connections()] == [True]
    node.nat.tick(200)
    assert (len(node.nat.conntrack), list(node.nat.conntrack.connections())) == (0, [])


def test_the_table_is_listed_and_emptied() -> None:
    node = Node()
    node.serve(entry(backend(OTHER)))
    node.connects((POD, 5000), (VIP, 80))
    found = _of(node)
    assert found.service == "default/web"
    assert found.original.key == (ip(POD), 5000, ip(VIP), 80, 6)
    assert found.answers.key == (ip(OTHER), 8080, ip(POD), 5000, 6)
    assert (found.original.packets, found.answers.packets) == (2, 1)
    node.nat.conntrack.clear()
    assert (len(node.nat.conntrack), node.nat.deadline) == (0, None)


def test_other_protocols_pass_by_their_addresses() -> None:
    node = Node()
    assert _ends(node.sends_raw(framed(POD, OTHER, 47, b"gre"))) == (POD, OTHER)
    assert _ends(node.sends_raw(framed(POD, OUTSIDE, 47, b"gre"))) == (NODE, OUTSIDE)
    assert _ends(node.sends_raw(framed(OUTSIDE, NODE, 47, b"gre"))) == (OUTSIDE, POD)
    again = node.passes(framed("10.244.1.6", OUTSIDE, 47, b"gre"))
    assert isinstance(again, Drop), "there are no ports to tell them apart"
