"""Where connections to services go, and from whom they seem to come."""

from collections import Counter

import pytest
from natworld import (
    ACK,
    BRIDGE,
    NODE,
    POD,
    VIP,
    VTEP,
    Node,
    backend,
    echo_frame,
    entry,
    error_frame,
    ip,
    tcp_frame,
    udp_frame,
)  # fmt: skip

from cluster.network.stack.nat import verdicts
from cluster.network.stack.nat.verdicts import Drop, Reject, Verdict
from cluster.network.wire import addresses
from cluster.network.wire.frame import Frame

HERE, THERE = backend("10.244.1.9"), backend("10.244.2.9")
OUTER = {"node_port": 30080, "external_ips": (ip("198.51.100.7"),),
         "load_balancer_ips": (ip("203.0.113.1"),)}  # fmt: skip
CLIENT = "192.0.2.50"


def _local(*endpoints: object, **more: object) -> object:
    """An entry whose external policy is Local."""
    return entry(*endpoints, **(OUTER | {"external_local": True} | more))  # type: ignore[arg-type]


def _verdict(found: object) -> Verdict:
    assert isinstance(found, Drop | Reject), found
    return found


def test_a_pod_reaches_a_cluster_address_and_keeps_its_own() -> None:
    node = Node()
    node.serve(entry(THERE))
    syn = node.connects((POD, 5000), (VIP, 80))
    assert syn.ends == ((POD, 5000), ("10.244.2.9", 8080))


def test_connections_are_spread_and_stay_where_they_are() -> None:
    node = Node()
    node.serve(entry(*(backend(f"10.244.2.{last}") for last in (1, 2, 3))))
    went = Counter(
        node.connects((POD, port), (VIP, 80)).destination[0] for port in range(5000, 5300)
    )
    assert sorted(went) == ["10.244.2.1", "10.244.2.2", "10.244.2.3"]
    assert min(went.values()) > 70


@pytest.mark.parametrize(
    ("client", "own", "masqueraded"),
    [
        pytest.param(POD, False, None, id="a pod"),
        pytest.param("10.244.7.7", False, None, id="another node's pod"),
        pytest.param(NODE, True, VTEP, id="the node"),
        pytest.param(CLIENT, False, VTEP, id="from outside of the pods' network"),
    ],
)
def test_who_is_masqueraded_on_the_way_to_a_cluster_address(
    client: str, own: bool, masqueraded: str | None
) -> None:
    node = Node()
    node.serve(entry(THERE))
    syn = node.connects((client, 5000), (VIP, 80), own=own)
    assert syn.source[0] == (masqueraded or client)
    assert syn.destination == ("10.244.2.9", 8080)


def test_everything_to_cluster_addresses_may_be_masqueraded() -> None:
    node = Node(masquerade_all=True)
    node.serve(entry(THERE))
    assert node.connects((POD, 5000), (VIP, 80)).source[0] == VTEP


def test_a_pod_that_reaches_itself_by_its_service_sees_the_bridge() -> None:
    node = Node()
    node.serve(entry(backend(POD)))
    assert node.connects((POD, 5000), (VIP, 80)).source[0] == BRIDGE


@pytest.mark.parametrize(
    ("to", "port"),
    [(NODE, 30080), ("198.51.100.7", 80), ("203.0.113.1", 80)],
    ids=["node port", "external address", "load balancer"],
)
class TestFromOutside:
    """Connections that come in by an outer address of a service."""

    def test_with_policy_cluster_goes_anywhere_and_comes_back_by_this_node(
        self, to: str, port: int
    ) -> None:
        node = Node()
        node.serve(entry(THERE, **OUTER))
        syn = node.connects((CLIENT, 5000), (to, port))
        assert syn.source[0] == VTEP
        assert syn.destination == ("10.244.2.9", 8080)

    def test_with_policy_local_stays_here_and_keeps_the_client(self, to: str, port: int) -> None:
        node = Node()
        there = THERE._replace(external=False)
        node.serve(_local(HERE, there))  # type: ignore[arg-type]
        for one in range(5000, 5030):
            syn = node.connects((CLIENT, one), (to, port))
            assert syn.ends == ((CLIENT, one), ("10.244.1.9", 8080))

    def test_with_policy_local_and_nothing_here_is_dropped(self, to: str, port: int) -> None:
        node = Node()
        node.serve(_local(THERE._replace(external=False)))  # type: ignore[arg-type]
        frame = tcp_frame((CLIENT, 5000), (to, port))
        assert _verdict(node.passes(frame)).reason == verdicts.NO_LOCAL_ENDPOINTS

    def test_policy_local_does_not_bind_pods_nor_the_node(self, to: str, port: int) -> None:
        node = Node()
        node.serve(_local(THERE._replace(external=False)))  # type: ignore[arg-type]
        syn = node.connects((POD, 5000), (to, port))
        assert syn.ends == ((POD, 5000), ("10.244.2.9", 8080))
        syn = node.connects((NODE, 5000), (to, port), own=True)
        assert (syn.source[0], syn.destination[0]) == (VTEP, "10.244.2.9")

    def test_without_endpoints_is_refused(self, to: str, port: int) -> None:
        node = Node()
        node.serve(entry(**OUTER))
        found = _verdict(node.passes(tcp_frame((CLIENT, 5000), (to, port))))
        assert (type(found), found.reason) == (Reject, verdicts.NO_ENDPOINTS)
        assert len(node.nat.conntrack) == 0


