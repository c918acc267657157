"""Whatever JSON comes in, the rules answer with an object or a Status below 500."""

import copy
import json
import random
from typing import Any

import minimal_objects
import pytest
import rich_kinds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.api import errors, identity, operations, patching, resources, rules, schema

ROWS = [row for row in resources.built_in() if {"create", "list"} <= set(row.verbs)]
IDS = [row.id for row in ROWS]

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.integers(-2, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from([
        "a", "web", "A b", "10%", "0%", "999%", "100m", "1Gi", "-1", "nginx:latest",
        "metadata.name",
        "None", "10.0.0.1", "::1", "TCP", "Exists", "In", "2020-01-01T00:00:00Z", "1e99999", "",
        "NoExecute", "RollingUpdate", "Recreate", "ClientIP", "ExternalName", "NodePort", "IPv4",
        "kubernetes.io/tls", "YQ==", "Always", "Never", "system-x", "9999-12-31T23:59:59-10:00",
    ]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def shaped(node: schema.Node, draw: Any, depth: int) -> Any:
    """A document that mostly follows the schema, and sometimes does not."""
    if depth == 0 or draw(st.integers(0, 24)) == 0:
        return draw(ANYTHING)
    if node.kind == "struct":
        names = list(node.fields)
        likely = [name for name in names if name in LIKELY]
        chosen = draw(st.lists(st.sampled_from(likely or names), max_size=6, unique=True))
        chosen += draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
        return {name: shaped(node.fields[name].node, draw, depth - 1) for name in chosen}
    if node.kind in ("list", "map"):
        assert node.element is not None
        count = draw(st.integers(0, 2))
        items = [shaped(node.element, draw, depth - 1) for _ in range(count)]
        if node.kind == "list":
            return items
        return {draw(st.sampled_from(["a", "cpu", "x/y", "", "é"])): item for item in items}
    return draw(SCALARS)


LIKELY = {
    "metadata", "spec", "status", "name", "namespace", "labels", "template", "selector",
    "containers", "initContainers", "image", "ports", "env", "resources", "limits", "requests",
    "strategy", "type", "data", "rollingUpdate", "volumes", "volumeMounts", "addressType",
    "endpoints", "addresses", "taints", "tolerations", "clusterIP", "clusterIPs", "involvedObject",
    "port", "readinessProbe", "httpGet", "value", "effect", "key", "operator", "affinity",
    "capacity", "matchLabels", "matchExpressions", "valueFrom", "fieldRef",
}  # fmt: skip


@st.composite
def documents(draw: Any) -> tuple[resources.Resource, Any]:
    row = draw(st.sampled_from(ROWS))
    if draw(st.integers(0, 9)) == 0:
        return row, draw(ANYTHING)
    node = schema.for_kind(row.api_version, row.kind)
    document = shaped(node, draw, 7)
    if isinstance(document, dict) and draw(st.booleans()):
        document["apiVersion"], document["kind"] = row.api_version, row.kind
        document["metadata"] = {"name": "web", "namespace": "default"}
    return row, document


def request(strict: bool = False) -> rules.Request:
    validation: Any = "Strict" if strict else "Warn"
    return rules.Request(1.7e9, random.Random(1), identity.User("tester"), validation)


CALM = settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def acceptable(error: errors.StatusError) -> bool:
    json.dumps(error.status())
    return 400 <= error.code < 500


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


@st.composite
def mutants(draw: Any) -> tuple[resources.Resource, Any]:
    """A rich valid object with a few of its values replaced or taken away."""
    row = draw(st.sampled_from(ROWS))
    document = copy.deepcopy(RICH.get(row.id) or BASES[row.id])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document) or [("spec",)]))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        if isinstance(parent, dict) and draw(st.integers(0, 3)) == 0:
            parent.pop(path[-1], None)
        else:
            parent[path[-1]] = draw(SCALARS if draw(st.booleans()) else ANYTHING)
    return row, document


