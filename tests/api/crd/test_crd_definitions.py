"""CustomResourceDefinitions: what Kubernetes refuses in them, field by field."""

import copy
from typing import Any

import crd_schemas as schemas
import pytest

from cluster.api.crd import definition, names, structure
from cluster.api.defaults.apiextensions import definition as defaulted
from cluster.api.strategies.apiextensions import BY_RESOURCE

STRATEGY = BY_RESOURCE["customresourcedefinitions.apiextensions.k8s.io"]


def made(**spec: Any) -> Any:
    obj: Any = {
        "metadata": {"name": "certificates.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "certificates", "kind": "Certificate"},
            "versions": [
                {
                    "name": "v1", "served": True, "storage": True,
                    "schema": {"openAPIV3Schema": copy.deepcopy(schemas.CERTIFICATE)},
                }
            ],
            **spec,
        },
    }  # fmt: skip
    defaulted(obj)
    assert STRATEGY.on_create is not None
    STRATEGY.on_create(obj)
    return obj


def with_version(**said: Any) -> Any:
    obj = made()
    obj["spec"]["versions"][0].update(said)
    return obj


def test_a_realistic_definition_is_good_and_gets_its_defaults() -> None:
    obj = made()
    assert definition.of_new(obj) == []
    assert obj["spec"]["names"]["listKind"] == "CertificateList"
    assert obj["spec"]["names"]["singular"] == "certificate"
    assert obj["status"] == {"storedVersions": ["v1"]}


