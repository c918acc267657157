"""Protobuf bodies: each special type, what is dropped, and that nothing else ever escapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import errors
from cluster.api.protobuf import decoder


def varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(version: str, kind: str, message: bytes) -> bytes:
    about = field(1, version) + field(2, kind)
    return decoder.MAGIC + field(1, about) + field(2, message) + field(3, "") + field(4, "")


META = field(1, field(1, "web") + field(2, "") + field(8, b"") + field(11, b"\n\x01a\x12\x01b"))


def test_a_deployment_becomes_the_document_that_kubectl_meant():
    probe = field(1, field(2, field(1, "/") + field(2, field(1, 1) + field(3, "http"))))
    resources = field(2, field(1, "cpu") + field(2, field(1, "250m")))
    container = (
        field(1, "nginx") + field(2, "nginx:1.27") + field(6, field(1, "http") + field(3, 80))
        + field(8, resources) + field(10, probe + field(2, 0) + field(4, 5)) + field(16, 0)
    )  # fmt: skip
    volume = field(1, "tmp") + field(2, field(2, field(1, "Memory")))
    pod = field(1, volume) + field(2, container) + field(4, 0) + field(21, 0)
    template = field(3, field(1, b"") + field(2, pod))
    rolling = field(4, field(2, field(2, field(1, 0) + field(2, 1))))
    spec = field(2, field(1, 0) + template + rolling + field(5, 0))
    message = META + spec + field(3, b"")
    assert decoder.decode(body("apps/v1", "Deployment", message)) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"a": "b"}},
        "spec": {
            "replicas": 0,
            "template": {
                "spec": {
                    "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory"}}],
                    "containers": [
                        {
                            "name": "nginx",
                            "image": "nginx:1.27",
                            "ports": [{"name": "http", "containerPort": 80}],
                            "resources": {"requests": {"cpu": "250m"}},
                            "livenessProbe": {
                                "httpGet": {"path": "/", "port": "http"},
                                "periodSeconds": 5,
                            },
                        }
                    ],
                    "terminationGracePeriodSeconds": 0,
                    "automountServiceAccountToken": False,
                },
            },
            "strategy": {"rollingUpdate": {"maxSurge": 1}},
        },
    }


def test_secrets_are_base64_and_times_are_text():
    message = META + field(2, field(1, "key") + field(2, b"\x00\xff")) + field(3, "Opaque")
    assert decoder.decode(body("v1", "Secret", message))["data"] == {"key": "AP8="}
    lease = field(2, field(4, field(1, 1_795_228_027) + field(2, 250_000_000)))
    spec = decoder.decode(body("coordination.k8s.io/v1", "Lease", lease))["spec"]
    assert spec == {"renewTime": "2026-11-21T02:27:07.250000Z"}


def test_negative_numbers_and_delete_options_of_any_group():
    message = field(1, 0) + field(2, field(1, "u")) + field(4, "Foreground") + field(5, "All")
    assert decoder.decode(body("apps/v1", "DeleteOptions", message)) == {
        "apiVersion": "apps/v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
        "propagationPolicy": "Foreground",
        "dryRun": ["All"],
    }
    klass = decoder.decode(body("scheduling.k8s.io/v1", "PriorityClass", field(2, -5)))
    assert klass["value"] == -5


def test_evictions_of_the_old_version():
    message = field(1, field(1, "p")) + field(2, field(4, "Foreground"))
    assert decoder.decode(body("policy/v1beta1", "Eviction", message)) == {
        "apiVersion": "policy/v1beta1",
        "kind": "Eviction",
        "metadata": {"name": "p"},
        "deleteOptions": {"propagationPolicy": "Foreground"},
    }


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{}", "does not begin"),
        (body("v1", "Nothing", b""), "send it as JSON"),
        (body("v1", "Pod", b"\x0a\x7f"), "ends inside"),
        (body("v1", "Pod", field(1, 7)), "a number stands"),
        (body("v1", "Pod", field(1, field(1, b"\xff"))), "cannot be read"),
    ],
)
def test_a_bad_body_is_a_bad_request_that_says_why(data, says):
    with pytest.raises(errors.BadRequest, match=says):
        decoder.decode(data)


def test_fields_of_unknown_numbers_are_skipped_as_go_skips_them():
    spec = field(2, field(999, "new") + field(10, "here"))
    found = decoder.decode(body("v1", "Pod", field(99, "x") + META + spec))
    assert found["spec"] == {"nodeName": "here"}
    assert found["metadata"]["name"] == "web"


def test_numbers_may_come_packed():
    rule = field(1, "FailIndex") + field(2, field(2, "In") + field(3, b"\x01\x2a"))
    job = field(2, field(11, field(1, rule)))
    policy = decoder.decode(body("batch/v1", "Job", job))["spec"]["podFailurePolicy"]
    assert policy["rules"][0]["onExitCodes"]["values"] == [1, 42]


def test_a_custom_kind_that_is_named_as_a_built_in_one_is_not_taken_for_it():
    with pytest.raises(errors.BadRequest, match="send it as JSON"):
        decoder.decode(body("apps.example.com/v1", "Deployment", META))


@given(st.binary(max_size=60), st.sampled_from(["Pod", "Deployment", "Service", "ConfigMap"]))
def test_no_bytes_raise_anything_else(data, kind):
    version = "apps/v1" if kind == "Deployment" else "v1"
    try:
        document = decoder.decode(body(version, kind, data))
    except errors.BadRequest:
        return
    assert document["kind"] == kind