@CALM
@given(documents() | mutants(), st.booleans())
def test_create_answers_or_refuses(drawn: tuple[resources.Resource, Any], strict: bool) -> None:
    row, document = drawn
    before = copy.deepcopy(document)
    try:
        outcome = rules.for_create(row, document, request(strict))
    except errors.StatusError as error:
        assert acceptable(error), error  # noqa: PT017 - any of these is right
    else:
        stored = outcome.object
        assert list(stored)[:3] == ["apiVersion", "kind", "metadata"]
        again = rules.for_update(row, stored, json.loads(json.dumps(stored)), request())
        assert again.object == stored, "an update that changes nothing changed something"
        assert again.warnings == ()
    assert document == before, "the input was changed"


@CALM
@given(
    documents() | mutants(),
    st.sampled_from(["", "status", "scale", "finalize", "binding", "approval"]),
)
def test_update_answers_or_refuses(drawn: tuple[resources.Resource, Any], subresource: str) -> None:
    row, document = drawn
    old = BASES[row.id]
    before = copy.deepcopy(old)
    try:
        outcome = rules.for_update(row, old, document, request(), subresource)
    except errors.StatusError as error:
        assert acceptable(error), error  # noqa: PT017
    else:
        assert outcome.object["metadata"]["uid"] == old["metadata"]["uid"]
    assert old == before, "the old object was changed"


TYPES = (operations.JSON_PATCH, operations.MERGE_PATCH, operations.STRATEGIC_PATCH)


@CALM
@given(documents() | mutants(), st.sampled_from(TYPES), st.data())
def test_patch_answers_or_refuses(
    drawn: tuple[resources.Resource, Any], patch_type: str, data: st.DataObject
) -> None:
    row, patch = drawn
    old = BASES[row.id]
    before = copy.deepcopy(old)
    if patch_type == operations.JSON_PATCH and data.draw(st.booleans()):
        paths = st.sampled_from(["/spec", "/metadata/labels/a", "", "/x/0/-", "spec", "/spec/~2"])
        steps = st.fixed_dictionaries({
            "op": st.sampled_from(["add", "remove", "test", "replace", "move", "copy", "no", None]),
            "path": paths | st.none(), "value": ANYTHING, "from": paths,
        })  # fmt: skip
        patch = data.draw(st.lists(steps, max_size=3))
    try:
        new = patching.patched(row, old, json.dumps(patch).encode(), patch_type)
        rules.for_update(row, old, new, request())
    except errors.StatusError as error:
        assert acceptable(error), error  # noqa: PT017
    assert old == before, "the old object was changed"


@given(st.binary(max_size=20), st.sampled_from(TYPES))
def test_patch_bytes_answer_or_refuse(body: bytes, patch_type: str) -> None:
    row = resources.built_in().get("pods")
    try:
        patching.patched(row, BASES["pods"], body, patch_type)
    except errors.StatusError as error:
        assert acceptable(error), error  # noqa: PT017


