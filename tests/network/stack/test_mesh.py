"""The back end `mesh`: gossip, ways around cut links, and the end of both."""

import dataclasses
import random

import pytest
from datapathnodes import SERVICE, Pod, Seen, World, entry, ip, udp_packet
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.network.stack import drops
from cluster.network.stack.actions import ToPeer
from cluster.network.stack.mesh import messages, reports, topology
from cluster.network.stack.mesh.machine import Mesh
from cluster.network.stack.mesh.messages import Hello, Reports, Summary
from cluster.network.stack.mesh.reports import Report
from cluster.network.stack.peers import Peer
from cluster.network.wire import addresses, icmp
from cluster.network.wire.addresses import Prefix


def mesh(count: int) -> World:
    world = World(count, "mesh", nat=False)
    world.pass_time(3)
    world.wire.clear()
    return world


def cut(world: World, one: int, other: int) -> None:
    world.cut.add(frozenset((f"n{one}", f"n{other}")))


def way(world: World, one: Pod, two: Pod) -> list[str]:
    """Which nodes a packet comes to, the pod's node last; empty where it does not arrive."""
    world.wire.clear()
    one.send(udp_packet(one.address, 1, two.address, 2))
    hops = [target for _, target, action in world.wire if isinstance(action, ToPeer)]
    got = two.take()
    if not got:
        return []
    assert Seen(got[0]).ttl == 63 - len(hops)
    return hops


def test_whole_meshes_send_directly() -> None:
    world = mesh(3)
    one, two = world.pod(1, 5), world.pod(2, 7)
    assert way(world, one, two) == ["n2"]


def test_a_cut_link_is_gone_round_by_a_relay_and_used_again_when_mended() -> None:
    world = mesh(4)
    pods = [world.pod(number, 5) for number in (1, 2, 3, 4)]
    cut(world, 1, 2)
    assert way(world, pods[0], pods[1]) == []
    world.pass_time(6)
    around = way(world, pods[0], pods[1])
    assert around in (["n3", "n2"], ["n4", "n2"])
    assert way(world, pods[1], pods[0]) == [around[0], "n1"]
    cut(world, 1, int(around[0][1]))
    world.pass_time(6)
    other = way(world, pods[0], pods[1])
    assert other in (["n3", "n2"], ["n4", "n2"])
    assert other != around
    assert way(world, pods[0], pods[2])[-1] == "n3"
    world.cut.clear()
    world.pass_time(6)
    assert way(world, pods[0], pods[1]) == ["n2"]


def test_a_chain_of_nodes_is_relayed_from_end_to_end() -> None:
    world = mesh(5)
    first, last = world.pod(1, 5), world.pod(5, 5)
    for one in range(1, 6):
        for other in range(one + 2, 6):
            cut(world, one, other)
    world.pass_time(8)
    assert way(world, first, last) == ["n2", "n3", "n4", "n5"]
    hops = []
    for ttl in range(1, 6):
        first.send(udp_packet(first.address, 1, last.address, 33434, ttl=ttl))
        hops += [Seen(frame) for frame in first.take()]
    assert [addresses.text(seen.source) for seen in hops] == [
        "10.244.1.1", "10.244.2.0", "10.244.3.0", "10.244.4.0", "10.244.5.0",
    ]  # fmt: skip
    assert {seen.message.type for seen in hops} == {icmp.TIME_EXCEEDED}


def test_a_node_without_any_way_is_not_reached() -> None:
    world = mesh(3)
    one, two = world.pod(1, 5), world.pod(2, 7)
    cut(world, 1, 2)
    cut(world, 3, 2)
    world.pass_time(6)
    assert way(world, one, two) == []
    assert one.node.datapath.drops.get(drops.LINK_CUT) == 1
    assert "10.244.2.0/24 dev flannel.1 scope link" in [
        str(route) for route in one.node.datapath.routes()
    ]