def test_policy_local_inside_drops_where_nothing_is_here() -> None:
    node = Node()
    node.serve(entry(THERE._replace(internal=False), internal_local=True))
    frame = tcp_frame((POD, 5000), (VIP, 80))
    assert _verdict(node.passes(frame)).reason == verdicts.NO_LOCAL_ENDPOINTS


def test_both_policies_local_leave_the_others_to_pods_at_outer_addresses() -> None:
    node = Node()
    leaving = backend("10.244.2.8", ready=False, terminating=True, internal=False, external=False)
    there = THERE._replace(internal=False, external=False)
    node.serve(_local(leaving, there, internal_local=True))  # type: ignore[arg-type]
    went = {node.connects((POD, port), (NODE, 30080)).destination[0] for port in range(5000, 5020)}
    assert went == {"10.244.2.9"}
    node.serve(_local(leaving, internal_local=True))  # type: ignore[arg-type]
    assert node.connects((POD, 6000), (NODE, 30080)).destination[0] == "10.244.2.8"


@pytest.mark.parametrize(
    ("client", "admitted"), [("192.0.2.50", True), ("198.51.100.50", False), (POD, False)]
)
def test_source_ranges_hold_for_the_balancer_alone(client: str, admitted: bool) -> None:
    node = Node()
    ranges = (addresses.prefix("192.0.2.0/24"),)
    node.serve(entry(THERE, source_ranges=ranges, **OUTER))
    found = node.passes(tcp_frame((client, 5000), ("203.0.113.1", 80)))
    if admitted:
        assert isinstance(found, Frame)
    else:
        assert _verdict(found).reason == verdicts.SOURCE_RANGE
    node.connects((client, 5001), (NODE, 30080))
    node.connects((client, 5002), ("198.51.100.7", 80))


def test_a_node_that_is_admitted_is_so_with_the_balancers_address() -> None:
    node = Node()
    frame = tcp_frame(("203.0.113.1", 5000), ("203.0.113.1", 80))
    node.serve(entry(THERE, source_ranges=(addresses.prefix("127.9.0.0/24"),), **OUTER))
    assert isinstance(node.passes(frame), Frame)
    node.serve(entry(THERE, source_ranges=(addresses.prefix("192.0.2.0/24"),), **OUTER))
    node.nat.conntrack.clear()
    assert _verdict(node.passes(frame)).reason == verdicts.SOURCE_RANGE


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(tcp_frame((POD, 5000), (VIP, 81)), id="another port"),
        pytest.param(udp_frame((POD, 5000), (VIP, 80)), id="another protocol"),
        pytest.param(echo_frame(POD, VIP, 4), id="an echo"),
    ],
)
def test_what_a_cluster_address_does_not_have_is_refused(frame: Frame) -> None:
    node = Node()
    node.serve(entry(THERE))
    found = _verdict(node.passes(frame))
    assert (type(found), found.reason) == (Reject, verdicts.NO_SUCH_PORT)


def test_addresses_of_no_service_are_dropped() -> None:
    node = Node()
    node.serve(entry(THERE))
    frame = tcp_frame((POD, 5000), ("10.96.0.99", 80))
    assert _verdict(node.passes(frame)).reason == verdicts.UNALLOCATED
    assert node.sends(tcp_frame((POD, 5000), ("10.244.2.9", 80))).destination[1] == 80


