"""Refused values: the field, the reason and the words, kind by kind."""

import copy
import random
from typing import Any

import pytest

from cluster.api import errors, identity, resources, rules

TABLE = resources.built_in()


def request() -> rules.Request:
    return rules.Request(1_700_000_000.0, random.Random(1), identity.User("tester"))


def put(document: Any, path: str, value: Any) -> Any:
    """A copy of the document with the value at `a.b.0.c`; `...` takes it away."""
    result = copy.deepcopy(document)
    parent = result
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        parent = parent[step] if isinstance(parent, list) else parent.setdefault(step, {})
    if value is ...:
        del parent[last]
    else:
        parent[last] = value
    return result


def meta(name: str = "web") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}}


CONTAINER = {"name": "a", "image": "a:1"}
POD = meta() | {"spec": {"containers": [CONTAINER]}}
DEPLOYMENT = meta() | {
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]},
    }
}
SERVICE = meta() | {"spec": {"ports": [{"port": 80}]}}
SLICE = meta() | {
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.0.0.1"]}],
    "ports": [{"port": 80}],
}
DOCUMENTS = {
    "configmaps": meta() | {"data": {"a": "b"}},
    "deployments.apps": DEPLOYMENT,
    "endpointslices.discovery.k8s.io": SLICE,
    "events": meta() | {"involvedObject": {"namespace": "default"}},
    "leases.coordination.k8s.io": meta() | {"spec": {}},
    "namespaces": meta(),
    "nodes": meta() | {"spec": {}, "status": {}},
    "pods": POD,
    "priorityclasses.scheduling.k8s.io": meta() | {"value": 5},
    "replicasets.apps": DEPLOYMENT,
    "secrets": meta() | {"data": {}},
    "services": SERVICE,
}

REQUIRED, INVALID, UNKNOWN, TWICE, FORBIDDEN, ABSENT, LONG, MANY = (
    f"FieldValue{name}"
    for name in (
        "Required", "Invalid", "NotSupported", "Duplicate", "Forbidden", "NotFound", "TooLong",
        "TooMany",
    )
)  # fmt: skip
PORTS = "must be between 1 and 65535, inclusive"
ZERO = "must be greater than or equal to 0"
C = "spec/containers/0"
CF = "spec.containers[0]"

