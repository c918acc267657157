"""The pods that a ReplicaSet asks for."""

from typing import Any

import msgspec

from cluster.api import objects
from cluster.api.operations import Operation, Verb
from cluster.controllers import ownership

_encode = msgspec.json.Encoder().encode


def reference(replica_set: objects.Object) -> objects.Object:
    """The ownerReference of its pods."""
    return ownership.reference(replica_set, "apps/v1", "ReplicaSet")


def creation(replica_set: objects.Object) -> Operation:
    """The creation of one pod of the template; the API server completes its name."""
    template = objects.spec(replica_set).get("template") or {}
    own = objects.meta(template)
    metadata: dict[str, Any] = {
        "generateName": f"{objects.name(replica_set)}-",
        "namespace": objects.namespace(replica_set),
        "labels": own.get("labels") or {},
    }
    for name in ("annotations", "finalizers"):
        if own.get(name):
            metadata[name] = own[name]
    metadata["ownerReferences"] = [reference(replica_set)]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }
    return Operation(Verb.CREATE, "pods", objects.namespace(replica_set), body=_encode(pod))
