"""What controllers ask about a pod: is it active, ready, available?"""

from cluster.api import objects, timestamps


def is_ready(pod: objects.Object) -> bool:
    """Whether the condition Ready is True."""
    return ready_since(pod) is not None


def ready_since(pod: objects.Object) -> str | None:
    """The time on the wire since which it is ready ("" where none is told), None while not."""
    for found in (pod.get("status") or {}).get("conditions") or ():
        if found.get("type") == "Ready":
            return found.get("lastTransitionTime") or "" if found.get("status") == "True" else None
    return None


def available_at(pod: objects.Object, min_ready: int) -> float | None:
    """The wall time from which on it counts as available, ready for `min_ready` seconds.

    0.0 where it is so whatever the time. None while it is not ready, or nothing tells since when.
    """
    since = ready_since(pod)
    if since is None:
        return None
    if min_ready <= 0:
        return 0.0
    return timestamps.decode(since) + min_ready if since else None


def is_finished(pod: objects.Object) -> bool:
    """Whether the phase is Succeeded or Failed."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_terminating(pod: objects.Object) -> bool:
    """Whether it is being deleted and has not come to its end yet."""
    return objects.deleting(pod) and not is_finished(pod)


def is_active(pod: objects.Object) -> bool:
    """Whether it counts as a replica: neither finished nor being deleted."""
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not finished and not (pod.get("metadata") or {}).get("deletionTimestamp")
