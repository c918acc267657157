"""What controllers ask about a pod: is it active, ready, available?"""

from cluster.api import objects, timestamps


def condition(pod: objects.Object, kind: str) -> objects.Object | None:
    """The condition of this type in status.conditions, or None."""
    for found in objects.status(pod).get("conditions") or ():
        if found.get("type") == kind:
            return dict(found)
    return None


def is_ready(pod: objects.Object) -> bool:
    """Whether the condition Ready is True."""
    for found in (pod.get("status") or {}).get("conditions") or ():
        if found.get("type") == "Ready":
            return bool(found.get("status") == "True")
    return False


def is_finished(pod: objects.Object) -> bool:
    """Whether the phase is Succeeded or Failed."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_active(pod: objects.Object) -> bool:
    """Whether it counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and not objects.deleting(pod)


def available_from(pod: objects.Object, min_ready_seconds: int) -> float | None:
    """The wall time from which a ready pod counts as available; None while it is not ready."""
    if not is_ready(pod):
        return None
    if min_ready_seconds <= 0:
        return 0.0
    since = (condition(pod, "Ready") or {}).get("lastTransitionTime")
    return timestamps.decode(since) + min_ready_seconds if since else None
