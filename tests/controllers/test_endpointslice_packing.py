"""Endpoints of a Service, and how they are packed into slices."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.controllers.endpointslice import endpoints, packing


def service(**spec):
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "s", "labels": {"tier": "a"}},
        "spec": {
            "selector": {"app": "web"},
            "clusterIP": "10.96.0.10",
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            **spec,
        },
    }


def pod(number, *, ready=True, deleting=False, phase="Running", port=8080, ip=None, **spec):
    ip = f"10.244.{number // 250}.{number % 250 + 1}" if ip is None else ip
    meta = {"name": f"web-{number}", "namespace": "default", "uid": f"u{number}"}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ports = [{"name": "http", "containerPort": port, "protocol": "TCP"}]
    return {
        "metadata": meta,
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "ports": ports}], **spec},
        "status": {
            "phase": phase,
            "podIP": ip,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def no_zone(node):
    return ""


def endpoint_of(found_service, found_pod):
    groups = endpoints.desired(found_service, [found_pod], no_zone)
    return next(iter(next(iter(groups.values())).endpoints.values()))


@pytest.mark.parametrize(
    ("options", "publish", "expected"),
    [
        ({}, False, (True, True, False)),
        ({"ready": False}, False, (False, False, False)),
        ({"deleting": True}, False, (False, True, True)),
        ({"deleting": True, "ready": False}, False, (False, False, True)),
        ({"ready": False}, True, (True, False, False)),
        ({"deleting": True, "ready": False}, True, (True, False, True)),
    ],
)
def test_conditions(options, publish, expected) -> None:
    found = endpoint_of(service(publishNotReadyAddresses=publish), pod(1, **options))
    conditions = found["conditions"]
    assert (conditions["ready"], conditions["serving"], conditions["terminating"]) == expected


def test_an_endpoint_tells_its_pod_node_and_zone() -> None:
    groups = endpoints.desired(service(), [pod(1)], {"n1": "zone-a"}.get)
    (group,) = groups.values()
    assert group.ports == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    (entry,) = group.endpoints.values()
    assert entry == {
        "addresses": ["10.244.0.2"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {"kind": "Pod", "namespace": "default", "name": "web-1", "uid": "u1"},
        "nodeName": "n1",
        "zone": "zone-a",
    }


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_and_those_without_address_have_no_place(phase) -> None:
    assert not endpoints.desired(service(), [pod(1, phase=phase), pod(2, ip="")], no_zone)


def test_a_hostname_shows_where_the_subdomain_is_the_service() -> None:
    assert endpoint_of(service(), pod(1, hostname="h", subdomain="web"))["hostname"] == "h"
    assert "hostname" not in endpoint_of(service(), pod(1, hostname="h", subdomain="other"))


def test_pods_with_other_ports_go_to_other_slices() -> None:
    groups = endpoints.desired(service(), [pod(1), pod(2, port=9090), pod(3)], no_zone)
    assert sorted((g.ports[0]["port"], len(g.endpoints)) for g in groups.values()) == [
        (8080, 2),
        (9090, 1),
    ]


def test_a_named_port_that_a_pod_lacks_is_left_out() -> None:
    wanted = service(ports=[{"name": "x", "port": 1, "targetPort": "nope", "protocol": "TCP"}])
    (group,) = endpoints.desired(wanted, [pod(1)], no_zone).values()
    assert group.ports == []


def test_named_ports_are_looked_up_in_sidecars_too() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": [{"name": "m", "containerPort": 7}]}
    wanted = service(ports=[{"name": "m", "port": 1, "targetPort": "m"}])
    assert endpoints.resolved_ports(wanted, pod(1, initContainers=[sidecar]))[0]["port"] == 7
    del sidecar["restartPolicy"]
    assert endpoints.resolved_ports(wanted, pod(1, initContainers=[sidecar])) == []


def test_each_family_has_slices_of_its_own() -> None:
    dual = pod(1)
    dual["status"]["podIPs"] = [{"ip": "10.244.0.2"}, {"ip": "fd00::2"}]
    groups = endpoints.desired(service(ipFamilies=["IPv4", "IPv6"]), [dual], no_zone)
    assert {
        g.address_type: next(iter(g.endpoints.values()))["addresses"] for g in groups.values()
    } == {
        "IPv4": ["10.244.0.2"],
        "IPv6": ["fd00::2"],
    }


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        (lambda p: p["status"].update(podIP="10.9.9.9"), True),
        (lambda p: p["status"]["conditions"][0].update(status="False"), True),
        (lambda p: p["metadata"].update(labels={"x": "y"}), True),
        (lambda p: p["status"].update(phase="Failed"), True),
        (lambda p: p["metadata"].update(deletionTimestamp="t"), True),
        (lambda p: p["metadata"].update(resourceVersion="9"), False),
        (lambda p: p["status"].update(containerStatuses=[{"restartCount": 3}]), False),
    ],
)
def test_only_visible_changes_of_a_pod_matter(change, matters) -> None:
    old = pod(1)
    new = copy.deepcopy(old)
    change(new)
    assert endpoints.changed(old, new) is matters


def test_a_pod_without_address_that_comes_or_goes_does_not_matter() -> None:
    assert not endpoints.changed(None, pod(1, ip=""))
    assert not endpoints.changed(pod(1, ip=""), None)
    assert endpoints.changed(None, pod(1))


class Store:
    """Applies changes as the API would, and counts the writes."""

    def __init__(self, limit) -> None:
        self.limit = limit
        self.slices = {}
        self.made = 0

    def sync(self, found_service, pods):
        wanted = endpoints.desired(found_service, pods, no_zone)
        owner, families = packing.of_service(found_service), endpoints.address_types(found_service)
        slices = list(self.slices.values())
        changes = packing.plan(owner, slices, wanted, self.limit, families)
        for new in changes.create:
            self.made += 1
            name = f"web-{self.made}"
            stored = copy.deepcopy(new)
            stored["metadata"] |= {"name": name, "uid": name}
            self.slices[name] = stored
        for changed in changes.update:
            assert changed["metadata"]["name"] in self.slices
            self.slices[changed["metadata"]["name"]] = copy.deepcopy(changed)
        for doomed in changes.delete:
            del self.slices[doomed["metadata"]["name"]]
        return changes


def test_no_endpoints_leave_one_empty_slice() -> None:
    store = Store(100)
    store.sync(service(), [])
    (only,) = store.slices.values()
    assert only["endpoints"] == []
    assert only["metadata"]["generateName"] == "web-"
    assert only["metadata"]["labels"] == {
        "tier": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert store.sync(service(), []).count == 0
    # The first endpoint turns it into a real one, rather than delete it and make another.
    changes = store.sync(service(), [pod(1)])
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)


def test_headless_services_are_labelled() -> None:
    store = Store(100)
    store.sync(service(clusterIP="None"), [pod(1)])
    (only,) = store.slices.values()
    assert only["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_one_pod_that_changes_costs_one_write() -> None:
    store = Store(100)
    pods = [pod(n) for n in range(250)]
    assert len(store.sync(service(), pods).create) == 3
    pods[17] = pod(17, ready=False)
    changes = store.sync(service(), pods)
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)
    del pods[17]
    assert store.sync(service(), pods).count == 1
    # A new pod takes the room that is there.
    pods.append(pod(300))
    assert store.sync(service(), pods).count == 1
    assert len(store.slices) == 3


def test_a_change_of_labels_reaches_every_slice() -> None:
    store = Store(10)
    pods = [pod(n) for n in range(25)]
    store.sync(service(), pods)
    renamed = service()
    renamed["metadata"]["labels"] = {"tier": "b"}
    assert len(store.sync(renamed, pods).update) == 3
    assert {s["metadata"]["labels"]["tier"] for s in store.slices.values()} == {"b"}


@given(
    limit=st.integers(1, 7),
    steps=st.lists(
        st.lists(
            st.tuples(st.integers(0, 30), st.booleans(), st.sampled_from([8080, 9090])),
            unique_by=lambda item: item[0],
            max_size=25,
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_whatever_happens_every_endpoint_is_in_one_slice_of_its_ports(limit, steps) -> None:
    store = Store(limit)
    for step in steps:
        pods = [pod(number, ready=ready, port=port) for number, ready, port in step]
        store.sync(service(), pods)
        found = [
            (entry["targetRef"]["uid"], entry["conditions"]["ready"], one["ports"][0]["port"])
            for one in store.slices.values()
            for entry in one["endpoints"]
        ]
        assert sorted(found) == sorted((f"u{n}", ready, port) for n, ready, port in step)
        assert all(len(one["endpoints"]) <= limit for one in store.slices.values())
        empty = [one for one in store.slices.values() if not one["endpoints"]]
        assert len(empty) == (0 if pods else 1)
        assert store.sync(service(), pods).count == 0, "a second pass has nothing to do"
