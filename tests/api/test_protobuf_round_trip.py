"""Encoding to protobuf and decoding again gives the object; and Google's own protobuf reads it."""

import base64
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import minimal_objects
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich_kinds import RICH

from cluster.api import resources, schema
from cluster.api.protobuf import decoder, encoder, messages, wire

KINDS = sorted(
    {
        (row.api_version, row.kind)
        for row in resources.BUILT_IN
        if messages.named(row.api_version, row.kind) and schema.for_kind(row.api_version, row.kind)
    }
)
WORDS = st.text("ab/ü.-", min_size=1, max_size=5)
LEAVES: dict[str, Any] = {
    "string": WORDS,
    "integer": st.integers(-(2**31), 2**31 - 1).filter(bool),
    "number": st.floats(allow_nan=False, allow_infinity=False).filter(bool),
    "boolean": st.just(True),
    "bytes": st.binary(min_size=1, max_size=6).map(lambda raw: base64.b64encode(raw).decode()),
    "quantity": st.sampled_from(["1", "500m", "3Gi"]),
    "int-or-string": st.one_of(st.integers(1, 70_000), WORDS),
    "time": st.sampled_from(["2026-11-21T02:27:07Z", "1969-12-31T23:59:59Z"]),
    "micro-time": st.sampled_from(["2026-11-21T02:27:07.250000Z", "1969-12-31T23:59:59.999999Z"]),
    "any": st.dictionaries(WORDS, st.integers(), min_size=1, max_size=2),
    "json-object": st.dictionaries(WORDS, WORDS, min_size=1, max_size=2),
}


def _labels(message: str) -> dict[str, tuple[str, str]]:
    """Type and shape of each field of a message by its name, inlined ones with the rest."""
    found = {}
    for label, kind, shape in messages.table()[message].values():
        found |= _labels(kind) if shape == "inline" else {label: (kind, shape)}
    return found


@lru_cache
def _objects(name: str, node: schema.Node, depth: int) -> Any:
    """Objects of a message, as its schema has them; what has no number is left out."""
    if name == "apiextensions.v1.JSONSchemaProps":
        return st.just(SCHEMA)
    known = _labels(name)
    optional = {
        label: _values(known[label][0], field.node, depth)
        for label, field in node.fields.items()
        if label in known and label not in ("apiVersion", "kind")
    }
    return st.fixed_dictionaries({}, optional={k: v for k, v in optional.items() if v is not None})


def _values(kind: str, node: schema.Node, depth: int) -> Any:
    if node.kind in ("list", "map"):
        assert node.element is not None
        inner = _values(kind, node.element, depth)
        if inner is None:
            return None
        if node.kind == "list":
            return st.lists(inner, min_size=1, max_size=2)
        return st.dictionaries(WORDS, inner, min_size=1, max_size=2)
    if node.kind == "struct":
        return None if depth == 0 else _objects(kind, node, depth - 1).filter(bool)
    return st.just({}) if messages.table().get(kind) == {} else LEAVES[node.kind]


SCHEMA: Any = {
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": {"type": "integer", "minimum": 1.5, "maxLength": 3, "default": {"x": [1, None]}},
        "b": {"items": {"type": "string"}, "enum": ["x", 1, {"y": 2}], "nullable": True},
        "c": {"additionalProperties": False, "additionalItems": {"type": "string"}},
        "d": {"additionalProperties": True, "x-kubernetes-preserve-unknown-fields": True},
        "e": {"items": [{"type": "string"}, {"type": "object"}], "$ref": "#/x", "$schema": "y"},
        "f": {"dependencies": {"a": ["b", "c"], "d": {"type": "string"}}},
    },
    "x-kubernetes-validations": [{"rule": "true", "message": "no", "optionalOldSelf": True}],
    "x-kubernetes-list-map-keys": ["a"],
}


def _there_and_back(document: dict[str, Any]) -> dict[str, Any]:
    return decoder.decode(encoder.encode(document))


@pytest.mark.parametrize(("api_version", "kind"), KINDS)
def test_what_is_encoded_is_decoded_again(api_version: str, kind: str) -> None:
    node, name = schema.for_kind(api_version, kind), messages.named(api_version, kind)
    assert node is not None
    assert name is not None

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_objects(name, node, 5))
    def check(document: dict[str, Any]) -> None:
        whole = {"apiVersion": api_version, "kind": kind, **document}
        assert _there_and_back(whole) == whole

    check()


def test_the_schema_of_a_custom_resource_survives_whole() -> None:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    names = {"plural": "cats", "kind": "Cat"}
    document = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"group": "x.io", "names": names, "versions": [version | {"deprecated": True}]},
    }
    assert _there_and_back(document) == document


def test_values_that_are_zero_but_were_meant_survive() -> None:
    spec = {"replicas": 0, "revisionHistoryLimit": 0, "paused": True}
    document = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    assert _there_and_back(document) == document
    klass = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 0}
    assert _there_and_back(klass) == klass
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": {"storageClassName": ""}}
    assert _there_and_back(claim) == claim


