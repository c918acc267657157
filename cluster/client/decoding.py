"""Objects as informers want them: without managedFields, which are half of most and read by none.

What is skipped while text is read costs a fifth of what is decoded and let go. What pods have in
common is decoded once, and shared (`sharing`): there are more of them than of all else.
"""

from typing import Any, Final, TypedDict

import msgspec

from cluster.api.objects import Object
from cluster.client.sharing import Sharing

_METADATA: Final = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
    "annotations", "ownerReferences", "finalizers", "selfLink", "clusterName",
)  # fmt: skip
"""All fields of ObjectMeta but managedFields."""
_KINDS: Final = {
    "v1": (
        "Pod", "Node", "Service", "Namespace", "PersistentVolume", "PersistentVolumeClaim",
        "ReplicationController", "ResourceQuota",
    ),
    "apps/v1": ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"),
    "batch/v1": ("Job", "CronJob"),
    "coordination.k8s.io/v1": ("Lease",),
    "policy/v1": ("PodDisruptionBudget",),
}  # fmt: skip
"""Kinds whose objects have a spec and a status, and nothing else."""


_POD: Final = b'{"apiVersion":"v1","kind":"Pod"'
_SHARED: Final = (
    "generateName", "namespace", "creationTimestamp", "labels", "annotations", "ownerReferences",
)  # fmt: skip
"""Metadata that other pods have, too."""


def _heads() -> frozenset[bytes]:
    named = ((version, kind) for version, kinds in _KINDS.items() for kind in kinds)
    return frozenset(f'{{"apiVersion":"{v}","kind":"{k}"'.encode() for v, k in named)


_HEADS: Final = _heads()
_Metadata = TypedDict("_Metadata", dict.fromkeys(_METADATA, Any), total=False)  # type: ignore[misc]


class _Object(TypedDict, total=False):
    apiVersion: Any
    kind: Any
    metadata: _Metadata
    spec: Any
    status: Any


_PodMetadata = TypedDict(  # type: ignore[misc]
    "_PodMetadata", dict.fromkeys(_METADATA, Any) | dict.fromkeys(_SHARED, msgspec.Raw), total=False
)


class _Pod(TypedDict, total=False):
    apiVersion: Any
    kind: Any
    metadata: _PodMetadata
    spec: dict[str, msgspec.Raw]
    status: dict[str, msgspec.Raw]


_sharing: Final = Sharing()
_decode_pod: Final = msgspec.json.Decoder(_Pod).decode
_decode_statuses: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_decode: Final = msgspec.json.Decoder().decode
_decode_known: Final = msgspec.json.Decoder(_Object).decode


def lean(json: bytes) -> Object:
    """The object of JSON text as the API server writes it, without its managedFields.

    It is read-only: what is equal in pods may be one value in all of them.
    """
    head = json[: json.find(b',"metadata"')]
    if head == _POD:
        try:
            return _pod(json)
        except msgspec.ValidationError:
            return _decode_known(json)  # type: ignore[return-value]
    if head in _HEADS:
        return _decode_known(json)  # type: ignore[return-value]
    obj: dict[str, Any] = _decode(json)
    metadata = obj.get("metadata")
    if metadata is not None:
        metadata.pop("managedFields", None)
    return obj


def _pod(json: bytes) -> Object:
    """A pod whose parts are shared with others. msgspec.ValidationError where it has no parts."""
    pod: Any = _decode_pod(json)
    metadata, status = pod.get("metadata", {}), pod.get("status", {})
    for name in _SHARED:
        if name in metadata:
            metadata[name] = _sharing.value(metadata[name])
    _sharing.fill(pod.get("spec", {}), {})
    _sharing.fill(status, _OWN)
    return pod  # type: ignore[no-any-return]


def _containers(raw: msgspec.Raw) -> list[Any]:
    """The statuses of containers. msgspec.ValidationError where they are none."""
    made: list[Any] = _decode_statuses(raw)
    for one in made:
        _sharing.fill(one, _OWN_OF_CONTAINERS)
    return made


_OWN_OF_CONTAINERS: Final = {"containerID": _decode}
_OWN: Final = {
    "podIP": _decode, "podIPs": _decode, "containerStatuses": _containers,
    "initContainerStatuses": _containers, "ephemeralContainerStatuses": _containers,
}  # fmt: skip
"""What no two pods have in common, in their status."""
