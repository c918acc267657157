"""NetworkPolicies become rules for a node's pods: cases of the API's reference, and properties
against a reading of the reference that computes nothing beforehand.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import selectors
from cluster.pb.cluster.v1 import dataplane_pb2
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.overlay.policies.compiler import Compiler

HERE = "node-1"
Made = dict[str, Any]


def pod(
    name: str,
    address: str,
    namespace: str = "default",
    node: str = HERE,
    ports: dict[str, int] | None = None,
    **labels: str,
) -> Made:
    listed = [{"name": key, "containerPort": port} for key, port in (ports or {}).items()]
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": node, "containers": [{"name": "c", "ports": listed}]},
        "status": {"phase": "Running", "podIP": address},
    }


def policy(name: str, namespace: str = "default", **spec: Any) -> Made:
    spec.setdefault("podSelector", {})
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def labelled(**labels: str) -> Made:
    return {"matchLabels": labels}


class World:
    """A compiler, and tables as a data plane keeps them from its changes."""

    def __init__(self, *things: Made) -> None:
        self.compiler = Compiler((HERE,))
        self.sets: dict[str, list[str]] = {}
        self.policies: dict[str, pb.Policy] = {}
        for name in ("default", "other"):
            self.compiler.set_namespace(name, {"kubernetes.io/metadata.name": name})
        for thing in things:
            (self.compiler.set_pod if "status" in thing else self.compiler.set_policy)(thing)
        self.take()

    def take(self) -> pb.UpdateOverlayRequest:
        delta = pb.UpdateOverlayRequest()
        self.compiler.take(delta)
        for key in delta.removed_policies:
            del self.policies[key]
        for key in delta.removed_sets:
            del self.sets[key]
        for one in delta.set_sets:
            self.sets[one.key] = list(one.addresses)
        for change in delta.changed_sets:
            before = self.sets[change.key]
            assert not set(change.added) & set(before)
            assert set(change.removed) <= set(before)
            left = [one for one in before if one not in change.removed]
            self.sets[change.key] = [*left, *change.added]
        for entry in delta.set_policies:
            self.policies[entry.key] = entry
        used = {
            key for each in self.policies.values()
            for rule in (*each.ingress_rules, *each.egress_rules) for key in rule.sets
        }  # fmt: skip
        assert used <= set(self.sets), "a rule names a set that is not there"
        return delta

    def ingress(self, target: str, source: str, port: int, protocol: str = "TCP") -> bool:
        """Whether the tables let a packet from `source` into `target`, a pod of this node."""
        return self._allowed(target, source, port, protocol, "ingress")

    def egress(self, source: str, target: str, port: int, protocol: str = "TCP") -> bool:
        return self._allowed(source, target, port, protocol, "egress")

    def _allowed(self, own: str, peer: str, port: int, protocol: str, way: str) -> bool:
        about = [one for one in self.policies.values() if own in one.addresses]
        isolating = [one for one in about if getattr(one, way)]
        number = dataplane_pb2.Protocol.Value(protocol)
        return not isolating or any(
            self._matches(rule, peer, port, number)
            for one in isolating
            for rule in getattr(one, f"{way}_rules")
        )

    def _matches(self, rule: pb.PolicyRule, peer: str, port: int, protocol: int) -> bool:
        assert rule.every_port == (not rule.ports)
        ports = rule.every_port or any(
            each.protocol == protocol and each.first <= port <= each.last for each in rule.ports
        )
        address = ipaddress.ip_address(peer)
        return ports and (
            rule.everybody
            or any(peer in self.sets[key] for key in rule.sets)
            or any(
                address in ipaddress.ip_network(block.cidr)
                and not any(
                    address in ipaddress.ip_network(part) for part in getattr(block, "except")
                )
                for block in rule.blocks
            )
        )


WEB, DB, FAR = "10.0.1.2", "10.0.1.3", "10.0.2.2"


def world(*policies: Made) -> World:
    return World(
        pod("web", WEB, app="web", ports={"http": 80}),
        pod("db", DB, app="db", ports={"http": 8080, "sql": 5432}),
        pod("far", FAR, "other", "node-2", app="web", ports={"http": 8000}),
        *policies,
    )


def test_without_policies_nothing_is_programmed_and_everything_passes() -> None:
    made = world()
    assert (made.sets, made.policies) == ({}, {})
    assert made.ingress(DB, FAR, 80)
    assert made.egress(DB, "1.1.1.1", 53)


def test_a_policy_without_rules_isolates_those_that_it_selects_and_only_inward() -> None:
    made = world(policy("deny", podSelector=labelled(app="db")))
    assert not made.ingress(DB, WEB, 5432)
    assert made.ingress(WEB, DB, 80)
    assert made.egress(DB, WEB, 80)


def test_egress_alone_is_isolated_where_the_types_say_so() -> None:
    made = world(policy("quiet", podSelector=labelled(app="db"), policyTypes=["Egress"]))
    assert made.ingress(DB, WEB, 5432)
    assert not made.egress(DB, WEB, 80)


@pytest.mark.parametrize(
    ("peer", "near", "far"),
    [
        ({"podSelector": labelled(app="web")}, True, False),
        ({"namespaceSelector": {}}, True, True),
        ({"namespaceSelector": {}, "podSelector": labelled(app="web")}, True, True),
        ({"namespaceSelector": labelled(**{"kubernetes.io/metadata.name": "other"})}, False, True),
        ({"namespaceSelector": {}, "podSelector": labelled(app="none")}, False, False),
        ({"podSelector": {}}, True, False),
        ({"ipBlock": {"cidr": "10.0.2.0/24"}}, False, True),
        ({"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.2.0/24"]}}, True, False),
        ({"ipBlock": {"cidr": "fd00::/8"}}, False, False),
    ],
)
def test_peers_are_pods_of_the_namespace_of_others_or_blocks(
    peer: Made, near: bool, far: bool
) -> None:
    made = world(policy("some", podSelector=labelled(app="db"), ingress=[{"from": [peer]}]))
    assert made.ingress(DB, WEB, 5432) == near
    assert made.ingress(DB, FAR, 5432) == far


@pytest.mark.parametrize(
    ("ports", "open_ports"),
    [
        ([], ["TCP/5432", "TCP/8080", "UDP/53"]),
        ([{"port": 5432}], ["TCP/5432"]),
        ([{"port": 5000, "endPort": 6000, "protocol": "TCP"}], ["TCP/5432"]),
        ([{"protocol": "UDP"}], ["UDP/53"]),
        ([{"port": "sql"}], ["TCP/5432"]),
        ([{"port": "http"}, {"port": 53, "protocol": "UDP"}], ["TCP/8080", "UDP/53"]),
        ([{"port": "sql", "protocol": "UDP"}], []),
        ([{"port": "absent"}], []),
    ],
)
def test_ports_of_ingress(ports: list[Made], open_ports: list[str]) -> None:
    made = world(policy("some", podSelector=labelled(app="db"), ingress=[{"ports": ports}]))
    tried = (("TCP", 5432), ("TCP", 8080), ("UDP", 53))
    assert [f"{kind}/{port}" for kind, port in tried if made.ingress(DB, WEB, port, kind)] == (
        open_ports
    )


def test_a_name_of_a_port_is_the_number_that_it_has_in_each_selected_pod() -> None:
    made = world(policy("some", ingress=[{"ports": [{"port": "http"}]}]))
    assert sorted(made.policies) == ["default/some", "default/some#2"]
    assert made.ingress(WEB, DB, 80)
    assert not made.ingress(WEB, DB, 8080)
    assert made.ingress(DB, WEB, 8080)


def test_outward_a_name_is_the_number_that_it_has_in_each_peer() -> None:
    peers = [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "10.0.2.0/24"}}]
    rule = {"to": peers, "ports": [{"port": "http"}]}
    made = world(policy("some", policyTypes=["Egress"], egress=[rule]))
    assert [made.egress(DB, FAR, port) for port in (80, 8000, 8080)] == [False, True, False]
    assert [made.egress(DB, WEB, port) for port in (80, 8000, 8080)] == [True, False, False]
    made.compiler.set_pod(pod("far", FAR, "other", "node-2", app="web", ports={"http": 9000}))
    made.take()
    assert [made.egress(DB, FAR, port) for port in (8000, 9000)] == [False, True]


def test_pods_without_addresses_of_their_own_are_nobody() -> None:
    host = pod("host", "172.18.0.2")
    host["spec"]["hostNetwork"] = True
    over = pod("over", "10.0.1.9", app="web")
    over["status"]["phase"] = "Succeeded"
    peers = [{"podSelector": {}}]
    made = World(host, over, pod("db", DB), policy("some", ingress=[{"from": peers}]))
    assert list(made.sets.values()) == [[DB]]
    assert [list(one.addresses) for one in made.policies.values()] == [[DB]]


def test_blocks_are_written_as_the_data_plane_reads_them() -> None:
    block = {"cidr": "10.0.2.9/255.255.255.0", "except": ["10.0.2.77/30", "fd00::/64"]}
    made = world(
        policy("some", podSelector=labelled(app="db"), ingress=[{"from": [{"ipBlock": block}]}])
    )
    (entry,) = made.policies.values()
    found = entry.ingress_rules[0].blocks[0]
    assert (found.cidr, list(getattr(found, "except"))) == ("10.0.2.0/24", ["10.0.2.76/30"])


def test_a_policy_that_cannot_be_read_is_told_and_the_others_hold() -> None:
    made = world(policy("good", podSelector=labelled(app="db")))
    bad = policy("bad", ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/99"}}]}])
    with pytest.raises(ValueError, match="99"):
        made.compiler.set_policy(bad)
    made.take()
    assert list(made.policies) == ["default/good"]


def test_what_no_pod_of_this_node_needs_is_not_programmed() -> None:
    rule = {"from": [{"podSelector": {}}]}
    made = World(
        pod("far", FAR, "other", "node-2", app="web"), policy("some", "other", ingress=[rule])
    )
    assert (made.sets, made.policies) == ({}, {})
    made.compiler.set_pod(pod("near", "10.0.1.4", "other"))
    made.take()
    assert list(made.sets) == ["pods in namespace other"]
    made.compiler.remove_pod("other/near")
    made.take()
    assert (made.sets, made.policies) == ({}, {})


def test_a_pod_that_comes_costs_one_address_in_each_set_it_is_in() -> None:
    made = world(policy("some", ingress=[{"from": [{"podSelector": labelled(app="web")}]}]))
    made.compiler.set_pod(pod("web-2", "10.0.3.7", node="node-3", app="web"))
    delta = made.take()
    change = pb.AddressSetChange(key="pods app=web in namespace default", added=["10.0.3.7"])
    assert delta == pb.UpdateOverlayRequest(changed_sets=[change])
    assert not made.compiler.changed


def test_an_address_stays_while_one_of_two_pods_still_has_it() -> None:
    made = world(policy("some", ingress=[{"from": [{"podSelector": labelled(app="web")}]}]))
    made.compiler.set_pod(pod("heir", WEB, app="web"))
    made.compiler.remove_pod("default/web")
    assert made.take().ByteSize() == 0 or made.ingress(DB, WEB, 1)
    assert made.ingress(DB, WEB, 1)


# ---- properties ------------------------------------------------------------------------------

LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
NAMESPACES = ("n0", "n1")
PORTS = {"http": (80, 8080), "dns": (53,)}


@st.composite
def _selector(draw: st.DrawFn) -> Made:
    if draw(st.booleans()):
        return {"matchLabels": draw(LABELS)}
    operator = draw(st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]))
    values = {"values": ["x"]} if operator in ("In", "NotIn") else {}
    return {
        "matchExpressions": [{"key": draw(st.sampled_from("ab")), "operator": operator, **values}]
    }


@st.composite
def _peer(draw: st.DrawFn) -> Made:
    kind = draw(st.integers(0, 3))
    if kind == 0:
        excepts = draw(st.sampled_from([[], ["10.0.0.4/31"]]))
        return {
            "ipBlock": {
                "cidr": draw(st.sampled_from(["10.0.0.0/29", "0.0.0.0/0"])),
                "except": excepts,
            }
        }
    found: Made = {}
    if kind in (1, 3):
        found["podSelector"] = draw(_selector())
    if kind in (2, 3):
        found["namespaceSelector"] = draw(_selector())
    return found


_PORT = st.sampled_from([
    {"port": 80}, {"port": "http"}, {"port": "dns", "protocol": "UDP"}, {"protocol": "UDP"},
    {"port": 50, "endPort": 100}, {"port": "none"},
])  # fmt: skip


@st.composite
def _policy(draw: st.DrawFn) -> Made:
    def rules(field: str) -> list[Made]:
        rule = st.fixed_dictionaries(
            {},
            optional={field: st.lists(_peer(), max_size=2), "ports": st.lists(_PORT, max_size=2)},
        )
        return draw(st.lists(rule, max_size=2))

    types = draw(st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]))
    return policy(
        draw(st.sampled_from(["p0", "p1"])), draw(st.sampled_from(NAMESPACES)),
        podSelector=draw(_selector()), policyTypes=types, ingress=rules("from"), egress=rules("to"),
    )  # fmt: skip


@st.composite
def _pod(draw: st.DrawFn) -> Made:
    ports = {
        name: draw(st.sampled_from(PORTS[name]))
        for name in draw(st.sets(st.sampled_from(sorted(PORTS))))
    }
    number = draw(st.integers(0, 5))
    made = pod(
        f"p{number}",
        f"10.0.0.{number}",
        draw(st.sampled_from(NAMESPACES)),
        draw(st.sampled_from([HERE, "node-2"])),
        ports,
        **draw(LABELS),
    )
    for port in made["spec"]["containers"][0]["ports"]:
        port["protocol"] = "UDP" if port["name"] == "dns" else "TCP"
    return made


_STEP = st.one_of(
    st.tuples(st.just("pod"), _pod()),
    st.tuples(st.just("policy"), _policy()),
    st.tuples(st.just("namespace"), st.tuples(st.sampled_from(NAMESPACES), LABELS)),
    st.tuples(st.just("no pod"), st.tuples(st.sampled_from(NAMESPACES), st.integers(0, 5))),
    st.tuples(st.just("no policy"), st.tuples(st.sampled_from(NAMESPACES), st.integers(0, 1))),
    st.tuples(st.just("take"), st.none()),
)  # fmt: skip


def address_of(other: Made | str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(other if isinstance(other, str) else other["status"]["podIP"])


class Reference:
    """What the API's reference says, computed for one packet at a time."""

    def __init__(self) -> None:
        self.pods: dict[str, Made] = {}
        self.policies: dict[str, Made] = {}
        self.namespaces: dict[str, dict[str, str]] = {}

    def allowed(self, own: Made, other: Made | str, port: int, kind: str, way: str) -> bool:
        """`way` is Ingress for packets from `other`, Egress for packets to it."""
        field, peers = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}[way]
        isolating = [
            one for one in self.policies.values()
            if one["metadata"]["namespace"] == own["metadata"]["namespace"]
            and way in one["spec"]["policyTypes"]
            and selectors.of(one["spec"]["podSelector"]).matches(own["metadata"]["labels"])
        ]  # fmt: skip
        if not isolating:
            return True
        target = own if way == "Ingress" else other
        return any(
            self._port(rule.get("ports"), target, port, kind)
            and self._peer(one["metadata"]["namespace"], rule.get(peers), other)
            for one in isolating
            for rule in one["spec"].get(field) or ()
        )

    def _peer(self, namespace: str, peers: Iterable[Made] | None, other: Made | str) -> bool:
        return not peers or any(self._is(namespace, peer, other) for peer in peers)

    def _is(self, namespace: str, peer: Made, other: Made | str) -> bool:
        address = address_of(other)
        if "ipBlock" in peer:
            inside = address in ipaddress.ip_network(peer["ipBlock"]["cidr"])
            out = any(address in ipaddress.ip_network(one) for one in peer["ipBlock"]["except"])
            return inside and not out
        if isinstance(other, str):
            return False
        where = other["metadata"]["namespace"]
        if "namespaceSelector" in peer:
            known = self.namespaces.get(where)
            if known is None or not selectors.of(peer["namespaceSelector"]).matches(known):
                return False
        elif where != namespace:
            return False
        wanted = (
            selectors.of(peer["podSelector"]) if "podSelector" in peer else selectors.EVERYTHING
        )
        return wanted.matches(other["metadata"]["labels"])

    def _port(self, ports: Iterable[Made] | None, target: Made | str, port: int, kind: str) -> bool:
        return not ports or any(self._fits(one, target, port, kind) for one in ports)

    @staticmethod
    def _fits(one: Made, target: Made | str, port: int, kind: str) -> bool:
        if one.get("protocol", "TCP") != kind:
            return False
        wanted = one.get("port")
        if isinstance(wanted, str):
            if isinstance(target, str):
                return False
            known = target["spec"]["containers"][0]["ports"]
            return any(
                (each["name"], each["protocol"], each["containerPort"]) == (wanted, kind, port)
                for each in known
            )
        return wanted is None or wanted <= port <= one.get("endPort", wanted)