def test_a_node_port_is_only_at_the_nodes_address() -> None:
    node = Node()
    node.serve(entry(THERE, **OUTER))
    found = node.sends(tcp_frame((POD, 5000), (BRIDGE, 30080)))
    assert found.destination == (BRIDGE, 30080)


def test_protocols_of_one_port_are_apart() -> None:
    node = Node()
    node.serve(
        entry(backend("10.244.2.1", 5354), key="kube-system/dns:tcp", port=53),
        entry(backend("10.244.2.1", 5353), key="kube-system/dns:udp", port=53, protocol=17),
    )
    assert node.sends(tcp_frame((POD, 5000), (VIP, 53))).destination[1] == 5354
    assert node.sends(udp_frame((POD, 5000), (VIP, 53))).destination[1] == 5353
    answer = udp_frame(("10.244.2.1", 5353), (POD, 5000))
    assert node.sends(answer).ends == ((VIP, 53), (POD, 5000))


def test_a_client_sticks_to_its_backend() -> None:
    node = Node()
    three = [backend(f"10.244.2.{last}") for last in (1, 2, 3)]
    node.serve(entry(*three, affinity_seconds=60, **OUTER))
    (first,) = {node.connects((POD, port), (VIP, 80)).destination for port in range(5000, 5020)}
    node.now += 59
    assert node.connects((POD, 6000), (NODE, 30080)).destination == first, "any of its addresses"
    node.now += 59
    assert node.connects((POD, 6001), (VIP, 80)).destination == first, "its time began anew"
    others = {node.connects(("10.244.1.6", port), (VIP, 80)).destination for port in range(1, 9)}
    assert len(others) == 1
    gone = [one for one in three if addresses.text(one.address) != first[0]]
    node.serve(entry(*gone, affinity_seconds=60, **OUTER))
    (second,) = {node.connects((POD, port), (VIP, 80)).destination for port in range(7000, 7020)}
    assert second != first
    node.now += 61
    clients = range(8000, 8040)
    picked = set()
    for port in clients:
        picked.add(node.connects((POD, port), (VIP, 80)).destination)
        node.now += 61
    assert len(picked) == 2, "a client whose time is over is sent anywhere"


def test_two_services_of_one_client_port_and_backend_are_told_apart() -> None:
    node = Node()
    node.serve(entry(THERE), entry(THERE, key="default/other", vips=("10.96.0.11",)))
    one = node.connects((POD, 5000), (VIP, 80))
    other = node.connects((POD, 5000), ("10.96.0.11", 80))
    assert one.source == (POD, 5000)
    assert other.source[0] == POD
    assert other.source[1] != 5000
    assert other.destination == one.destination


def test_of_two_services_with_one_address_the_first_by_name_has_it() -> None:
    node = Node()
    mine, yours = backend("10.244.2.1"), backend("10.244.2.2")
    shared = {"external_ips": (ip("198.51.100.7"),)}
    node.serve(
        entry(yours, key="default/b", vips=("10.96.0.11",), **shared),
        entry(mine, key="default/a", **shared),
    )
    assert node.connects((CLIENT, 1), ("198.51.100.7", 80)).destination[0] == "10.244.2.1"
    node.nat.update_services(node.now, [], ["default/a"])
    assert node.connects((CLIENT, 2), ("198.51.100.7", 80)).destination[0] == "10.244.2.2"
    node.nat.update_services(node.now, [], ["default/b", "default/unknown"])
    assert node.sends(tcp_frame((CLIENT, 3), ("198.51.100.7", 80))).destination[1] == 80


def test_connections_of_tcp_outlive_a_change_and_those_of_udp_follow_it() -> None:
    node = Node()
    names = entry(THERE, key="kube-system/dns", port=53, protocol=17, vips=("10.96.0.11",))
    node.serve(entry(THERE), names)
    node.connects((POD, 5000), (VIP, 80))
    asked = udp_frame((POD, 5000), ("10.96.0.11", 53))
    assert node.sends(asked).destination[0] == "10.244.2.9"
    way = node.nat.conntrack.find((ip(POD), 5000, ip("10.96.0.11"), 53, 17))
    assert way is not None
    other = backend("10.244.3.3")
    node.serve(entry(other), names._replace(endpoints=(other,)))
    assert not way.connection.alive
    assert node.sends(asked).destination[0] == "10.244.3.3"
    again = node.sends(tcp_frame((POD, 5000), (VIP, 80), ACK))
    assert again.destination[0] == "10.244.2.9"
    node.nat.update_services(node.now, [names._replace(endpoints=(other, THERE))])
    assert len(node.nat.conntrack) == 2, "its backend is still there"


