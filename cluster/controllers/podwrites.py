"""Writes that end pods, or speak for pods whose node is silent."""

from typing import Any

import msgspec

from cluster.api import conditions, objects, timestamps
from cluster.api.operations import STRATEGIC_PATCH, Operation, Verb
from cluster.controllers import podstate

DISRUPTION_TARGET = "DisruptionTarget"

_encode = msgspec.json.Encoder().encode


def not_ready(pod: objects.Object, now: float) -> Operation | None:
    """Set the condition Ready to False; None where it is so, or was never set."""
    ready = conditions.find(pod, "Ready")
    if ready is None or ready.get("status") == "False":
        return None
    condition = {
        "type": "Ready",
        "status": "False",
        "lastTransitionTime": timestamps.encode(now),
    }
    return _status_patch(pod, {"conditions": [condition]})


def disrupted(
    pod: objects.Object, reason: str, message: str, now: float, *, failed: bool = False
) -> Operation | None:
    """Add the condition DisruptionTarget, with phase Failed if `failed`; None where that is so."""
    present = conditions.find(pod, DISRUPTION_TARGET)
    same = present is not None and (present.get("status"), present.get("reason")) == (
        "True",
        reason,
    )
    status: dict[str, Any] = {}
    if not same:
        status["conditions"] = [
            {
                "type": DISRUPTION_TARGET,
                "status": "True",
                "lastTransitionTime": timestamps.encode(now),
                "reason": reason,
                "message": message,
            }
        ]
    if failed and not podstate.is_finished(pod):
        status["phase"] = "Failed"
    return _status_patch(pod, status) if status else None


def spared(pod: objects.Object, now: float) -> Operation:
    """Set the condition DisruptionTarget to False: nobody disrupted the pod after all."""
    condition = {
        "type": DISRUPTION_TARGET,
        "status": "False",
        "lastTransitionTime": timestamps.encode(now),
        "reason": None,
        "message": None,
    }
    return _status_patch(pod, {"conditions": [condition]})


def failed(pod: objects.Object) -> Operation | None:
    """Set the phase to Failed; None where the pod is finished."""
    return None if podstate.is_finished(pod) else _status_patch(pod, {"phase": "Failed"})


def deletion(pod: objects.Object, grace: int | None = None) -> Operation:
    """The deletion of this very pod; `grace` None leaves it its own grace period (seconds)."""
    options: dict[str, Any] = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": {"uid": objects.uid(pod)},
    }
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    return Operation(
        Verb.DELETE,
        "pods",
        objects.namespace(pod),
        objects.name(pod),
        body=_encode(options),
        want_object=False,
    )


def _status_patch(pod: objects.Object, status: dict[str, Any]) -> Operation:
    """A strategic merge patch of the status: conditions merge by their type."""
    return Operation(
        Verb.PATCH,
        "pods",
        objects.namespace(pod),
        objects.name(pod),
        subresource="status",
        body=_encode({"metadata": {"uid": objects.uid(pod)}, "status": status}),
        patch_type=STRATEGIC_PATCH,
        want_object=False,
    )