def test_services_work_through_a_relay() -> None:
    world = World(3, "mesh")
    one, two = world.pod(1, 5), world.pod(2, 7)
    cut(world, 1, 2)
    world.pass_time(8)
    assert one.node.nat is not None
    one.node.nat.replace_services(world.now, [entry(two)])
    for _ in range(3):
        one.send(udp_packet(one.address, 1000, SERVICE, 80))
        assert two.one().flow == ("10.244.1.5", 1000, "10.244.2.7", 8080)
        two.send(udp_packet(two.address, 8080, one.address, 1000))
        assert one.one().flow == ("10.96.0.10", 80, "10.244.1.5", 1000)
    relay = world.nodes[2]
    assert relay.nat is not None
    assert len(relay.nat.conntrack) == 0


def test_nodes_learn_of_each_other_from_those_whom_they_know() -> None:
    world = World(4, "mesh", nat=False)
    me = [node.datapath.me for node in world.nodes]
    for node, known in zip(world.nodes, ([1], [0, 2], [1, 3], [2]), strict=True):
        world.carry(node, node.datapath.set_peers(world.now, [me[index] for index in known]))
    world.pass_time(6)
    assert [len(node.datapath.peers) for node in world.nodes] == [3, 3, 3, 3]
    assert way(world, world.pod(1, 5), world.pod(4, 7)) == ["n4"]


def test_a_node_that_begins_anew_is_believed() -> None:
    world = mesh(3)
    cut(world, 1, 2)
    world.pass_time(6)
    world.cut.clear()
    old = world.nodes[0]
    fresh = World(3, "mesh", nat=False).nodes[0]
    world.nodes[0] = world._by_host[addresses.text(old.address)] = fresh
    world.carry(
        fresh, fresh.datapath.set_peers(world.now, [n.datapath.me for n in world.nodes[1:]])
    )
    world.pass_time(6)
    one, two = world.pod(1, 5), world.pod(2, 7)
    assert way(world, one, two) == ["n2"]
    digests = {node.datapath.mesh.digest for node in world.nodes if node.datapath.mesh}
    assert len(digests) == 1


def test_a_silent_node_is_forgotten_and_its_greetings_cost_nothing_more() -> None:
    world = mesh(3)
    for one in (1, 2):
        cut(world, one, 3)
    for node in world.nodes[:2]:
        others = [other.datapath.me for other in world.nodes[:2] if other is not node]
        world.carry(node, node.datapath.set_peers(world.now, others))
    assert len(world.nodes[0].datapath.peers) == 2
    world.pass_time(250, step=1)
    assert len(world.nodes[0].datapath.peers) == 1


def test_nobody_learns_of_a_node_that_takes_what_is_anothers() -> None:
    me, friend = _peer(1), _peer(2)
    node = Mesh(me, random.Random(1))
    node.set_peers(0.0, [friend])
    thieves = [
        dataclasses.replace(_peer(3), network=friend.network),
        dataclasses.replace(_peer(4), network=Prefix(ip("10.244.0.0"), 16)),
    ]
    for told in messages.carrying([Report(1, thief, frozenset()) for thief in thieves]):
        assert node.receive(1.0, friend, told)
    for told in messages.carrying([Report(1, _peer(5), frozenset())]):
        assert node.receive(1.0, friend, told)
    assert list(node.peers) == ["n2", "n5"]
    assert set(node.next_hops()) == {"n2", "n5"}


def test_who_claims_the_last_version_for_a_node_does_not_stop_it() -> None:
    me, friend = _peer(1), _peer(2)
    node = Mesh(me, random.Random(1))
    node.set_peers(0.0, [friend])
    (told,) = messages.carrying([Report(reports.LAST_VERSION, me, frozenset({"n9"}))])
    assert node.receive(1.0, friend, told)
    for second in range(2, 300, 3):
        node.tick(float(second))
    assert any(messages.parse(data) for _, data in node.take())


