"""Subsets of Endpoints: tables of the API reference, and properties of packing and cutting."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.controllers.endpoints import subsets


def pod(number: int, *, ready: bool = True, **more: Any) -> dict[str, Any]:
    address = f"10.0.{number // 200}.{number % 200 + 1}"
    spec = {"nodeName": "n1", "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]}
    return {
        "metadata": {"name": f"p{number}", "namespace": "default", "uid": f"u{number:04}"}
        | more.pop("metadata", {}),
        "spec": spec | more.pop("spec", {}),
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        }
        | more.pop("status", {}),
    }


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": list(ports), "clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"], **spec},
    }


HTTP = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
ADMIN = {"name": "admin", "port": 81, "targetPort": 9090, "protocol": "TCP"}
LEAVING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def addresses(found: list[dict[str, Any]], field: str = "addresses") -> list[list[str]]:
    return [[one["targetRef"]["name"] for one in subset.get(field) or ()] for subset in found]


def test_pods_that_serve_the_same_ports_stand_together() -> None:
    found = subsets.desired(service(HTTP, ADMIN), [pod(2), pod(1), pod(3, ready=False)])
    assert addresses(found) == [["p1", "p2"]]
    assert addresses(found, "notReadyAddresses") == [["p3"]]
    assert found[0]["ports"] == [
        {"name": "admin", "port": 9090, "protocol": "TCP"},
        {"name": "http", "port": 8080, "protocol": "TCP"},
    ]
    first = found[0]["addresses"][0]
    assert (first["ip"], first["nodeName"]) == ("10.0.0.2", "n1")
    assert first["targetRef"] == {
        "kind": "Pod", "namespace": "default", "name": "p1", "uid": "u0001",
    }  # fmt: skip


def test_a_named_port_of_another_number_makes_a_subset_of_its_own() -> None:
    other = {"containers": [{"ports": [{"name": "http", "containerPort": 9999}]}]}
    found = subsets.desired(service(HTTP), [pod(1), pod(2, spec=other)])
    assert [subset["ports"][0]["port"] for subset in found] == [8080, 9999]
    assert addresses(found) == [["p1"], ["p2"]]


@pytest.mark.parametrize(
    ("changes", "published", "ready", "waiting"),
    [
        ({}, False, ["p1"], []),
        ({"ready": False}, False, [], ["p1"]),
        ({"ready": False}, True, ["p1"], []),
        ({"metadata": LEAVING}, False, None, None),
        ({"metadata": LEAVING, "ready": False}, True, ["p1"], []),
        ({"status": {"phase": "Failed"}}, True, None, None),
        ({"status": {"podIP": "", "podIPs": []}}, True, None, None),
    ],
)
def test_who_stands_in_endpoints(
    changes: dict[str, Any], published: bool, ready: list[str] | None, waiting: list[str] | None
) -> None:
    found = subsets.desired(
        service(HTTP, publishNotReadyAddresses=published), [pod(1, **dict(changes))]
    )
    if ready is None:
        assert found == []
    else:
        assert addresses(found) == [ready]
        assert addresses(found, "notReadyAddresses") == [waiting]


def test_a_headless_service_without_ports_has_addresses_alone() -> None:
    found = subsets.desired(service(clusterIP="None"), [pod(1)])
    assert addresses(found) == [["p1"]]
    assert "ports" not in found[0]
    assert subsets.desired(service(), [pod(1)]) == []


def test_a_host_name_shows_where_the_subdomain_is_the_service() -> None:
    named = {"hostname": "db-0", "subdomain": "web"}
    found = subsets.desired(service(HTTP), [pod(1, spec=named), pod(2, spec={"hostname": "x"})])
    assert [one.get("hostname") for one in found[0]["addresses"]] == ["db-0", None]


@given(
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700)), min_size=1, max_size=5),
)
def test_no_more_than_a_thousand_are_shown_and_ready_ones_first(
    sizes: list[tuple[int, int]],
) -> None:
    whole = [
        {"addresses": [{"ip": "r"}] * ready, "notReadyAddresses": [{"ip": "n"}] * waiting}
        for ready, waiting in sizes
    ]
    ready, waiting = (sum(column) for column in zip(*sizes, strict=True))
    found = subsets.truncated(whole)
    if ready + waiting <= subsets.CAPACITY:
        assert found is None
        return
    assert found is not None
    shown = sum(len(subset.get("addresses") or ()) for subset in found)
    rest = sum(len(subset.get("notReadyAddresses") or ()) for subset in found)
    assert (shown, rest) == (min(ready, 1000), max(0, 1000 - ready))