def test_datagrams_to_an_address_follow_the_service_that_comes() -> None:
    node = Node(service_networks=())
    asked = udp_frame((POD, 5000), ("10.96.0.11", 53))
    assert node.sends(asked).destination == ("10.96.0.11", 53)
    node.serve(entry(THERE, key="kube-system/dns", port=53, protocol=17, vips=("10.96.0.11",)))
    assert node.sends(asked).destination == ("10.244.2.9", 8080)


def test_a_node_whose_service_goes_keeps_nothing_of_it() -> None:
    node = Node()
    node.serve(entry(THERE, affinity_seconds=60, **OUTER))
    node.connects((POD, 5000), (VIP, 80))
    node.serve()
    assert node.nat.services.affinity.rows(node.now) == []
    assert node.nat.services.find(ip(VIP), 80, 6) is None
    assert node.nat.services.find(ip(NODE), 30080, 6) is None


@pytest.mark.parametrize("own", [False, True])
def test_an_error_about_a_translated_packet_is_shown_as_the_client_knows_it(own: bool) -> None:
    node = Node()
    client = NODE if own else POD
    node.serve(entry(THERE, protocol=17, port=53))
    left = node.sends(udp_frame((client, 5000), (VIP, 53), b"question"), own=own)
    came = node.sends(error_frame("10.244.2.9", left.data))
    assert (came.source[0], came.destination[0]) == (VIP, client)
    inner = came.data[42:]
    assert addresses.text(int.from_bytes(inner[12:16], "big")) == client
    assert addresses.text(int.from_bytes(inner[16:20], "big")) == VIP
    assert inner[20:24] == (5000).to_bytes(2, "big") + (53).to_bytes(2, "big")
    assert inner == udp_frame((client, 5000), (VIP, 53), b"question").data[14:]


def test_an_error_that_quotes_eight_bytes_of_tcp_is_translated_too() -> None:
    node = Node()
    node.serve(entry(THERE))
    left = node.sends(tcp_frame((POD, 5000), (VIP, 80)))
    came = node.sends(error_frame("10.244.2.1", left.data[: 14 + 28]))
    assert came.source[0] == VIP
    assert came.data[42:] == tcp_frame((POD, 5000), (VIP, 80)).data[14 : 14 + 28]


def test_an_error_about_an_answer_finds_the_backend() -> None:
    node = Node()
    node.serve(entry(THERE, **OUTER))
    syn = node.connects((CLIENT, 5000), (NODE, 30080))
    answer = node.sends(tcp_frame(syn.destination, syn.source, ACK, b"data"))
    came = node.sends(error_frame(CLIENT, answer.data))
    assert came.destination[0] == "10.244.2.9"
    assert came.source[0] == VTEP
    assert came.data[42:] == tcp_frame(syn.destination, syn.source, ACK, b"data").data[14:]


def test_an_error_about_nothing_known_is_dropped() -> None:
    node = Node()
    node.serve(entry(THERE))
    about = tcp_frame((POD, 5000), ("10.244.2.9", 80)).data
    assert _verdict(node.passes(error_frame("10.244.2.9", about))).reason == verdicts.INVALID


def test_a_trace_tells_what_would_happen_and_leaves_nothing() -> None:
    node = Node()
    node.serve(entry(THERE, affinity_seconds=60, **OUTER))
    told = node.trace(tcp_frame((CLIENT, 5000), (NODE, 30080)))
    assert [(one.table, one.verdict) for one in told] == [
        ("conntrack", "new"),
        ("services", "to 10.244.2.9:8080"),
        ("masquerade", f"from {VTEP}"),
    ]
    assert told[1].rule == "default/web"
    assert len(node.nat.conntrack) == 0
    assert node.nat.services.affinity.rows(0) == []
    node.connects((CLIENT, 5000), (NODE, 30080))
    told = node.trace(tcp_frame((CLIENT, 5000), (NODE, 30080), ACK))
    assert told[0] == ("conntrack", "ESTABLISHED", "known")
    node.serve(entry(**OUTER))
    refused = node.trace(tcp_frame((CLIENT, 5001), (NODE, 30080)))[-1]
    assert refused == ("services", "default/web has no endpoints", verdicts.NO_ENDPOINTS)
