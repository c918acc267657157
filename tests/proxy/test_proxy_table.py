"""The service table: what Services and slices mean on a node, and how little changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servicedocs import endpoint, endpoint_slice, service, takers

from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.proxy import table

Json = dict[str, Any]
NODE_PORT = {"ports": [{"port": 80, "nodePort": 30080}], "type": "NodePort"}


def _one(found: table.Table) -> pb.ServicePort:
    (entry,) = found.values()
    return entry


def _web(*slices: Json, node: str = "node-1", **spec: Any) -> pb.ServicePort:
    return _one(table.compute([service(**spec)], slices, node))


def test_a_cluster_ip_service() -> None:
    entry = _web(endpoint_slice("s", endpoint("10.244.1.2"), endpoint("10.244.0.9", "node-2")))
    assert (entry.key, entry.namespace, entry.name) == ("default/web", "default", "web")
    assert (entry.protocol, list(entry.cluster_ips), entry.port) == (pb.TCP, ["10.96.0.10"], 80)
    assert (entry.internal_policy, entry.external_policy) == (pb.CLUSTER, pb.CLUSTER)
    assert (entry.node_port, entry.affinity_seconds) == (0, 0)
    assert [
        (one.address, one.port, one.node_name, one.local, one.ready) for one in entry.endpoints
    ] == [
        ("10.244.0.9", 8080, "node-2", False, True),
        ("10.244.1.2", 8080, "node-1", True, True),
    ]
    assert takers(entry) == ["10.244.0.9:8080", "10.244.1.2:8080"]
    assert takers(entry, "external") == []


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "None"},
        {"clusterIP": ""},
        {"type": "ExternalName", "externalName": "example.com", "clusterIP": None},
    ],
)
def test_services_without_an_address_have_no_entries(spec: Json) -> None:
    assert table.compute([service(**spec)], [], "node-1") == {}


def test_ports_go_to_endpoints_by_name_and_protocol() -> None:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    found = table.compute(
        [service(ports=ports)],
        [
            endpoint_slice(
                "s",
                endpoint("10.244.1.2"),
                ports=[
                    {"name": "dns", "port": 5353, "protocol": "UDP"},
                    {"name": "dns-tcp", "port": 5354, "protocol": "TCP"},
                    {"name": "dns", "port": 9, "protocol": "TCP"},
                ],
            )
        ],
        "node-1",
    )
    assert {key: (entry.protocol, takers(entry)) for key, entry in found.items()} == {
        "default/web:dns": (pb.UDP, ["10.244.1.2:5353"]),
        "default/web:dns-tcp": (pb.TCP, ["10.244.1.2:5354"]),
    }


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({}, 0),
        ({"sessionAffinity": "None"}, 0),
        ({"sessionAffinity": "ClientIP"}, 10800),
        (
            {
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
            },
            60,
        ),
    ],
)
def test_session_affinity(spec: Json, seconds: int) -> None:
    assert _web(**spec).affinity_seconds == seconds


READY = endpoint("10.0.0.1", ready=True, serving=True, terminating=False)
UNKNOWN = endpoint("10.0.0.2")
LEAVING = endpoint("10.0.0.3", ready=False, serving=True, terminating=True)
UNREADY = endpoint("10.0.0.4", ready=False, serving=False, terminating=False)
GONE = endpoint("10.0.0.5", ready=False, serving=False, terminating=True)


@pytest.mark.parametrize(
    ("endpoints", "used"),
    [
        pytest.param([READY, UNKNOWN, LEAVING, UNREADY], [1, 2], id="ready ones alone"),
        pytest.param([LEAVING, UNREADY, GONE], [3], id="none ready: those that still serve"),
        pytest.param([UNREADY, GONE], [], id="none that serve"),
    ],
)
def test_which_endpoints_take_traffic(endpoints: list[Json], used: list[int]) -> None:
    entry = _web(endpoint_slice("s", *endpoints))
    assert takers(entry) == [f"10.0.0.{last}:8080" for last in used]
    assert len(entry.endpoints) == len(used)


HERE = endpoint("10.0.0.1", "node-1", ready=True)
THERE = endpoint("10.0.0.2", "node-2", ready=True)
HERE_LEAVING = endpoint("10.0.0.3", "node-1", ready=False, serving=True, terminating=True)


@pytest.mark.parametrize(
    ("policies", "endpoints", "internal", "external"),
    [
        pytest.param({}, [HERE, THERE], [1, 2], [1, 2], id="cluster"),
        pytest.param(
            {"externalTrafficPolicy": "Local"}, [HERE, THERE], [1, 2], [1], id="external local"
        ),
        pytest.param(
            {"internalTrafficPolicy": "Local"}, [HERE, THERE], [1], [1, 2], id="internal local"
        ),
        pytest.param(
            {"externalTrafficPolicy": "Local"}, [THERE], [2], [], id="none here: dropped"
        ),
        pytest.param(
            {"externalTrafficPolicy": "Local"}, [THERE, HERE_LEAVING], [2], [3],
            id="those here that leave, where none here is ready",
        ),
    ],
)  # fmt: skip
def test_traffic_policies(
    policies: Json, endpoints: list[Json], internal: list[int], external: list[int]
) -> None:
    entry = _web(endpoint_slice("s", *endpoints), **(NODE_PORT | policies))
    assert entry.node_port == 30080
    assert takers(entry) == [f"10.0.0.{last}:8080" for last in internal]
    assert takers(entry, "external") == [f"10.0.0.{last}:8080" for last in external]
    assert len(entry.endpoints) == len(endpoints)


def hinted(last: int, node: str, *, nodes: str = "", zones: str = "", **conditions: bool) -> Json:
    """An endpoint for these nodes and zones, each a letter."""
    names = {"forNodes": nodes, "forZones": zones}
    hints = {key: [{"name": f"{key[3].lower()}-{one}"} for one in of] for key, of in names.items()}
    return endpoint(f"10.0.0.{last}", node, **conditions) | {"hints": hints}


@pytest.mark.parametrize(
    ("endpoints", "zone", "used"),
    [
        pytest.param([hinted(1, "n-a", zones="a"), hinted(2, "n-b", zones="b")], "z-a", [1],
                     id="those for the zone"),
        pytest.param([hinted(1, "n-a", zones="a"), hinted(2, "n-b", zones="ab")], "z-a", [1, 2],
                     id="one for two zones"),
        pytest.param([hinted(1, "n-a", zones="a"), hinted(2, "n-b", zones="b")], "", [1, 2],
                     id="a node without a zone"),
        pytest.param([hinted(1, "n-a", zones="a"), hinted(2, "n-b", zones="b")], "z-c", [1, 2],
                     id="none for the zone"),
        pytest.param([hinted(1, "n-a", zones="a"), hinted(2, "n-b")], "z-a", [1, 2],
                     id="not all have hints"),
        pytest.param(
            [hinted(1, "n-a", zones="a"), hinted(2, "n-b", ready=False, serving=False)], "z-a",
            [1], id="those that are not ready need none",
        ),
        pytest.param(
            [hinted(1, "n-a", zones="b", ready=False, serving=True, terminating=True)], "z-a",
            [1], id="those that leave have no zone",
        ),
        pytest.param(
            [hinted(1, "n-a", nodes="a", zones="a"), hinted(2, "n-b", nodes="b", zones="a")],
            "z-a", [1], id="the node before the zone",
        ),
        pytest.param(
            [hinted(1, "n-c", nodes="c", zones="a"), hinted(2, "n-b", nodes="b", zones="b")],
            "z-b", [2], id="none for the node: the zone",
        ),
    ],
)  # fmt: skip
def test_hints_say_for_whom_endpoints_are(
    endpoints: list[Json], zone: str, used: list[int]
) -> None:
    slices = [endpoint_slice("s", *endpoints)]
    entry = _one(table.compute([service(**NODE_PORT)], slices, "n-a", zone))
    wanted = [f"10.0.0.{last}:8080" for last in used]
    assert (takers(entry), takers(entry, "external")) == (wanted, wanted)


def test_hints_do_not_bind_policy_local() -> None:
    slices = [endpoint_slice("s", hinted(1, "n-a", zones="b"), hinted(2, "n-b", zones="a"))]
    local = {"externalTrafficPolicy": "Local"} | NODE_PORT
    entry = _one(table.compute([service(**local)], slices, "n-a", "z-a"))
    assert (takers(entry), takers(entry, "external")) == (["10.0.0.2:8080"], ["10.0.0.1:8080"])
    slices = [endpoint_slice("s", hinted(2, "n-b", zones="a"))]
    entry = _one(table.compute([service(**local)], slices, "n-a", "z-a"))
    assert (takers(entry), takers(entry, "external")) == (["10.0.0.2:8080"], [])


def test_another_zone_changes_what_has_hints() -> None:
    keeper = table.Keeper("n-a")
    for name in ("a", "b"):
        keeper.set_service(service(name))
    keeper.set_slice(endpoint_slice("b", endpoint("10.0.0.9"), service="b"))
    assert not keeper.needs_zone
    keeper.set_slice(
        endpoint_slice("a", hinted(1, "x", zones="a"), hinted(2, "y", zones="b"), service="a")
    )
    assert keeper.needs_zone
    keeper.take()
    keeper.set_zone("z-b")
    assert [(entry.key, takers(entry)) for entry in keeper.take().put] == [
        ("default/a", ["10.0.0.2:8080"])
    ]
    keeper.set_zone("z-b")
    assert not keeper.changed
    keeper.set_slice(endpoint_slice("a", endpoint("10.0.0.1"), service="a"))
    assert not keeper.needs_zone
    keeper.set_slice(endpoint_slice("a", hinted(1, "x", zones="a"), service="a"))
    keeper.remove_slice("default/a")
    assert not keeper.needs_zone


def test_addresses_from_outside() -> None:
    status = {
        "loadBalancer": {
            "ingress": [
                {"ip": "203.0.113.1"},
                {"hostname": "lb.example.com"},
                {"ip": "203.0.113.2", "ipMode": "Proxy"},
            ]
        }
    }
    found = service(
        type="LoadBalancer",
        clusterIPs=["10.96.0.10", "fd00::10"],
        externalIPs=["198.51.100.7"],
        loadBalancerSourceRanges=["192.0.2.0/24"],
        healthCheckNodePort=31000,
        status=status,
    )
    entry = _one(table.compute([found], [], "node-1"))
    assert list(entry.cluster_ips) == ["10.96.0.10", "fd00::10"]
    assert list(entry.external_ips) == ["198.51.100.7"]
    assert list(entry.load_balancer_ips) == ["203.0.113.1"]
    assert list(entry.load_balancer_source_ranges) == ["192.0.2.0/24"]
    assert entry.health_check_node_port == 31000


def test_an_endpoint_in_two_slices_counts_once_and_as_ready() -> None:
    entry = _web(
        endpoint_slice("a", endpoint("10.0.0.1", ready=True)),
        endpoint_slice("b", endpoint("10.0.0.1", ready=False)),
        endpoint_slice("c", endpoint("example.com"), address_type="FQDN"),
    )
    assert takers(entry) == ["10.0.0.1:8080"]


def test_a_change_touches_only_its_service() -> None:
    keeper = table.Keeper("node-1")
    for name in ("a", "b"):
        keeper.set_service(service(name))
        keeper.set_slice(endpoint_slice(name, endpoint("10.0.0.1"), service=name))
    keeper.take()
    keeper.set_slice(endpoint_slice("a", endpoint("10.0.0.2"), service="a"))
    delta = keeper.take()
    assert [entry.key for entry in delta.put] == ["default/a"]
    assert delta.removed == ()


def test_a_change_that_means_nothing_here_is_none() -> None:
    keeper = table.Keeper("node-1")
    keeper.set_service(service())
    keeper.set_slice(endpoint_slice("s", endpoint("10.0.0.1")))
    keeper.take()
    keeper.set_slice(endpoint_slice("s", endpoint("10.0.0.1"), UNREADY))
    assert keeper.changed
    assert not keeper.take()


def test_a_slice_that_goes_over_to_another_service_changes_both() -> None:
    keeper = table.Keeper("node-1")
    keeper.set_service(service("a"))
    keeper.set_service(service("b"))
    keeper.set_slice(endpoint_slice("s", endpoint("10.0.0.1"), service="a"))
    keeper.take()
    keeper.set_slice(endpoint_slice("s", endpoint("10.0.0.1"), service="b"))
    assert {entry.key: takers(entry) for entry in keeper.take().put} == {
        "default/a": [],
        "default/b": ["10.0.0.1:8080"],
    }


_services = st.builds(
    lambda name, ports, kind: service(
        name,
        ports=[{"name": f"p{port}", "port": port} for port in ports],
        clusterIP=kind,
    ),
    st.sampled_from("abc"),
    st.lists(st.integers(1, 3), unique=True, max_size=3),
    st.sampled_from(["10.96.0.1", "None"]),
)
_slices = st.builds(
    lambda name, owner, addresses, port: endpoint_slice(
        name,
        *(endpoint(f"10.0.0.{last}", f"node-{last % 2}", ready=last < 4) for last in addresses),
        service=owner,
        ports=[{"name": f"p{port}", "port": port}],
    ),
    st.sampled_from("wxyz"),
    st.sampled_from("abc"),
    st.lists(st.integers(1, 5), max_size=3),
    st.integers(1, 3),
)
_steps = st.one_of(
    st.tuples(st.just("set_service"), _services),
    st.tuples(st.just("remove_service"), st.sampled_from(["default/a", "default/b", "default/c"])),
    st.tuples(st.just("set_slice"), _slices),
    st.tuples(st.just("remove_slice"), st.sampled_from(["default/w", "default/x", "default/y"])),
    st.tuples(st.just("take"), st.none()),
)


@given(st.lists(_steps, max_size=30))
def test_changes_lead_to_the_table_that_would_be_computed_anew(
    steps: list[tuple[str, Any]],
) -> None:
    keeper = table.Keeper("node-1")
    copy: table.Table = {}
    services: dict[str, Json] = {}
    slices: dict[str, Json] = {}
    for step, what in [*steps, ("take", None)]:
        if step == "take":
            delta = keeper.take()
            for key in delta.removed:
                del copy[key]
            for entry in delta.put:
                assert copy.get(entry.key) != entry
                copy[entry.key] = entry
            assert copy == keeper.table
            continue
        getattr(keeper, step)(what)
        kept = services if step.endswith("service") else slices
        if step.startswith("set"):
            kept[f"default/{what['metadata']['name']}"] = what
        else:
            kept.pop(what, None)
    assert copy == table.compute(services.values(), slices.values(), "node-1")


def test_endpoints_of_nodes_that_share_a_data_plane_are_local_to_it() -> None:
    keeper = table.Keeper("hollow", ("hollow-0", "hollow-1"))
    keeper.set_service(service())
    places = [endpoint(f"10.0.0.{number}", f"hollow-{number}") for number in (0, 1, 2)]
    keeper.set_slice(endpoint_slice("web-1", *places))
    keeper.take()
    assert [one.local for one in _one(keeper.table).endpoints] == [True, True, False]