def test_a_node_is_reached_at_an_address_not_by_a_name() -> None:
    me, friend = _peer(1), _peer(2)
    node = Mesh(me, random.Random(1))
    node.set_peers(0.0, [friend])
    for host, known in [("localhost", False), ("127.9.0.9", True)]:
        (told,) = messages.carrying(
            [Report(1, dataclasses.replace(_peer(3), host=host), frozenset())]
        )
        assert node.receive(1.0, friend, told) is known
        assert ("n3" in node.peers) is known


def test_two_nodes_of_one_name_are_refused() -> None:
    node = Mesh(_peer(1), random.Random(1))
    with pytest.raises(ValueError, match="same name"):
        node.set_peers(0.0, [_peer(2), _peer(2)])
    node.set_peers(0.0, [_peer(1), _peer(2)])
    assert list(node.peers) == ["n2"]


def _peer(number: int) -> Peer:
    network = Prefix(ip(f"10.244.{number}.0"), 24)
    return Peer(f"n{number}", ip(f"127.9.0.{number + 1}"), network, bytes((2, 0, 0, 0, 0, number)))


_NAMES = st.text(min_size=1, max_size=60)
_PEERS = st.builds(
    lambda name, public, length, mac, turbo: Peer(
        name, public, Prefix(public & addresses.mask(length), length), mac, turbo=turbo
    ),
    _NAMES,
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 32),
    st.sampled_from([b"", b"\x02abcde", b"\xfe\x00\x00\x00\x00\x01"]),
    st.booleans(),
)
_REPORTS = st.builds(Report, st.integers(0, 0xFFFFFFFF), _PEERS, st.frozensets(_NAMES, max_size=5))


@settings(max_examples=50, deadline=None)
@given(st.lists(_REPORTS, max_size=5), st.dictionaries(_NAMES, st.integers(0, 2**32 - 1)))
def test_messages_come_back_as_they_were(told: list[Report], versions: dict[str, int]) -> None:
    back: list[Report] = []
    for data in messages.carrying(told):
        message = messages.parse(data)
        assert isinstance(message, Reports)
        back += message.reports
    assert back == told
    summed: dict[str, int] = {}
    for data in messages.summaries(versions):
        summary = messages.parse(data)
        assert isinstance(summary, Summary)
        summed |= summary.versions
    assert summed == versions
    greeting = Hello(hears=True, digest=messages.digest(versions))
    assert messages.parse(messages.hello(greeting)) == greeting


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.integers(1, 3))
def test_hostile_gossip_never_raises(data: bytes, kind: int) -> None:
    node = Mesh(_peer(1), random.Random(1))
    node.set_peers(0.0, [_peer(2)])
    for payload in (data, bytes((kind,)) + data):
        assert node.receive(1.0, _peer(2), payload) == (messages.parse(payload) is not None)
    list(node.routes())
    node.tick(10.0)


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_cut_reports_are_malformed(at: int) -> None:
    whole = reports.encode(Report(7, _peer(1), frozenset(("n2", "n3"))))
    assert reports.decode(whole, 0) == (Report(7, _peer(1), frozenset(("n2", "n3"))), len(whole))
    if at < len(whole):
        assert reports.decode(whole[:at], 0) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.data())
def test_every_node_goes_a_shortest_way_and_none_in_circles(
    count: int, data: st.DataObject
) -> None:
    names = [f"n{number}" for number in range(count)]
    missing = {
        name: data.draw(st.frozensets(st.sampled_from([*names, "gone"]))) - {name} for name in names
    }
    hops = {name: topology.next_hops(name, missing) for name in names}
    for source in names:
        reach = {source: 0}
        border = [source]
        while border:
            at = border.pop(0)
            for other in names:
                if other not in reach and other != at and topology.joined(missing, at, other):
                    reach[other] = reach[at] + 1
                    border.append(other)
        assert set(hops[source]) == set(reach) - {source}
        for target in hops[source]:
            at, steps = source, 0
            while at != target:
                assert topology.joined(missing, at, hops[at][target])
                at, steps = hops[at][target], steps + 1
                assert steps <= reach[target]
            assert steps == reach[target]