def test_lists_are_their_metadata_and_encoded_items() -> None:
    maps = [{"metadata": {"name": name}, "data": {"a": name}} for name in ("x", "y")]
    items = [encoder.body("v1", "ConfigMap", each) for each in maps]
    head = {"resourceVersion": "7", "remainingItemCount": 2}
    listed = encoder.enveloped(
        "v1", "ConfigMapList", encoder.list_body("v1", "ConfigMapList", head, items)
    )
    assert decoder.decode(listed) == {
        "apiVersion": "v1", "kind": "ConfigMapList", "metadata": head, "items": maps,
    }  # fmt: skip


def test_the_events_of_a_watch_stand_in_frames() -> None:
    pod = encoder.encode({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})
    frame = encoder.watch_event("ADDED", pod)
    assert int.from_bytes(frame[:4]) == len(frame) - 4
    event = dict(wire.fields(frame[4:]))
    assert event[1] == b"ADDED"
    assert dict(wire.fields(event[2])) == {1: pod}


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "example.com/v1", "kind": "Cat"},
        {"apiVersion": "v1", "kind": "Pod", "metadata": []},
        {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": "x"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"creationTimestamp": "yesterday"}},
    ],
)
def test_what_fits_no_message_is_told_so(document: dict[str, Any]) -> None:
    with pytest.raises(encoder.Unencodable):
        encoder.encode(document)


def test_a_very_deep_schema_is_told_so() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(1000):
        deep = {"properties": {"a": deep}}
    version = {"name": "v1", "schema": {"openAPIV3Schema": deep}}
    document = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"versions": [version]},
    }
    with pytest.raises(encoder.Unencodable, match="too deeply"):
        encoder.encode(document)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(
        ["metadata", "spec", "containers", "name", "labels", "ports", "containerPort", "status",
         "creationTimestamp", "resources", "limits", "fieldsV1", "managedFields", "targetPort"]
    ), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), VALUES), st.booleans())
def test_no_document_raises_anything_else(document: dict[str, Any], pod: bool) -> None:
    whole = {"apiVersion": "v1", "kind": "Pod" if pod else "Service", **document}
    try:
        encoder.encode(whole)
    except encoder.Unencodable:
        return


SOURCE = os.environ.get("KUBERNETES_SOURCE", "")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python modules that protoc makes of Kubernetes' own definitions."""
    if not SOURCE:
        pytest.skip("KUBERNETES_SOURCE names no tree of Kubernetes' source to compare with")
    staging = Path(SOURCE) / "staging/src"
    out = tmp_path_factory.mktemp("protoc")
    protos = out / "protos"
    for path in staging.glob("k8s.io/ap*/**/generated.proto"):
        text = re.sub(r'import "(?:[^"]*/)?(k8s\.io/)', r'import "\1', path.read_text())
        target = protos / path.relative_to(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    wanted = [
        f"k8s.io/api/{each}/generated.proto"
        for each in ("core/v1", "apps/v1", "batch/v1", "rbac/v1", "storage/v1", "networking/v1")
    ]
    command = ["-I", str(protos), f"--python_out={out}", *wanted]
    needed = [str(p.relative_to(protos)) for p in protos.rglob("generated.proto")
              if "apimachinery" in str(p)]  # fmt: skip
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *command, *needed], check=True)
    return out


OLD = ("core", "apps", "rbac", "storage", "networking")


@pytest.mark.parametrize(
    "resource", ["pods", "services", "deployments.apps", "statefulsets.apps", "secrets",
                 "roles.rbac.authorization.k8s.io", "nodes", "configmaps"],
)  # fmt: skip
def test_googles_protobuf_reads_the_same(generated: Path, resource: str) -> None:
    row = next(row for row in resources.BUILT_IN if row.id == resource)
    document = minimal_objects.of(row) | RICH.get(resource, {})
    document |= {"apiVersion": row.api_version, "kind": row.kind}
    name = messages.named(row.api_version, row.kind)
    assert name is not None
    package = name.partition(".")[0]
    code = (
        f"import sys, importlib; sys.path.insert(0, {str(generated)!r});"
        f"m = importlib.import_module('k8s.io.api.{package}.v1.generated_pb2');"
        f"o = m.{row.kind}(); o.ParseFromString(sys.stdin.buffer.read());"
        "sys.stdout.buffer.write(o.SerializeToString())"
    )
    body = encoder.body(row.api_version, row.kind, document)
    again = subprocess.run(
        [sys.executable, "-c", code], input=body, capture_output=True, check=False
    )
    assert again.returncode == 0, again.stderr.decode()
    whole = encoder.enveloped(row.api_version, row.kind, again.stdout)
    assert decoder.decode(whole) == decoder.decode(encoder.encode(document))