# resource, where to put what, the field complained of, reason, a part of the message
NEW = [
    ("pods", "spec/containers", [], "spec.containers", REQUIRED, "Required value"),
    ("pods", f"{C}/name", "", f"{CF}.name", REQUIRED, "Required value"),
    ("pods", f"{C}/name", "A", f"{CF}.name", INVALID, 'Invalid value: "A": a lowercase RFC 1123'),
    ("pods", f"{C}/image", ..., f"{CF}.image", REQUIRED, "Required value"),
    ("pods", f"{C}/image", " a", f"{CF}.image", INVALID, "must not have leading or trailing"),
    (
        "pods", "spec/containers", [CONTAINER, CONTAINER], "spec.containers[1].name", TWICE,
        'Duplicate value: "a"',
    ),
    (
        "pods", "spec/restartPolicy", "Sometimes", "spec.restartPolicy", UNKNOWN,
        'Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ),
    ("pods", "spec/dnsPolicy", "X", "spec.dnsPolicy", UNKNOWN, "ClusterFirstWithHostNet"),
    (
        "pods", f"{C}/imagePullPolicy", "X", f"{CF}.imagePullPolicy", UNKNOWN,
        'supported values: "Always", "IfNotPresent", "Never"',
    ),
    (
        "pods", f"{C}/ports", [{"containerPort": 70000}], f"{CF}.ports[0].containerPort", INVALID,
        f"Invalid value: 70000: {PORTS}",
    ),
    ("pods", f"{C}/ports", [{}], f"{CF}.ports[0].containerPort", REQUIRED, ""),
    (
        "pods", f"{C}/ports", [{"containerPort": 1, "protocol": "X"}], f"{CF}.ports[0].protocol",
        UNKNOWN, 'supported values: "SCTP", "TCP", "UDP"',
    ),
    (
        "pods", f"{C}/ports", [{"containerPort": 1, "name": "a" * 16}], f"{CF}.ports[0].name",
        INVALID, "must be no more than 15",
    ),
    ("pods", f"{C}/env", [{"value": "x"}], f"{CF}.env[0].name", REQUIRED, ""),
    (
        "pods", f"{C}/env", [{"name": "a=b"}], f"{CF}.env[0].name", INVALID,
        "must consist only of printable ASCII characters other than '='",
    ),
    (
        "pods", f"{C}/env", [{"name": "a", "valueFrom": {}}], f"{CF}.env[0].valueFrom", INVALID,
        "must specify one of: `fieldRef`",
    ),
    (
        "pods", f"{C}/env", [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}],
        f"{CF}.env[0].valueFrom.fieldRef.fieldPath", INVALID,
        "error converting fieldPath: field label not supported: spec.x",
    ),
    (
        "pods", f"{C}/volumeMounts", [{"name": "v", "mountPath": "/v"}],
        f"{CF}.volumeMounts[0].name", ABSENT, 'Not found: "v"',
    ),
    (
        "pods", f"{C}/resources", {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
        f"{CF}.resources.requests", INVALID,
        'Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    (
        "pods", f"{C}/resources", {"limits": {"memory": "-1"}}, f"{CF}.resources.limits[memory]",
        INVALID, f'Invalid value: "-1": {ZERO}',
    ),
    (
        "pods", f"{C}/resources", {"limits": {"gpu": "1"}}, f"{CF}.resources.limits", INVALID,
        "must be a standard resource for containers",
    ),
    (
        "pods", f"{C}/livenessProbe", {}, f"{CF}.livenessProbe", REQUIRED,
        "must specify a handler type",
    ),
    (
        "pods", f"{C}/livenessProbe", {"tcpSocket": {"port": 1}, "successThreshold": 2},
        f"{CF}.livenessProbe.successThreshold", INVALID, "Invalid value: 2: must be 1",
    ),
    (
        "pods", f"{C}/lifecycle", {"preStop": {"exec": {}}}, f"{CF}.lifecycle.preStop.exec.command",
        REQUIRED, "",
    ),
    (
        "pods", "spec/initContainers", [CONTAINER], "spec.initContainers[0].name", TWICE, "",
    ),
    (
        "pods", "spec/initContainers", [CONTAINER | {"name": "i", "lifecycle": {}}],
        "spec.initContainers[0].lifecycle", FORBIDDEN, "without restartPolicy=Always",
    ),
    (
        "pods", "spec/volumes", [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}],
        "spec.volumes[0].hostPath", FORBIDDEN, "may not specify more than 1 volume type",
    ),
    ("pods", "spec/volumes", [{"name": "v", "secret": {}}], "spec.volumes[0].secret.secretName",
     REQUIRED, ""),
    ("pods", "spec/volumes", [{"name": "v"}] * 2, "spec.volumes[1].name", TWICE, ""),
    (
        "pods", "spec/terminationGracePeriodSeconds", -1, "spec.terminationGracePeriodSeconds",
        INVALID, ZERO,
    ),
    (
        "pods", "spec/activeDeadlineSeconds", 0, "spec.activeDeadlineSeconds", INVALID,
        "must be between 1 and 2147483647, inclusive",
    ),
    (
        "pods", "spec/tolerations", [{"operator": "Equal"}], "spec.tolerations[0].operator",
        INVALID, "operator must be Exists when `key` is empty",
    ),
    (
        "pods", "spec/tolerations", [{"key": "a", "effect": "X"}], "spec.tolerations[0].effect",
        UNKNOWN, 'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ),
    (
        "pods", "spec/topologySpreadConstraints", [{"topologyKey": "z"}],
        "spec.topologySpreadConstraints[0].maxSkew", INVALID, "must be greater than zero",
    ),
    (
        "pods", "spec/affinity",
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}},
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
        ".nodeSelectorTerms",
        REQUIRED, "must have at least one node selector term",
    ),
    ("pods", "spec/nodeSelector", {"a b": "c"}, "spec.nodeSelector", INVALID, "name part must"),
    (
        "pods", "spec/ephemeralContainers", [CONTAINER], "spec.ephemeralContainers", FORBIDDEN,
        "cannot be set on create",
    ),
    ("deployments.apps", "spec/selector", ..., "spec.selector", REQUIRED, ""),
    (
        "deployments.apps", "spec/selector", ..., "spec.template.metadata.labels", INVALID,
        'Invalid value: {"a":"b"}: `selector` does not match template `labels`',
    ),
    (
        "deployments.apps", "spec/selector/matchExpressions", [{"key": "a", "operator": "Is"}],
        "spec.selector", INVALID, "invalid label selector",
    ),
    ("deployments.apps", "spec/selector", {}, "spec.selector", INVALID, "empty selector"),
    ("deployments.apps", "spec/replicas", -1, "spec.replicas", INVALID, f"-1: {ZERO}"),
    (
        "deployments.apps", "spec/selector/matchLabels", {"x": "y"},
        "spec.template.metadata.labels", INVALID,
        'Invalid value: {"a":"b"}: `selector` does not match template `labels`',
    ),
    (
        "deployments.apps", "spec/strategy", {"type": "X"}, "spec.strategy.type", UNKNOWN,
        'supported values: "Recreate", "RollingUpdate"',
    ),
    (
        "deployments.apps", "spec/strategy", {"type": "Recreate", "rollingUpdate": {}},
        "spec.strategy.rollingUpdate", FORBIDDEN, "when strategy `type` is 'Recreate'",
    ),
    (
        "deployments.apps", "spec/strategy",
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}},
        "spec.strategy.rollingUpdate.maxUnavailable", INVALID, "may not be 0 when `maxSurge` is 0",
    ),
    (
        "deployments.apps", "spec/strategy", {"rollingUpdate": {"maxUnavailable": "101%"}},
        "spec.strategy.rollingUpdate.maxUnavailable", INVALID, "must not be greater than 100%",
    ),
    (
        "deployments.apps", "spec/template/spec/restartPolicy", "Never",
        "spec.template.spec.restartPolicy", UNKNOWN, 'supported values: "Always"',
    ),
    (
        "deployments.apps", "spec/progressDeadlineSeconds", 0, "spec.progressDeadlineSeconds",
        INVALID, "must be greater than minReadySeconds",
    ),
    ("replicasets.apps", "spec/selector", ..., "spec.selector", REQUIRED, ""),
    ("services", "spec/ports", [], "spec.ports", REQUIRED, ""),
    ("services", "spec/ports/0/port", 0, "spec.ports[0].port", INVALID, PORTS),
    ("services", "spec/ports", [{"port": 1}, {"port": 2}], "spec.ports[0].name", REQUIRED, ""),
    (
        "services", "spec/ports/0/nodePort", 30000, "spec.ports[0].nodePort", FORBIDDEN,
        "may not be used when `type` is 'ClusterIP'",
    ),
    ("services", "spec/type", "X", "spec.type", UNKNOWN, '"ClusterIP", "ExternalName"'),
    ("services", "spec/type", "ExternalName", "spec.externalName", REQUIRED, ""),
    ("services", "spec/clusterIP", "x", "spec.clusterIPs[0]", INVALID, "must be a valid IP"),
    ("services", "spec/selector", {"a": "b c"}, "spec.selector", INVALID, "a valid label must"),
    (
        "services", "spec/externalTrafficPolicy", "Local", "spec.externalTrafficPolicy", INVALID,
        "may only be set for externally-accessible services",
    ),
    (
        "services", "spec/trafficDistribution", "Near", "spec.trafficDistribution", UNKNOWN,
        '"PreferClose", "PreferSameNode", "PreferSameZone"',
    ),
    ("configmaps", "data", {"a b": ""}, "data[a b]", INVALID, "a valid config key must consist"),
    ("configmaps", "data", {"..": ""}, "data[..]", INVALID, "must not be '..'"),
    ("configmaps", "data", {"a": "x" * 1048577}, "[]", LONG, "may not be more than 1048576 bytes"),
    ("configmaps", "binaryData", {"a": ""}, "data[a]", INVALID, "duplicate of key present in"),
    ("secrets", "type", "kubernetes.io/tls", "data[tls.crt]", REQUIRED, ""),
    (
        "secrets", "type", "kubernetes.io/service-account-token",
        "metadata.annotations[kubernetes.io/service-account.name]", REQUIRED, "",
    ),
    ("namespaces", "spec/finalizers", ["x"], "spec.finalizers[0]", INVALID, "nor is it fully"),
    (
        "nodes", "spec/taints", [{"key": "a", "effect": "X"}], "spec.taints[0].effect", UNKNOWN, "",
    ),
    (
        "nodes", "spec/taints", [{"key": "a", "effect": "NoExecute"}] * 2, "spec.taints[1]", TWICE,
        "",
    ),
    (
        "nodes", "status/capacity", {"cpu": "-1"}, "status.capacity[cpu]", INVALID, ZERO,
    ),
    (
        "leases.coordination.k8s.io", "spec/leaseDurationSeconds", 0, "spec.leaseDurationSeconds",
        INVALID, "must be greater than 0",
    ),
    (
        "endpointslices.discovery.k8s.io", "addressType", ..., "addressType", REQUIRED, "",
    ),
    (
        "endpointslices.discovery.k8s.io", "addressType", "X", "addressType", UNKNOWN,
        'supported values: "FQDN", "IPv4", "IPv6"',
    ),
    (
        "endpointslices.discovery.k8s.io", "addressType", "IPv6", "endpoints[0].addresses[0]",
        INVALID, "must be an IPv6 address",
    ),
    (
        "endpointslices.discovery.k8s.io", "endpoints", [{}], "endpoints[0].addresses", REQUIRED,
        "must contain at least 1 address",
    ),
    (
        "endpointslices.discovery.k8s.io", "endpoints", [{"addresses": ["10.0.0.1"]}] * 1001,
        "endpoints", MANY, "Too many: 1001: must have at most 1000 items",
    ),
    (
        "events", "involvedObject/namespace", "other", "involvedObject.namespace", INVALID,
        "does not match event.namespace",
    ),
    (
        "priorityclasses.scheduling.k8s.io", "value", 1000000001, "value", FORBIDDEN,
        "maximum allowed value of a user defined priority is 1000000000",
    ),
    (
        "priorityclasses.scheduling.k8s.io", "metadata/name", "system-x", "metadata.name",
        FORBIDDEN, "for system use only. error: system-x is not a known system priority class",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "path", "value", "field", "reason", "message"), NEW)