def carry_out(made: World, told: Reference, kind: str, what: Any) -> None:
    if kind == "pod":
        key = f"{what['metadata']['namespace']}/{what['metadata']['name']}"
        others = [name for name, one in told.pods.items() if one["status"] == what["status"]]
        for name in others:  # an address is of one pod at a time
            if name != key:
                carry_out(made, told, "no pod", name.split("/p"))
        if key in told.pods and told.pods[key]["spec"]["nodeName"] != what["spec"]["nodeName"]:
            carry_out(made, told, "no pod", key.split("/p"))
        told.pods[key] = what
        made.compiler.set_pod(what)
    elif kind == "policy":
        told.policies[f"{what['metadata']['namespace']}/{what['metadata']['name']}"] = what
        made.compiler.set_policy(what)
    elif kind == "namespace":
        told.namespaces[what[0]] = what[1]
        made.compiler.set_namespace(*what)
    elif kind == "no pod":
        told.pods.pop(f"{what[0]}/p{what[1]}", None)
        made.compiler.remove_pod(f"{what[0]}/p{what[1]}")
    elif kind == "no policy":
        told.policies.pop(f"{what[0]}/p{what[1]}", None)
        made.compiler.remove_policy(f"{what[0]}/p{what[1]}")
    else:
        made.take()


@settings(max_examples=100, deadline=None)
@given(st.lists(_STEP, min_size=3, max_size=25))
def test_after_any_changes_the_tables_say_what_the_reference_says(steps: list[Any]) -> None:
    made, told = World(), Reference()
    for kind, what in steps:
        carry_out(made, told, kind, what)
    made.take()
    packets = [(80, "TCP"), (8080, "TCP"), (53, "UDP"), (60, "TCP")]
    for own in told.pods.values():
        if own["spec"]["nodeName"] != HERE:
            continue
        others: list[Made | str] = [*told.pods.values(), "10.0.0.7", "192.0.2.1"]
        for other in others:
            address = str(address_of(other))
            for port, kind in packets:
                here = own["status"]["podIP"]
                assert made.ingress(here, address, port, kind) == told.allowed(
                    own, other, port, kind, "Ingress"
                )
                assert made.egress(here, address, port, kind) == told.allowed(
                    own, other, port, kind, "Egress"
                )
    assert {one.key: list(one.addresses) for one in made.compiler.sets()} == {
        key: sorted(found, key=ipaddress.ip_address) for key, found in made.sets.items()
    }
    assert {one.key: one for one in made.compiler.entries()} == made.policies