TOP = "spec.validation.openAPIV3Schema"
SPEC = f"{TOP}.properties[spec]"


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({}, "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"),
        ({"properties": {}}, f"{TOP}.type: Required value: must not be empty at the root"),
        ({"type": "string"}, f'{TOP}.type: Invalid value: "string": must be object at the root'),
        ({"type": "object", "properties": {"spec": {}}},
         f"{SPEC}.type: Required value: must not be empty for specified object fields"),
        ({"type": "object", "properties": {"spec": {"type": "array"}}},
         f"{SPEC}.items: Required value: must be specified"),
        ({"type": "object", "properties": {"spec": {"type": "array", "items": {}}}},
         f"{SPEC}.items.type: Required value: must not be empty for specified array items"),
        ({"type": "object", "properties": {"spec": {"type": "float"}}},
         f'{SPEC}.type: Unsupported value: "float": supported values: "array", "boolean", '
         '"integer", "number", "object", "string"'),
        ({"type": "object", "properties": {"metadata": {"type": "object", "properties": {
            "labels": {"type": "object"}}}}},
         f"{TOP}.properties[metadata]: Forbidden: must not specify anything other than name and "
         "generateName, but metadata is implicitly specified"),
        ({"type": "object", "properties": {"spec": {"type": "object", "anyOf": [
            {"type": "object"}]}}},
         f"{SPEC}.anyOf[0].type: Forbidden: must be empty to be structural"),
        ({"type": "object", "properties": {"spec": {"type": "object", "anyOf": [
            {"properties": {"a": {"minimum": 1}}}]}}},
         f"{SPEC}.properties[a]: Required value: because it is defined in "
         f"{SPEC}.anyOf[0].properties[a]"),
        ({"type": "object", "properties": {"spec": {"type": "string", "pattern": "["}}},
         f'{SPEC}.pattern: Invalid value: "[": must be a valid regular expression, but isn\'t: '
         "error parsing regexp: missing closing ]: `[`"),
        ({"type": "object", "properties": {"spec": {
            "type": "array", "items": {"type": "string"}, "uniqueItems": True}}},
         f"{SPEC}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime "
         "complexity becomes quadratic"),
        ({"type": "object", "properties": {"spec": {"type": "object", "$ref": "#/x"}}},
         f"{SPEC}.$ref: Forbidden: $ref is not supported"),
        ({"type": "object", "properties": {"spec": {"type": "integer", "default": "x"}}},
         f'{SPEC}.default: Invalid value: "string":  in body must be of type integer: "string"'),
        ({"type": "object", "properties": {"spec": {
            "type": "object", "default": {"b": 1}, "properties": {"a": {"type": "string"}}}}},
         f'{SPEC}.default: Invalid value: {{"b":1}}: must not have unknown fields'),
        ({"type": "object", "properties": {"kind": {"type": "string", "default": "x"}}},
         f"{TOP}.properties[kind].default: Forbidden: must not be set in top-level kind"),
        ({"type": "object", "properties": {"spec": {"type": "object",
            "x-kubernetes-preserve-unknown-fields": False}}},
         f"{SPEC}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or "
         "undefined"),
        ({"type": "object", "properties": {"spec": {"type": "array", "items": {"type": "object"},
            "x-kubernetes-list-type": "map"}}},
         f"{SPEC}.x-kubernetes-list-map-keys: Required value: must not be empty if "
         "x-kubernetes-list-type is map"),
        ({"type": "object", "properties": {"spec": {"type": "array", "x-kubernetes-list-type":
            "map", "x-kubernetes-list-map-keys": ["n"], "items": {"type": "object",
            "properties": {"n": {"type": "string"}}}}}},
         f"{SPEC}.items.properties[n].default: Required value: this property is in "
         "x-kubernetes-list-map-keys, so it must have a default or be a required property"),
        ({"type": "object", "properties": {"spec": {"type": "object", "additionalProperties":
            {"type": "string"}, "properties": {"a": {"type": "string"}}}}},
         f"{SPEC}.additionalProperties: Forbidden: additionalProperties and properties are mutual "
         "exclusive"),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_good_is_refused(schema: Any, wanted: str) -> None:
    obj = with_version(schema={"openAPIV3Schema": schema})
    assert wanted in schemas.told(definition.of_new(obj))


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"group": "example"},
         'spec.group: Invalid value: "example": should be a domain with at least one dot'),
        ({"scope": "Galaxy"},
         'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'),
        ({"preserveUnknownFields": True},
         "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
         "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"),
        ({"names": {"plural": "others", "kind": "Other"}},
         'metadata.name: Invalid value: "certificates.example.com": must be '
         'spec.names.plural+"."+spec.group'),
        ({"names": {"plural": "certificates", "kind": "Same", "listKind": "Same"}},
         'spec.names.listKind: Invalid value: "Same": kind and listKind may not be the same'),
        ({"conversion": {"strategy": "Magic"}},
         'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", '
         '"Webhook"'),
        ({"conversion": {"strategy": "Webhook"}},
         "spec.conversion.webhookClientConfig: Required value: required when strategy is set to "
         "Webhook"),
        ({"conversion": {"strategy": "Webhook", "webhook": {
            "clientConfig": {"url": "http://a"}, "conversionReviewVersions": ["v1"]}}},
         'spec.conversion.webhookClientConfig.url: Invalid value: "http": \'https\' is the only '
         "allowed URL scheme; desired format: https://host[/path]"),
        ({"conversion": {"strategy": "Webhook", "webhook": {
            "clientConfig": {"url": "https://a"}, "conversionReviewVersions": ["v7"]}}},
         'spec.conversion.conversionReviewVersions: Invalid value: ["v7"]: must include at least '
         "one of v1, v1beta1"),
    ],
)  # fmt: skip
def test_a_definition_that_is_not_good_is_refused(spec: Any, wanted: str) -> None:
    assert wanted in schemas.told(definition.of_new(made(**spec)))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"storage": False}, "must have exactly one version marked as storage version"),
        ({"name": "V1"}, "spec.versions[0].name: Invalid value"),
        ({"deprecationWarning": "old"},
         'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for '
         "deprecated versions"),
        ({"additionalPrinterColumns": [{"name": "A", "type": "text", "jsonPath": ".x"}]},
         'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of '
         "boolean,date,integer,number,string"),
        ({"additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": "x"}]},
         'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "x": must be a simple json '
         "path starting with ."),
        ({"selectableFields": [{"jsonPath": ".spec.nothing"}]},
         'spec.selectableFields[0].jsonPath: Invalid value: ".spec.nothing": is an invalid path: '
         "does not refer to a valid field"),
        ({"selectableFields": [{"jsonPath": ".spec.issuerRef"}]},
         "must point to a field of type string, boolean or integer."),
        ({"subresources": {"scale": {"specReplicasPath": ".replicas",
                                     "statusReplicasPath": ".status.replicas"}}},
         'spec.subresources.scale.specReplicasPath: Invalid value: ".replicas": should be a json '
         "path under .spec"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_good_is_refused(said: Any, wanted: str) -> None:
    found = schemas.told(definition.of_new(with_version(**said)))
    assert any(wanted in text for text in found), found


def established(obj: Any) -> Any:
    condition = {"type": "Established", "status": "True"}
    obj["status"]["conditions"] = [condition]
    return obj


def test_scope_kind_group_and_plural_stay() -> None:
    old = established(made())
    new = copy.deepcopy(old)
    new["spec"]["scope"] = "Cluster"
    new["spec"]["names"]["kind"] = "Other"
    found = schemas.told(definition.of_update(old, new))
    assert 'spec.scope: Invalid value: "Cluster": field is immutable' in found
    assert 'spec.names.kind: Invalid value: "Other": field is immutable' in found


def test_a_version_that_was_stored_may_not_go_until_it_is_forgotten() -> None:
    old = established(made())
    new = copy.deepcopy(old)
    new["spec"]["versions"][0]["name"] = "v2"
    assert STRATEGY.on_update is not None
    STRATEGY.on_update(old, new)
    assert new["status"]["storedVersions"] == ["v1", "v2"]
    (found,) = definition.of_update(old, new)
    assert found.field == "status.storedVersions[0]"
    assert "missing from spec.versions; v1 was previously a storage version" in found.message


def test_a_schema_that_is_nested_too_deeply_or_not_a_schema_is_refused() -> None:
    deep: Any = {"type": "object"}
    for _ in range(structure.DEPTH_LIMIT + 1):
        deep = {"type": "object", "properties": {"x": deep}}
    for schema, why in (
        (deep, "nested deeper than 100 levels"),
        ({"type": 5}, "json: cannot unmarshal number into Go struct field JSONSchemaProps.type"),
        ({"type": "array", "items": 5}, "cannot unmarshal number into Go value of type"),
    ):
        found = definition.of_new(with_version(schema={"openAPIV3Schema": schema}))
        assert any(why in cause.message for cause in found)


@pytest.mark.parametrize(
    ("text", "state"),
    [("", "Missing"), ("yes", "Invalid"), ("https://github.com/x/pull/1", "Approved"),
     ("unapproved, testing", "Bypassed")],
)  # fmt: skip
def test_the_approval_of_protected_groups_has_four_states(text: str, state: str) -> None:
    annotations = {names.APPROVED_ANNOTATION: text} if text else {}
    assert names.approval(annotations)[0] == state