def test_refused_at_create(
    resource: str, path: str, value: Any, field: str, reason: str, message: str
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        rules.for_create(TABLE.get(resource), put(DOCUMENTS[resource], path, value), request())
    expect(caught.value, field, reason, message)


@pytest.mark.parametrize("resource", DOCUMENTS)
def test_the_plain_documents_are_taken(resource: str) -> None:
    assert rules.for_create(TABLE.get(resource), DOCUMENTS[resource], request()).warnings == ()


def expect(error: errors.Invalid, field: str, reason: str, message: str) -> None:
    found = [(cause["field"], cause["reason"]) for cause in error.details["causes"]]
    assert (field, reason) in found
    texts = [cause["message"] for cause in error.details["causes"] if cause["field"] == field]
    assert any(message in text for text in texts), texts


ONLY = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
TOLERATION = {"key": "a", "operator": "Exists", "effect": "NoExecute"}
OLD = {
    "pods": put(
        put(POD, "spec/activeDeadlineSeconds", 50), "spec/tolerations", [TOLERATION]
    ),
    "configmaps": DOCUMENTS["configmaps"] | {"immutable": True},
    "nodes": meta() | {"spec": {"podCIDR": "10.0.0.0/24"}},
}  # fmt: skip

CHANGED = [
    ("pods", "spec/hostname", "h", "spec", FORBIDDEN, ONLY),
    ("pods", f"{C}/name", "b", "spec", FORBIDDEN, 'spec.containers[0].name: "a" -> "b"'),
    ("pods", "spec/containers", [CONTAINER, CONTAINER | {"name": "b"}], "spec.containers",
     FORBIDDEN, "pod updates may not add or remove containers"),
    ("pods", "spec/activeDeadlineSeconds", 51, "spec.activeDeadlineSeconds", INVALID,
     "must be less than or equal to previous value"),
    ("pods", "spec/activeDeadlineSeconds", ..., "spec.activeDeadlineSeconds", INVALID,
     "must not update from a positive integer to nil value"),
    ("pods", "spec/tolerations", [], "spec.tolerations", FORBIDDEN,
     "existing toleration can not be modified except its tolerationSeconds"),
    ("pods", "spec/schedulingGates", [{"name": "g"}], "spec.schedulingGates[0]", FORBIDDEN,
     "only deletion is allowed, but found new scheduling gate 'g'"),
    ("deployments.apps", "spec/selector/matchLabels/x", "y", "spec.selector", INVALID,
     "field is immutable"),
    ("configmaps", "data", {}, "data", FORBIDDEN, "field is immutable when `immutable` is set"),
    ("configmaps", "immutable", False, "immutable", FORBIDDEN, "immutable"),
    ("secrets", "type", "x/y", "type", INVALID, 'Invalid value: "x/y": field is immutable'),
    ("nodes", "spec/podCIDR", "10.1.0.0/24", "spec.podCIDR", FORBIDDEN,
     'node updates may not change podCIDR except from "" to valid'),
    ("endpointslices.discovery.k8s.io", "addressType", "FQDN", "addressType", INVALID, "immutable"),
    ("priorityclasses.scheduling.k8s.io", "value", 6, "value", FORBIDDEN,
     "may not be changed in an update."),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "path", "value", "field", "reason", "message"), CHANGED)
