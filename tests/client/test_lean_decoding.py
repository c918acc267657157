"""What informers decode: everything but managedFields."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import schema
from cluster.client import decoding
from cluster.client.sharing import Sharing

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
        _object("v1", "Pod", spec={"priority": 0}, status={"containerStatuses": None}),
        _object("v1", "Pod", spec=None, status=None),
        _object(
            "v1",
            "Pod",
            spec={"containers": [{"name": "c", "env": []}], "nodeName": "n", "hostPID": True},
            status={
                "phase": "Running",
                "initContainerStatuses": [],
                "podIP": "10.0.0.1",
                "containerStatuses": [{"name": "c", "containerID": "x", "state": {}, "new": 1}],
                "hostIP": "10.0.0.2",
                "unheardOf": {"a": [1.5, None]},
            },
        ),
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
    assert list(found.get("status") or ()) == list(obj.get("status") or ())
    assert decoding.lean(msgspec.json.encode(managed)) == obj


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


def test_pods_share_what_is_equal_and_nothing_else():
    def pod(number):
        spec = {"containers": [{"name": "c"}], "nodeName": "n"}
        started = {"name": "c", "containerID": f"kubemu://{number}", "state": {"running": {}}}
        status = {"podIPs": [{"ip": f"10.0.0.{number}"}], "containerStatuses": [started]}
        obj = _object("v1", "Pod", spec=spec, status=status)
        obj["metadata"] = {"name": f"p{number}", "labels": {"a": "b"}}
        found = decoding.lean(msgspec.json.encode(obj))
        assert found == obj
        return found

    one, two = pod(1), pod(2)
    assert one["spec"]["containers"] is two["spec"]["containers"]
    assert one["metadata"]["labels"] is two["metadata"]["labels"]
    states = [each["status"]["containerStatuses"][0]["state"] for each in (one, two)]
    assert states[0] is states[1]


def test_what_was_shared_of_late_is_remembered_and_the_rest_forgotten():
    sharing = Sharing(160)

    def value(text):
        return sharing.value(msgspec.Raw(text))

    often = value(b'["kept"]')
    rare = value(b'["rare"]')
    for number in range(100, 300):
        assert value(b"[%d]" % number) == [number]
        assert value(b'["kept"]') is often
    assert value(b'["rare"]') == rare
    assert value(b'["rare"]') is not rare
    assert len(sharing._known) + len(sharing._older) < 80
    long = b'["much longer"]'
    assert value(long) is not value(long)


@given(
    st.lists(
        st.recursive(
            st.none() | st.text() | st.integers(-9, 9),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
)
def test_values_are_those_of_their_texts(values):
    sharing = Sharing(64)
    for one in values + values:
        text = msgspec.json.encode(one)
        assert sharing.value(msgspec.Raw(text)) == one
        fields = {"a": msgspec.Raw(text), "b": msgspec.Raw(b"1")}
        sharing.fill(fields, {"b": bytes})
        assert fields == {"a": one, "b": b"1"}
