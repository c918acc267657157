"""What informers decode: everything but managedFields."""

import msgspec
import pytest

from cluster.api import schema
from cluster.client import decoding

_MANAGED = [{"manager": "m", "operation": "Update", "fieldsV1": {'k:{"a":"}]"}': {".": {}}}}]
_METADATA = {
    "resourceVersion": "7",
    "name": "a",
    "namespace": "b",
    "labels": {"managedFields": "no"},
    "annotations": {"x": '"metadata":{'},
    "ownerReferences": [{"uid": "u"}],
    "finalizers": ["f"],
    "generation": 3,
}


def _object(version, kind, **more):
    return {"apiVersion": version, "kind": kind, "metadata": _METADATA} | more


@pytest.mark.parametrize(
    "obj",
    [
        _object("v1", "Pod", spec={"managedFields": [1]}, status={"phase": "Running"}),
        _object("batch/v1", "Job", spec={"template": {"metadata": {"managedFields": []}}}),
        _object("coordination.k8s.io/v1", "Lease", spec={}),
        _object("v1", "ConfigMap", data={"spec": "x"}),
        _object("example.com/v1", "Pod", anything=[1]),
        _object("rbac.authorization.k8s.io/v1", "Role", rules=[{"verbs": ["get"]}]),
    ],
)
def test_an_object_is_whole_but_for_its_managers(obj):
    managed = obj | {"metadata": obj["metadata"] | {"managedFields": _MANAGED}}
    found = decoding.lean(msgspec.json.encode(managed))
    assert found == obj
    assert list(found) == list(obj)
    assert list(found["metadata"]) == list(obj["metadata"])


def test_what_is_no_object_is_decoded_too():
    assert decoding.lean(b'{"kind":"Status","code":410}') == {"kind": "Status", "code": 410}


def test_every_kind_that_is_known_has_a_spec_and_a_status_alone():
    allowed = {"apiVersion", "kind", "metadata", "spec", "status"}
    for version, kinds in decoding._KINDS.items():
        for kind in kinds:
            node = schema.for_kind(version, kind, schema.NEWEST)
            assert set(node.fields) <= allowed, kind


def test_every_field_of_metadata_is_known():
    node = schema.for_kind("v1", "Pod", schema.NEWEST)
    assert set(node.fields["metadata"].node.fields) <= {*decoding._METADATA, "managedFields"}
