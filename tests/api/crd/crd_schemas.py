"""Schemas that the tests of custom resources share, and short ways to use one."""

from typing import Any

from cluster.api import errors, walker
from cluster.api.crd.version import Version
from cluster.api.objects import Object

CERTIFICATE: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["secretName", "issuerRef"],
            "properties": {
                "secretName": {"type": "string", "minLength": 1, "maxLength": 20},
                "replicas": {
                    "type": "integer", "format": "int32", "minimum": 1, "maximum": 10, "default": 1,
                },
                "duration": {"type": "string", "format": "duration"},
                "dnsNames": {
                    "type": "array", "maxItems": 3, "x-kubernetes-list-type": "set",
                    "items": {"type": "string", "pattern": "^[a-z.]+$"},
                },
                "issuerRef": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "kind": {
                            "type": "string", "enum": ["Issuer", "ClusterIssuer"],
                            "default": "Issuer",
                        },
                    },
                },
                "usages": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "weight": {"type": "number", "multipleOf": 5},
                        },
                    },
                },
                "port": {"x-kubernetes-int-or-string": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "values": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "template": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "x-kubernetes-preserve-unknown-fields": True,
                },
                "note": {"type": "string", "nullable": True},
                "either": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                },
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}  # fmt: skip


def version(schema: dict[str, Any], **said: Any) -> Version:
    """A version with this schema."""
    body = {"name": "v1", "schema": {"openAPIV3Schema": schema}, **said}
    return Version("example.com/v1", "Certificate", body, webhook=False)


def of_spec(spec: Any) -> Object:
    """A custom object."""
    return {
        "apiVersion": "example.com/v1",
        "kind": "Certificate",
        "metadata": {"name": "web"},
        "spec": spec,
    }


def field(schema: dict[str, Any]) -> Version:
    """A version whose spec.x has this schema."""
    return version(
        {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"x": schema}}},
        }
    )


def told(found: list[errors.Cause]) -> list[str]:
    """Causes as messages show them."""
    return [f"{cause.field}: {cause.message}" for cause in found]


def decoded(rules: Version, obj: Object) -> tuple[Object, list[str]]:
    """The pruned and defaulted object, and what was dropped."""
    unknown = walker.Unknown()
    result = rules.decoded(obj, unknown)
    rules.default(result)
    return result, unknown.paths
