"""What the decoder takes, drops, warns of and refuses, in the words of Kubernetes."""

import random
from typing import Any

import pytest

from cluster.api import errors, identity, resources, rules, schema

TABLE = resources.built_in()


def create(name: str, document: Any, validation: Any = "Warn") -> rules.Outcome:
    request = rules.Request(1.7e9, random.Random(1), identity.User("tester"), validation)
    return rules.for_create(TABLE.get(name), document, request)


def deployment(**spec: Any) -> dict[str, Any]:
    base = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "a", "image": "a:1"}]},
        },
    }
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": base | spec}


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "a", "image": "a:1"} | (container or {})]
    meta = {"name": "web", "namespace": "default"}
    return {"metadata": meta, "spec": {"containers": containers} | spec}


HANDLED = 'Deployment in version "v1" cannot be handled as a Deployment: '
POD = 'Pod in version "v1" cannot be handled as a Pod: '
FIELD = "json: cannot unmarshal {} into Go struct field {} of type {}"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            deployment(replicas="3"),
            HANDLED + FIELD.format("string", "DeploymentSpec.spec.replicas", "int32"),
        ),
        (
            deployment(replicas=1.5),
            HANDLED + FIELD.format("number 1.5", "DeploymentSpec.spec.replicas", "int32"),
        ),
        (
            deployment(replicas=2**31),
            HANDLED + FIELD.format("number 2147483648", "DeploymentSpec.spec.replicas", "int32"),
        ),
        (
            deployment(paused="yes"),
            HANDLED + FIELD.format("string", "DeploymentSpec.spec.paused", "bool"),
        ),
        (
            deployment() | {"spec": []},
            HANDLED + FIELD.format("array", "Deployment.spec", "v1.DeploymentSpec"),
        ),
        (
            deployment() | {"metadata": {"labels": {"a": 1}}},
            HANDLED + FIELD.format("number", "ObjectMeta.metadata.labels", "string"),
        ),
        (
            deployment(template={"spec": {"containers": {}}}),
            HANDLED
            + FIELD.format("object", "PodSpec.spec.template.spec.containers", "[]v1.Container"),
        ),
        (
            deployment(template={"spec": {"containers": [{"image": True}]}}),
            HANDLED
            + FIELD.format("bool", "Container.spec.template.spec.containers.image", "string"),
        ),
    ],
)
def test_wrong_types_in_a_deployment(document: Any, message: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        create("deployments.apps", document)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (
            {"resources": {"limits": {"cpu": "1x"}}},
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        ({"resources": {"limits": {"cpu": "1Kim"}}}, "unable to parse quantity's suffix"),
        (
            {"livenessProbe": {"tcpSocket": {"port": True}}},
            "json: cannot unmarshal bool into Go value of type int32",
        ),
    ],
)
def test_wrong_special_values(container: Any, message: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        create("pods", pod(container))
    assert caught.value.message == POD + message


def test_wrong_times_and_bytes() -> None:
    with pytest.raises(errors.BadRequest, match='parsing time "yesterday" as "2006-01-02'):
        create("pods", {"metadata": {"name": "x", "creationTimestamp": "yesterday"}})
    with pytest.raises(errors.BadRequest, match="illegal base64 data at input byte 2"):
        create("secrets", {"metadata": {"name": "x", "namespace": "d"}, "data": {"a": "YQ!="}})


def test_unknown_fields_are_pruned_with_a_warning() -> None:
    outcome = create("pods", pod({"imagee": "x"}, nodeNam="n") | {"extra": 1})
    assert outcome.warnings == (
        'unknown field "spec.containers[0].imagee"',
        'unknown field "spec.nodeNam"',
        'unknown field "extra"',
    )
    assert "extra" not in outcome.object
    assert "nodeNam" not in outcome.object["spec"]


def test_strict_refuses_unknown_fields_and_ignore_says_nothing() -> None:
    with pytest.raises(errors.BadRequest) as caught:
        create("deployments.apps", deployment(replica=1, foo=2), "Strict")
    told = 'strict decoding error: unknown field "spec.replica", unknown field "spec.foo"'
    assert caught.value.message == HANDLED + told
    assert create("deployments.apps", deployment(foo=1), "Ignore").warnings == ()


@pytest.mark.parametrize(
    ("api_version", "kind", "message"),
    [
        (
            "v1",
            "ConfigMap",
            'ConfigMap in version "v1" cannot be handled as a Pod: '
            "converting (v1.ConfigMap) to (core.Pod): unknown conversion",
        ),
        (
            "v1",
            "Foo",
            'Foo in version "v1" cannot be handled as a Pod: no kind "Foo" is registered for '
            'version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
        (
            "apps/v1",
            "Pod",
            'Pod in version "v1" cannot be handled as a Pod: no kind "Pod" is registered for '
            'version "apps/v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
    ],
)
def test_other_kinds(api_version: str, kind: str, message: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        create("pods", pod() | {"apiVersion": api_version, "kind": kind})
    assert caught.value.message == message


@pytest.mark.parametrize("document", [[], None, 1, "x", True])
def test_what_is_no_object(document: Any) -> None:
    with pytest.raises(errors.BadRequest, match="the object provided is unrecognized"):
        create("pods", document)


def test_the_type_is_filled_in_and_stands_first() -> None:
    outcome = create("pods", pod())
    assert list(outcome.object)[:3] == ["apiVersion", "kind", "metadata"]
    assert (outcome.object["apiVersion"], outcome.object["kind"]) == ("v1", "Pod")


def test_null_means_absent() -> None:
    obj = create("pods", pod({"env": None, "args": [None]}, nodeName=None)).object
    assert "nodeName" not in obj["spec"]
    assert "env" not in obj["spec"]["containers"][0]
    assert obj["spec"]["containers"][0]["args"] == [""]


def test_values_are_kept_in_their_canonical_form() -> None:
    limits = {"cpu": "1000m", "memory": "1024Mi", "example.com/x": 3}
    obj = create("pods", pod({"resources": {"limits": limits}})).object
    found = obj["spec"]["containers"][0]["resources"]["limits"]
    assert found == {"cpu": "1", "memory": "1Gi", "example.com/x": "3"}
    lease = {
        "metadata": {"name": "l", "namespace": "d"},
        "spec": {"renewTime": "2020-01-01T02:00:00.5+02:00"},
    }
    stored = create("leases.coordination.k8s.io", lease).object
    assert stored["spec"]["renewTime"] == "2020-01-01T00:00:00.500000Z"


def test_custom_resources_keep_all_their_fields() -> None:
    row = resources.Resource("example.com", "v1", "Widget", "widgets")
    request = rules.Request(1.7e9, random.Random(1), identity.User("x"))
    document = {"metadata": {"name": "w", "namespace": "d", "foo": 1}, "spec": {"any": [{}]}}
    outcome = rules.for_create(row, document, request)
    assert outcome.object["spec"] == {"any": [{}]}
    assert outcome.warnings == ('unknown field "metadata.foo"',)


class TestSchema:
    def test_definitions_have_plain_types_and_restored_formats(self) -> None:
        found = schema.definitions()
        pod = found["io.k8s.api.core.v1.Pod"]["properties"]
        assert pod["kind"]["type"] == "string"
        assert "enum" not in pod["kind"]
        either = found["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
        assert (either["type"], either["format"]) == ("string", "int-or-string")
        assert found["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] == "string"

    def test_a_property_named_like_a_keyword_survives(self) -> None:
        name = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
        assert schema.definitions()[name]["properties"]["$ref"]["type"] == "string"
        node = schema.for_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        for step in ("spec", "versions", "schema", "openAPIV3Schema", "$ref"):
            assert node is not None
            node = (node.element or node).fields[step].node
        assert node is not None
        assert node.kind == "string"

    def test_merge_keys_are_read(self) -> None:
        pod = schema.for_kind("v1", "Pod")
        assert pod is not None
        node = pod.fields["spec"].node
        assert node.fields["containers"].merge_key == "name"
        assert node.fields["volumes"].retain_keys
        assert not node.fields["nodeSelector"].merge

    def test_an_unknown_version_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"1\.25 to 1\.37"):
            schema.definitions("1.5")

    def test_kinds_that_belong_to_every_group_are_no_resources(self) -> None:
        assert schema.for_kind("v1", "DeleteOptions") is None
        assert schema.for_kind("apps/v1", "Deployment") is not None
