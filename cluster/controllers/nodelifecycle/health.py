"""How a node is doing, by what its kubelet posts: the node status and the lease.

The controller trusts its own watch, not the node's clock: what counts is when it last saw either
change. Source: the page "Nodes" of the Kubernetes documentation ("Heartbeats").
"""

import msgspec

from cluster.api import conditions, objects, timestamps

UNKNOWN = "Unknown"
_HEARTBEAT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


class Signs(msgspec.Struct, frozen=True):
    """What was last seen of a node. Times are wall seconds."""

    probed: float
    """When the status or the lease was last seen to change."""
    heartbeat: str | None = None
    """lastHeartbeatTime of Ready; None while the node has no such condition."""
    renewed: str = ""
    """renewTime of the lease."""


class Assessment(msgspec.Struct, frozen=True):
    """The signs to keep, and what follows.

    `observed` is the status of Ready as read (Unknown where there is none), `current` what it is
    after this pass (None: the node never had one and is in its grace period). `conditions` are
    the node's new conditions, None where they stay.
    """

    signs: Signs
    observed: str
    current: str | None
    conditions: list[objects.Object] | None


def assess(
    node: objects.Object,
    lease: objects.Object | None,
    known: Signs | None,
    now: float,
    *,
    grace: float,
    startup_grace: float,
) -> Assessment:
    """Look at a node at `now`. `known` are the signs of the last pass, None for a new node."""
    ready = conditions.find(node, "Ready")
    signs = _signs(node, lease, ready, known, now)
    observed = ready["status"] if ready is not None else UNKNOWN
    current = ready["status"] if ready is not None else None
    if now <= signs.probed + (grace if ready is not None else startup_grace):
        return Assessment(signs, observed, current, None)
    silenced = _silenced(node, now)
    changed = silenced != (objects.status(node).get("conditions") or [])
    return Assessment(signs, observed, UNKNOWN, silenced if changed else None)


def _signs(
    node: objects.Object,
    lease: objects.Object | None,
    ready: objects.Object | None,
    known: Signs | None,
    now: float,
) -> Signs:
    heartbeat = None if ready is None else ready.get("lastHeartbeatTime") or ""
    renewed = (objects.spec(lease).get("renewTime") or "") if lease is not None else ""
    if known is None:
        created = objects.meta(node).get("creationTimestamp")
        since = timestamps.decode(created) if ready is None and created else now
        signs = Signs(since, heartbeat, "")
    elif known.heartbeat != heartbeat:
        signs = Signs(now, heartbeat, known.renewed)
    else:
        signs = known
    if renewed > signs.renewed:
        signs = Signs(now, signs.heartbeat, renewed)
    return signs


def _silenced(node: objects.Object, now: float) -> list[objects.Object]:
    """The conditions with those that the kubelet posts set to Unknown."""
    silenced = [dict(found) for found in objects.status(node).get("conditions") or ()]
    by_type = {found.get("type"): found for found in silenced}
    for kind in _HEARTBEAT_CONDITIONS:
        found = by_type.get(kind)
        if found is None:
            silenced.append(
                {
                    "type": kind,
                    "status": UNKNOWN,
                    "lastHeartbeatTime": objects.meta(node).get("creationTimestamp"),
                    "lastTransitionTime": timestamps.encode(now),
                    "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                }
            )
        elif found.get("status") != UNKNOWN:
            found.update(
                status=UNKNOWN,
                reason="NodeStatusUnknown",
                message="Kubelet stopped posting node status.",
                lastTransitionTime=timestamps.encode(now),
            )
    return silenced
