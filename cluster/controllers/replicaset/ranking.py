"""Which pods to delete first when there are too many.

Source: the ReplicaSet page of the Kubernetes documentation ("Scaling a ReplicaSet") and KEP-2185
(times of similar magnitude count as equal, and the uid decides).
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.api import objects, timestamps
from cluster.controllers import podstate

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_MAX_COST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is compared of a pod. The first field that differs decides; less goes first."""

    plain: tuple[bool, int, bool, int, int]
    ready_since: float
    restarts: tuple[int, int]
    created: float
    uid: str


def deletion_cost(pod: objects.Object) -> int:
    """The annotated cost; 0 where there is none or it is no 32-bit integer."""
    text = objects.annotations(pod).get(DELETION_COST, "")
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits.isascii() or not digits.isdigit() or text.startswith("+"):
        return 0
    if len(digits) > 1 and digits.startswith("0"):
        return 0
    cost = int(text)
    return cost if -_MAX_COST - 1 <= cost <= _MAX_COST else 0


def victims(
    active: Sequence[objects.Object], count: int, per_node: Mapping[str, int], now: float
) -> list[objects.Object]:
    """The `count` pods of `active` to delete, first ones first.

    `per_node` counts the related active pods of each node: a pod among many goes before one alone.
    """
    if count >= len(active):
        return list(active)
    standings = [(_standing(pod, per_node), pod) for pod in active]

    def compare(a: tuple[_Standing, objects.Object], b: tuple[_Standing, objects.Object]) -> int:
        return _compare(a[0], b[0], now)

    standings.sort(key=functools.cmp_to_key(compare))
    return [pod for _, pod in standings[:count]]


def _standing(pod: objects.Object, per_node: Mapping[str, int]) -> _Standing:
    node = objects.spec(pod).get("nodeName") or ""
    status = objects.status(pod)
    since = podstate.ready_since(pod)
    created = objects.meta(pod).get("creationTimestamp")
    return _Standing(
        plain=(
            bool(node),
            _PHASES.get(status.get("phase") or "Pending", 0),
            since is not None,
            deletion_cost(pod),
            -per_node.get(node, 0) if node else 0,
        ),
        ready_since=timestamps.decode(since) if since else 0.0,
        restarts=_restarts(status),
        created=timestamps.decode(created) if created else 0.0,
        uid=objects.uid(pod),
    )


def _restarts(status: objects.Object) -> tuple[int, int]:
    """The most restarts of a regular and of an init container, negative: more goes first."""
    regular = [s.get("restartCount", 0) for s in status.get("containerStatuses") or ()]
    initial = [s.get("restartCount", 0) for s in status.get("initContainerStatuses") or ()]
    return (-max(regular, default=0), -max(initial, default=0))


def _compare(a: _Standing, b: _Standing, now: float) -> int:
    if a.plain != b.plain:
        return -1 if a.plain < b.plain else 1
    if a.plain[2] and a.ready_since != b.ready_since:
        return _by_age(a.ready_since, b.ready_since, a.uid, b.uid, now)
    if a.restarts != b.restarts:
        return -1 if a.restarts < b.restarts else 1
    if a.created != b.created:
        return _by_age(a.created, b.created, a.uid, b.uid, now)
    # Kubernetes leaves the rest to chance; here runs must repeat.
    return -1 if a.uid < b.uid else 1


def _by_age(a: float, b: float, a_uid: str, b_uid: str, now: float) -> int:
    """Younger first, on a logarithmic scale; unset is youngest; equal magnitudes go by uid."""
    if not a or not b:
        return -1 if not a else 1
    difference = _magnitude(now - a) - _magnitude(now - b)
    if difference:
        return -1 if difference < 0 else 1
    return -1 if a_uid < b_uid else 1


def _magnitude(age: float) -> int:
    """The binary logarithm of an age in nanoseconds, rounded down; -1 for none."""
    return int(math.log2(age * 1e9)) if age > 0 else -1
