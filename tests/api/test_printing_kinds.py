from typing import Any

import pytest

from cluster.api import printing, resources

TABLE = resources.built_in()
NOW = 1000.0
META = {"name": "x", "creationTimestamp": "1970-01-01T00:15:00Z"}
TEMPLATE = {
    "spec": {"containers": [{"name": "a", "image": "A"}, {"name": "b", "image": "B"}]},
}
SELECTOR = {
    "matchLabels": {"app": "x"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "env", "operator": "NotIn", "values": ["dev"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "new", "operator": "Exists"},
    ],
}
SELECTED = "app=x,env notin (dev),new,!old,tier in (a,b)"


def _row(resource: str, obj: dict[str, Any]) -> list[Any]:
    row = TABLE.get(resource)
    assert row is not None
    printer = printing.of(row)
    cells = printer.cells({"metadata": META} | obj, NOW)
    assert len(cells) == len(printer.columns)
    return cells


@pytest.mark.parametrize("resource", [row.id for row in resources.BUILT_IN])
def test_every_kind_prints_an_object_that_has_nothing(resource: str) -> None:
    assert _row(resource, {"metadata": {}})


@pytest.mark.parametrize(
    ("resource", "obj", "cells"),
    [
        ("deployments.apps",
         {"spec": {"replicas": 3, "template": TEMPLATE, "selector": SELECTOR},
          "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}},
         ["x", "2/3", 3, 1, "100s", "a,b", "A,B", SELECTED]),
        ("replicasets.apps",
         {"spec": {"replicas": 2, "template": TEMPLATE, "selector": {}},
          "status": {"replicas": 2, "readyReplicas": 1}},
         ["x", 2, 2, 1, "100s", "a,b", "A,B", "<none>"]),
        ("namespaces", {"status": {"phase": "Active"}}, ["x", "Active", "100s"]),
        ("configmaps", {"data": {"a": "", "b": ""}, "binaryData": {"c": ""}}, ["x", 3, "100s"]),
        ("secrets", {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, "100s"]),
        ("serviceaccounts", {"secrets": [{}]}, ["x", 1, "100s"]),
        ("leases.coordination.k8s.io", {"spec": {"holderIdentity": "me"}}, ["x", "me", "100s"]),
        ("priorityclasses.scheduling.k8s.io",
         {"value": 7, "globalDefault": True, "preemptionPolicy": "Never"},
         ["x", 7, True, "100s", "Never"]),
        ("endpointslices.discovery.k8s.io",
         {"addressType": "IPv4", "ports": [{"port": 80}, {}],
          "endpoints": [{"addresses": ["1"]}, {"addresses": ["2", "3"]}, {"addresses": ["4"]}]},
         ["x", "IPv4", "80,*", "1,2,3 + 1 more...", "100s"]),
        ("endpointslices.discovery.k8s.io", {"addressType": "IPv4"},
         ["x", "IPv4", "<unset>", "<unset>", "100s"]),
    ],
)  # fmt: skip
def test_rows(resource: str, obj: dict[str, Any], cells: list[Any]) -> None:
    assert _row(resource, obj) == cells


@pytest.mark.parametrize(
    ("spec", "status", "external"),
    [
        ({"type": "ClusterIP"}, {}, "<none>"),
        ({"type": "NodePort", "externalIPs": ["9.9.9.9"]}, {}, "9.9.9.9"),
        ({"type": "LoadBalancer"}, {}, "<pending>"),
        ({"type": "LoadBalancer", "externalIPs": ["9.9.9.9"]},
         {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "1.example"}]}},
         "1.example,2.2.2.2,9.9.9.9"),
        ({"type": "ExternalName", "externalName": "db.example"}, {}, "db.example"),
        ({"type": "Other"}, {}, "<unknown>"),
    ],
)  # fmt: skip
def test_external_addresses_of_services(
    spec: dict[str, Any], status: dict[str, Any], external: str
) -> None:
    assert _row("services", {"spec": spec, "status": status})[3] == external


def test_ports_of_services_show_node_ports() -> None:
    ports = [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}]
    spec = {"ports": ports, "clusterIPs": ["10.0.0.1"], "selector": {"b": "2", "a": "1"}}
    row = _row("services", {"spec": spec})
    assert (row[2], row[4], row[6]) == ("10.0.0.1", "80/TCP,53:30053/UDP", "a=1,b=2")


def test_nodes_show_state_and_roles() -> None:
    node = {
        "metadata": META | {"labels": {
            "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "",
            "kubernetes.io/role": "edge", "node-role.kubernetes.io/": "",
        }},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.2"}],
            "nodeInfo": {"kubeletVersion": "v1.37.0", "kernelVersion": "6.1"},
        },
    }  # fmt: skip
    assert _row("nodes", node) == [
        "x", "Ready,SchedulingDisabled", "control-plane,edge,worker", "100s", "v1.37.0",
        "10.0.0.2", "<none>", "<unknown>", "6.1", "<unknown>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "state"),
    [([], "Unknown"), ([{"type": "Ready", "status": "Unknown"}], "NotReady")],
)
def test_nodes_that_are_not_ready(conditions: list[dict[str, Any]], state: str) -> None:
    assert _row("nodes", {"status": {"conditions": conditions}})[1] == state


def test_events_of_both_generations() -> None:
    old = {
        "firstTimestamp": "1970-01-01T00:10:00Z", "lastTimestamp": "1970-01-01T00:16:00Z",
        "count": 4, "type": "Normal", "reason": "Pulled", "message": " done\n",
        "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{c}"},
        "source": {"component": "kubelet", "host": "n1"},
    }  # fmt: skip
    assert _row("events", old) == [
        "40s", "Normal", "Pulled", "pod/web", "spec.containers{c}", "kubelet, n1", "done",
        "6m40s", 4, "x",
    ]  # fmt: skip
    new = {
        "eventTime": "1970-01-01T00:10:00.000000Z", "reportingComponent": "scheduler",
        "series": {"count": 9, "lastObservedTime": "1970-01-01T00:16:30.000000Z"},
    }  # fmt: skip
    row = _row("events", new)
    assert (row[0], row[5], row[7], row[8]) == ("10s", "scheduler", "6m40s", 9)