def test_refused_at_update(
    resource: str, path: str, value: Any, field: str, reason: str, message: str
) -> None:
    row = TABLE.get(resource)
    document = OLD.get(resource, DOCUMENTS[resource])
    old = rules.for_create(row, document, request()).object
    with pytest.raises(errors.Invalid) as caught:
        rules.for_update(row, old, put(document, path, value), request())
    expect(caught.value, field, reason, message)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{C}/image", "a:2"),
        ("spec/activeDeadlineSeconds", 40),
        ("spec/tolerations", [TOLERATION | {"tolerationSeconds": 5}, {"operator": "Exists"}]),
        ("metadata/labels", {"x": "y"}),
    ],
)
def test_what_may_change_in_a_pod(path: str, value: Any) -> None:
    row = TABLE.get("pods")
    old = rules.for_create(row, OLD["pods"], request()).object
    new = rules.for_update(row, old, put(old, path, value), request()).object
    assert new != old


def test_a_gated_pod_may_be_opened_and_narrowed() -> None:
    row = TABLE.get("pods")
    gated = put(POD, "spec/schedulingGates", [{"name": "example.com/a"}])
    old = rules.for_create(row, gated, request()).object
    opened = put(put(old, "spec/schedulingGates", []), "spec/nodeSelector", {"a": "b"})
    assert rules.for_update(row, old, opened, request()).object["spec"]["nodeSelector"]


def test_the_message_names_kind_group_and_object() -> None:
    document = put(DEPLOYMENT, "spec/replicas", -1)
    with pytest.raises(errors.Invalid) as caught:
        rules.for_create(TABLE.get("deployments.apps"), document, request())
    error = caught.value
    assert error.message == (
        'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: '
        "must be greater than or equal to 0"
    )
    assert error.details["kind"] == "Deployment"
    assert error.details["group"] == "apps"


def test_several_faults_are_told_together() -> None:
    document = put(put(POD, f"{C}/image", ""), "spec/restartPolicy", "X")
    with pytest.raises(errors.Invalid) as caught:
        rules.for_create(TABLE.get("pods"), document, request())
    assert caught.value.message.startswith('Pod "web" is invalid: [spec.containers[0].image: Req')
    assert len(caught.value.details["causes"]) == 2
