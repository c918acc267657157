"""What expressions of admission may name: object, oldObject, request, params, authorizer…

Source: k8s.io/apiserver pkg/admission/plugin/cel/compile.go and composition.go.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from cluster.api import cel
from cluster.api.cel import authorization, mutation, types
from cluster.api.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Type


def _object(name: str, fields: Mapping[str, Type]) -> Type:
    """An object whose fields are not escaped: `request.namespace`."""
    return types.object_of(name, {key: types.Field(kind, key) for key, kind in fields.items()})


_TEXTS: Final = types.list_of(STRING)
_LABELS: Final = types.map_of(STRING, STRING)
_KIND: Final = _object(
    "kubernetes.GroupVersionKind", {"group": STRING, "version": STRING, "kind": STRING}
)
_RESOURCE: Final = _object(
    "kubernetes.GroupVersionResource", {"group": STRING, "version": STRING, "resource": STRING}
)
_USER: Final = _object(
    "kubernetes.UserInfo",
    {"username": STRING, "uid": STRING, "groups": _TEXTS, "extra": types.map_of(STRING, _TEXTS)},
)
REQUEST: Final = _object(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND, "resource": _RESOURCE, "subResource": STRING, "requestKind": _KIND,
        "requestResource": _RESOURCE, "requestSubResource": STRING, "name": STRING,
        "namespace": STRING, "operation": STRING, "userInfo": _USER, "dryRun": BOOL,
        "options": DYN,
    },
)  # fmt: skip
"""`request`: an AdmissionRequest without uid, object and oldObject."""
_CONDITION: Final = _object(
    "kubernetes.NamespaceCondition",
    {
        "status": STRING, "type": STRING, "lastTransitionTime": TIMESTAMP, "message": STRING,
        "reason": STRING,
    },
)  # fmt: skip
NAMESPACE: Final = _object(
    "kubernetes.Namespace",
    {
        "metadata": _object(
            "kubernetes.NamespaceMetadata",
            {
                "name": STRING, "generateName": STRING, "namespace": STRING, "labels": _LABELS,
                "annotations": _LABELS, "UID": STRING, "creationTimestamp": TIMESTAMP,
                "deletionGracePeriodSeconds": INT, "deletionTimestamp": TIMESTAMP,
                "generation": INT, "resourceVersion": STRING, "finalizers": _TEXTS,
            },
        ),
        "spec": _object("kubernetes.NamespaceSpec", {"finalizers": _TEXTS}),
        "status": _object(
            "kubernetes.NamespaceStatus",
            {"conditions": types.list_of(_CONDITION), "phase": STRING},
        ),
    },
)  # fmt: skip
"""`namespaceObject`: a Namespace without managedFields, ownerReferences and the like."""


@cache
def environment(
    *, params: bool = False, authorizer: bool = True, patches: bool = False
) -> cel.Environment:
    """What an expression may name that has no variables of its policy.

    `params`: the policy has a paramKind. `patches`: it constructs objects and JSON patches.
    """
    return typed(DYN, DYN if params else None, authorizer=authorizer, patches=patches)


def typed(
    of_object: Type, of_params: Type | None, *, authorizer: bool = True, patches: bool = False
) -> cel.Environment:
    """An environment in which the object, and the parameters if there are, are of known types."""
    names: dict[str, Type] = {
        "object": of_object, "oldObject": of_object, "namespaceObject": NAMESPACE,
        "request": REQUEST,
    }  # fmt: skip
    if of_params is not None:
        names["params"] = of_params
    if authorizer:
        names["authorizer"] = authorization.AUTHORIZER
        names["authorizer.requestResource"] = authorization.RESOURCE_CHECK
    return cel.Environment(names, mutation.objects if patches else None)


def with_variables(base: cel.Environment, variables: Mapping[str, Type]) -> cel.Environment:
    """An environment with what the policy's variables are, as `variables.name`."""
    fields = {name: types.Field(kind, name) for name, kind in variables.items()}
    return base.extended({"variables": types.object_of("kubernetes.variables", fields)})
