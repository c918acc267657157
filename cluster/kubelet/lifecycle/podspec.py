"""Readings of a pod's spec that several parts of the core need."""

from collections.abc import Mapping, Sequence
from typing import Final

from cluster.api import objects

DEFAULT_GRACE: Final = 30
_FINISHED: Final = ("Succeeded", "Failed")


def containers(pod: objects.Object) -> Sequence[objects.Object]:
    """The app containers."""
    return objects.spec(pod).get("containers") or ()


def init_containers(pod: objects.Object) -> Sequence[objects.Object]:
    """The init containers, in order, sidecars among them."""
    return objects.spec(pod).get("initContainers") or ()


def ephemeral_containers(pod: objects.Object) -> Sequence[objects.Object]:
    """The containers that were put into the running pod."""
    return objects.spec(pod).get("ephemeralContainers") or ()


def every(pod: objects.Object) -> Sequence[objects.Object]:
    """All containers of whatever kind."""
    return (*containers(pod), *init_containers(pod), *ephemeral_containers(pod))


def find(pod: objects.Object, name: str) -> objects.Object | None:
    """The container of a name, whatever its kind."""
    return next((one for one in every(pod) if one["name"] == name), None)


def is_init(pod: objects.Object, name: str) -> bool:
    """Whether a name is an init container's."""
    return any(one["name"] == name for one in init_containers(pod))


def limits(pod: objects.Object, name: str) -> Mapping[str, str]:
    """The limits that a container declares, by resource."""
    container = find(pod, name) or {}
    return (container.get("resources") or {}).get("limits") or {}


def sidecar(container: objects.Object) -> bool:
    """Whether an init container keeps running beside the app (restartPolicy Always)."""
    return bool(container.get("restartPolicy") == "Always")


def trial(container: objects.Object) -> str:
    """Under what a container's failures are counted: another image starts anew, as in Kubernetes,
    where the key of a back-off has the hash of the container's spec.
    """
    return f"{container['name']} {container.get('image') or ''}"


def restart_policy(pod: objects.Object) -> str:
    """Always, OnFailure or Never."""
    return str(objects.spec(pod).get("restartPolicy") or "Always")


def host_network(pod: objects.Object) -> bool:
    """Whether the pod lives on the node's own network."""
    return bool(objects.spec(pod).get("hostNetwork"))


def grace(pod: objects.Object) -> int:
    """Seconds that its containers have to end."""
    asked = objects.meta(pod).get("deletionGracePeriodSeconds")
    if asked is None:
        asked = objects.spec(pod).get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE if asked is None else int(asked)


def finished(pod: objects.Object) -> bool:
    """Whether the API has its phase as Succeeded or Failed: that is for good."""
    return objects.status(pod).get("phase") in _FINISHED


def title(pod: objects.Object) -> str:
    """`name_namespace(uid)`, as the kubelet's messages name a pod."""
    return f"{objects.name(pod)}_{objects.namespace(pod)}({objects.uid(pod)})"