POD_SPEC = {"containers": [{"name": "a", "image": "a:1"}]}
CONTAINER: Any = {
    "name": "a", "image": "a:1", "ports": [{"containerPort": 80, "name": "http", "hostPort": 81}],
    "env": [
        {"name": "X", "value": "y"},
        {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "R", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ],
    "envFrom": [{"secretRef": {"name": "s"}}],
    "resources": {"limits": {"cpu": "1", "example.com/x": "2"}, "requests": {"cpu": "500m"}},
    "livenessProbe": {"httpGet": {"port": "http"}},
    "readinessProbe": {"tcpSocket": {"port": 80}},
    "lifecycle": {"preStop": {"exec": {"command": ["x"]}}},
    "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/b"}],
    "securityContext": {"runAsUser": 1, "privileged": True},
}  # fmt: skip
TERM: Any = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}
RULE: Any = {"key": "a", "operator": "In", "values": ["x"]}
RICH_SPEC: Any = {
    "containers": [CONTAINER],
    "initContainers": [{"name": "i", "image": "i", "restartPolicy": "Always"}],
    "volumes": [
        {"name": "v", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}},
        {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        {"name": "h", "hostPath": {"path": "/x", "type": "File"}},
    ],
    "tolerations": [{"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [RULE]}]
            }
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [TERM],
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": TERM}
            ],
        },
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"a": "b"}},
        }
    ],
    "schedulingGates": [{"name": "example.com/gate"}],
    "dnsConfig": {"nameservers": ["10.0.0.1"]}, "hostAliases": [{"ip": "1.2.3.4"}],
    "activeDeadlineSeconds": 5, "hostname": "h", "nodeSelector": {"a": "b"},
}  # fmt: skip
META: Any = {
    "name": "web", "namespace": "default", "labels": {"a": "b"}, "annotations": {"a/b": "c"},
    "finalizers": ["example.com/x"], "uid": "",
    "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "n", "uid": "u"}],
}  # fmt: skip
TEMPLATED: Any = {
    "metadata": META,
    "spec": {
        "replicas": 2, "minReadySeconds": 1,
        "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [RULE | {"key": "b"}]},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%"}},
        "template": {"metadata": {"labels": {"a": "b", "b": "x"}}, "spec": POD_SPEC},
    },
}  # fmt: skip
RICH: dict[str, Any] = rich_kinds.RICH | {
    "pods": {"metadata": META, "spec": RICH_SPEC},
    "deployments.apps": TEMPLATED,
    "replicasets.apps": {
        "metadata": META,
        "spec": {"selector": TEMPLATED["spec"]["selector"], **TEMPLATED["spec"]},
    },
    "services": {
        "metadata": META,
        "spec": {
            "type": "NodePort", "selector": {"a": "b"}, "clusterIP": "10.0.0.1",
            "ports": [
                {"name": "a", "port": 80, "targetPort": "http", "nodePort": 30000},
                {"name": "b", "port": 81, "appProtocol": "http"},
            ],
            "sessionAffinity": "ClientIP", "externalIPs": ["1.2.3.4"],
        },
    },
    "endpointslices.discovery.k8s.io": {
        "metadata": META, "addressType": "IPv4", "ports": [{"name": "a", "port": 80}],
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "n", "conditions": {"ready": True}}],
    },
    "nodes": {
        "metadata": {"name": "n"},
        "spec": {"podCIDR": "10.0.0.0/24", "taints": [{"key": "a", "effect": "NoSchedule"}]},
        "status": {"capacity": {"cpu": "2"}, "allocatable": {"memory": "1Gi"}},
    },
    "secrets": {"metadata": META, "data": {"a": "YQ=="}, "stringData": {"b": "c"}},
    "configmaps": {"metadata": META, "data": {"a": "b"}, "binaryData": {"c": "YQ=="}},
    "leases.coordination.k8s.io": {
        "metadata": META,
        "spec": {
            "holderIdentity": "x", "leaseDurationSeconds": 5, "renewTime": "2020-01-01T00:00:00Z",
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RICH)
def test_the_rich_objects_are_valid(name: str) -> None:
    row = resources.built_in().get(name)
    outcome = rules.for_create(row, RICH[name], request())
    assert outcome.warnings == (
        () if name != "replicasets.apps" else ('unknown field "spec.strategy"',)
    )


BASES = {row.id: rules.for_create(row, minimal_objects.of(row), request()).object for row in ROWS}


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_every_version_serves_every_built_in(version: str) -> None:
    for row in resources.built_in(version):
        if not {"create", "list"} <= set(row.verbs):
            continue
        wanted = rules.Request(1.7e9, random.Random(1), identity.User("x"), "Strict", version)
        assert rules.for_create(row, minimal_objects.of(row), wanted).object["metadata"]["name"]
