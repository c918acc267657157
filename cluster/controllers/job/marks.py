"""Conditions of Jobs, with the fields and in the order that Kubernetes gives them."""

from typing import Any, Final

from cluster.api import timestamps

COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
SUSPENDED: Final = "Suspended"
FAILURE_TARGET: Final = "FailureTarget"
SUCCESS_CRITERIA_MET: Final = "SuccessCriteriaMet"

Condition = dict[str, Any]


def new(kind: str, reason: str, message: str, now: float, status: str = "True") -> Condition:
    """A condition that begins at `now` (wall, seconds)."""
    at = timestamps.encode(now)
    return {
        "type": kind,
        "status": status,
        "lastProbeTime": at,
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def ensure(conditions: list[Condition], wanted: Condition) -> bool:
    """Put `wanted` into the list, and say whether that changed anything.

    One that is there as it should be keeps its times. A False one is not added: from nothing to
    False nothing has happened.
    """
    for at, present in enumerate(conditions):
        if present.get("type") != wanted["type"]:
            continue
        if all(present.get(name, "") == wanted[name] for name in ("status", "reason", "message")):
            return False
        conditions[at] = wanted
        return True
    if wanted["status"] == "False":
        return False
    conditions.append(wanted)
    return True
