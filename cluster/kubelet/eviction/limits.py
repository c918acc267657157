"""Limits of local storage that pods have themselves: sizeLimit, ephemeral-storage. Pure.

Source: localStorageEviction of pkg/kubelet/eviction/eviction_manager.go. Such a pod goes whatever
the node has left.
"""

from typing import Final

from cluster.api import objects, podrequests, quantity
from cluster.api.objects import Object
from cluster.kubelet.eviction import messages, signals
from cluster.kubelet.eviction.picture import Candidate, PodUse

EMPTY_DIR: Final = "emptydirfs.limit"
POD: Final = "ephemeralpodfs.limit"
CONTAINER: Final = "ephemeralcontainerfs.limit"


def exceeded(candidate: Candidate) -> tuple[str, str] | None:
    """The signal of the limit that a pod exceeds, and what is said of it; None: it keeps to all."""
    pod, use = candidate.pod, candidate.use
    if use is None:
        return None
    return _empty_dirs(pod, use) or _whole(pod, use) or _containers(pod, use)


def limited(pod: Object) -> bool:
    """Whether the pod has any such limit."""
    if any(_size_limit(volume) for volume in objects.spec(pod).get("volumes") or ()):
        return True
    return any(_storage_limit(one) for one in objects.spec(pod).get("containers") or ())


def _empty_dirs(pod: Object, use: PodUse) -> tuple[str, str] | None:
    for volume in objects.spec(pod).get("volumes") or ():
        limit = _size_limit(volume)
        if limit and use.volumes.get(volume["name"], 0) > quantity.value(limit):
            text = messages.of_empty_dir(volume["name"], quantity.canonical(limit))
            return EMPTY_DIR, text
    return None


def _whole(pod: Object, use: PodUse) -> tuple[str, str] | None:
    limit = podrequests.limits_of(pod).get(signals.STORAGE)
    if not limit or use.disk <= limit:
        return None
    return POD, messages.of_pod_storage(quantity.format(limit, binary=True))


def _containers(pod: Object, use: PodUse) -> tuple[str, str] | None:
    for spec in objects.spec(pod).get("containers") or ():
        limit, found = _storage_limit(spec), use.containers.get(spec["name"])
        if limit and found is not None and found.rootfs + found.logs > quantity.value(limit):
            text = messages.of_container_storage(spec["name"], quantity.canonical(limit))
            return CONTAINER, text
    return None


def _size_limit(volume: Object) -> str:
    found = volume.get("emptyDir")
    if not isinstance(found, dict) or found.get("medium") == "Memory":
        return ""  # what is in memory cannot grow beyond its limit
    limit = found.get("sizeLimit")
    return str(limit) if limit is not None and quantity.parse(limit) > 0 else ""


def _storage_limit(spec: Object) -> str:
    limit = ((spec.get("resources") or {}).get("limits") or {}).get(signals.STORAGE)
    return str(limit) if limit is not None and quantity.parse(limit) > 0 else ""
