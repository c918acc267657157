"""The taints that tell of a node's conditions.

NoSchedule taints follow the conditions at once; NoExecute taints, which evict, are put on at a
zone's pace. Source: "Taint Nodes by Condition" in the Kubernetes documentation.
"""

from collections.abc import Iterable, Sequence

from cluster.api import objects

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

_BY_CONDITION = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": "node.kubernetes.io/memory-pressure"},
    "DiskPressure": {"True": "node.kubernetes.io/disk-pressure"},
    "NetworkUnavailable": {"True": "node.kubernetes.io/network-unavailable"},
    "PIDPressure": {"True": "node.kubernetes.io/pid-pressure"},
}
_OWN_KEYS = {key: None for by_status in _BY_CONDITION.values() for key in by_status.values()} | {
    UNSCHEDULABLE: None
}

Taints = list[objects.Object]


def current(node: objects.Object) -> Taints:
    """The node's taints."""
    return list(objects.spec(node).get("taints") or ())


def has(node: objects.Object, key: str, effect: str) -> bool:
    """Whether the node has this taint."""
    return any((t.get("key"), t.get("effect")) == (key, effect) for t in current(node))


def scheduling(node: objects.Object, now: str) -> Taints | None:
    """The taints with NoSchedule ones as the conditions say, None where they are so already.

    `now` is the time on the wire.
    """
    wanted: dict[str, None] = {}
    for condition in objects.status(node).get("conditions") or ():
        key = _BY_CONDITION.get(condition.get("type", ""), {}).get(condition.get("status", ""))
        if key is not None:
            wanted[key] = None
    if objects.spec(node).get("unschedulable"):
        wanted[UNSCHEDULABLE] = None
    present = {
        t["key"]: None
        for t in current(node)
        if t.get("effect") == "NoSchedule" and t.get("key") in _OWN_KEYS
    }
    return _swapped(
        node,
        [key for key in wanted if key not in present],
        [key for key in present if key not in wanted],
        "NoSchedule",
        now,
    )


def evicting(node: objects.Object, ready_status: str, now: str) -> Taints | None:
    """The taints with the NoExecute one for this status of Ready: not-ready for False,
    unreachable for Unknown, none for True. None where they are so already.
    """
    wanted = _BY_CONDITION["Ready"].get(ready_status)
    others = [key for key in (NOT_READY, UNREACHABLE) if key != wanted]
    add = [wanted] if wanted is not None and not has(node, wanted, "NoExecute") else []
    drop = [key for key in others if has(node, key, "NoExecute")]
    return _swapped(node, add, drop, "NoExecute", now)


def _swapped(
    node: objects.Object, add: Sequence[str], drop: Iterable[str], effect: str, now: str
) -> Taints | None:
    doomed = list(drop)
    if not add and not doomed:
        return None
    kept = [t for t in current(node) if not (t.get("effect") == effect and t.get("key") in doomed)]
    return kept + [{"key": key, "effect": effect, "timeAdded": now} for key in add]
