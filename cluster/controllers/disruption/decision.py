"""The status of a PodDisruptionBudget. Pure: the budget, its pods and their owners' scales in.

Source: pkg/controller/disruption. A pod whose eviction was granted counts as gone at once; if it is
still there two minutes later, nobody is going to delete it any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.api import conditions, objects, timestamps

DELETION_TIMEOUT: Final = 120.0
"""Seconds within which a pod whose eviction was granted is deleted: DeletionTimeout."""
CATCH_UP: Final = 1.0
"""Seconds after which pods that are behind their budget are looked at again."""
ALLOWED: Final = "DisruptionAllowed"


@dataclass(frozen=True, slots=True)
class Found:
    """What scales pods: its uid, and how many it wants."""

    uid: str
    replicas: int


Scales = Mapping[str, Found | None]
"""By the uid of a pod's controller; None where that is not there."""


class Incalculable(Exception):
    """Nobody can say how many pods are expected."""


def needs_scales(budget: objects.Object) -> bool:
    """Whether what the controllers want is to be known: a plain minimum needs only the pods."""
    spec = objects.spec(budget)
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` is the budget's; `unmanaged` are names of pods without a controller, `overdue` those
    of pods that should be gone. `recheck` is in seconds, None where time alone changes nothing.
    """

    status: objects.Object
    unmanaged: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    recheck: float | None = None


def decide(
    budget: objects.Object,
    pods: Sequence[objects.Object],
    scales: Scales,
    now: float,
    *,
    behind: bool = False,
) -> Outcome:
    """The status that the budget should have; `now` is in seconds since the epoch. Incalculable.

    `behind`: the pods are from before the budget's last change, so an eviction may have been
    granted to one that is not among them.
    """
    expected, desired, unmanaged = _expected(objects.spec(budget), pods, scales)
    disrupted, overdue, recheck = _disrupted(budget, pods, now, behind=behind)
    healthy = sum(
        1
        for pod in pods
        if not objects.deleting(pod)
        and objects.name(pod) not in disrupted
        and conditions.is_true(pod, "Ready")
    )
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    generation = objects.meta(budget).get("generation") or 0
    status: objects.Object = {
        "observedGeneration": generation,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    reason = "SufficientPods" if allowed > 0 else "InsufficientPods"
    status["conditions"] = _conditions(budget, reason, "", generation, now)
    return Outcome(status, tuple(unmanaged), tuple(overdue), recheck)


def failed(budget: objects.Object, why: str, now: float) -> objects.Object:
    """The status of a budget that cannot be calculated: nothing may be evicted."""
    seen = objects.status(budget).get("observedGeneration") or 0
    found = _conditions(budget, "SyncFailed", why, seen, now)
    return objects.status(budget) | {"disruptionsAllowed": 0, "conditions": found}


def _conditions(
    budget: objects.Object, reason: str, message: str, generation: int, now: float
) -> list[objects.Object]:
    found = [dict(condition) for condition in objects.status(budget).get("conditions") or ()]
    condition = {
        "type": ALLOWED,
        "status": "True" if reason == "SufficientPods" else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
    }
    conditions.put(found, condition, now)
    return found


def _expected(
    spec: objects.Object, pods: Sequence[objects.Object], scales: Scales
) -> tuple[int, int, list[str]]:
    """How many pods there should be, how many must be healthy, and which nobody controls."""
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is not None:
        total, unmanaged = _scale(pods, scales)
        return total, max(total - _scaled(most, total), 0), unmanaged
    if isinstance(least, str):
        total, unmanaged = _scale(pods, scales)
        return total, _scaled(least, total), unmanaged
    if least is not None:
        return len(pods), int(least), []
    return 0, 0, []


def _scaled(value: int | str, total: int) -> int:
    """A number, or a percentage of the total rounded up."""
    if isinstance(value, int):
        return value
    return -(-int(value.removesuffix("%")) * total // 100)


def _scale(pods: Sequence[objects.Object], scales: Scales) -> tuple[int, list[str]]:
    """The sum of what the pods' controllers want; each counts once."""
    totals: dict[str, int] = {}
    unmanaged: list[str] = []
    for pod in pods:
        owner = objects.controller_of(pod)
        if owner is None:
            unmanaged.append(objects.name(pod))
            continue
        found = scales.get(owner.get("uid") or "")
        if found is None:
            raise Incalculable(f'found no controllers for pod "{objects.name(pod)}"')
        totals[found.uid] = found.replicas
    return sum(totals.values()), unmanaged


def _disrupted(
    budget: objects.Object, pods: Sequence[objects.Object], now: float, *, behind: bool
) -> tuple[dict[str, str], list[str], float | None]:
    """The granted evictions that are still to be carried out."""
    granted = objects.status(budget).get("disruptedPods") or {}
    kept: dict[str, str] = {}
    overdue: list[str] = []
    rechecks: list[float] = []
    by_name = {objects.name(pod): pod for pod in pods} if granted else {}
    for name, when in granted.items():
        pod = by_name.get(name)
        if (pod is None and not behind) or (pod is not None and objects.deleting(pod)):
            continue
        left = timestamps.decode(when) + DELETION_TIMEOUT - now
        if left < 0:
            overdue.append(name)
            continue
        kept[name] = when
        rechecks.append(left if pod is not None else min(left, CATCH_UP))
    return kept, overdue, min(rechecks, default=None)
