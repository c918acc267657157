"""What a DaemonSet's status says."""

from cluster.api import objects
from cluster.controllers.daemonset.observed import Observed

_ALWAYS = (
    "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady",
)  # fmt: skip
"""Written though they are zero; the other counts are left out then."""


def compute(
    daemon_set: objects.Object, seen: Observed, collisions: int, *, acted: bool
) -> objects.Object:
    """The status at this moment. Of several pods on a node the oldest counts.

    `acted`: what spec asks for was acted upon, so that its generation is observed.
    """
    desired = current = misscheduled = ready = updated = available = 0
    for node, verdict in seen.verdicts.items():
        daemons = seen.pods.get(node)
        if not verdict.run:
            misscheduled += daemons is not None
            continue
        desired += 1
        if daemons is None:
            continue
        current += 1
        first = daemons[0]
        ready += first.ready
        available += first.available
        updated += first.updated
    told = objects.status(daemon_set)
    counts = {
        "currentNumberScheduled": current,
        "numberMisscheduled": misscheduled,
        "desiredNumberScheduled": desired,
        "numberReady": ready,
        "observedGeneration": told.get("observedGeneration") or 0,
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": desired - available,
        "collisionCount": collisions,
    }
    if acted:
        counts["observedGeneration"] = objects.meta(daemon_set).get("generation") or 0
    result = {name: value for name, value in told.items() if name not in counts}
    result.update({name: n for name, n in counts.items() if n or name in _ALWAYS})
    return result


def next_available(seen: Observed) -> float | None:
    """When (wall, seconds) the next pod that is ready becomes available by age; None: none does."""
    times = (one.due for daemons in seen.pods.values() for one in daemons if one.due is not None)
    return min(times, default=None)
