"""From what metrics call for to the size that is set: stabilization, policies, bounds. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cluster.api.objects import Object
from cluster.controllers.podautoscaler.history import History
from cluster.controllers.podautoscaler.replicas import MOST

FACTOR: Final = 2
LEAST: Final = 4
"""Without a behavior the size doubles at most, or goes to 4, whichever is more."""
_INSTANT: Final = 1e-6
Said = tuple[str, str]
"""The reason and the message of a condition."""

READY: Final[Said] = ("ReadyForNewScale", "recommended size matches current size")
_DOWN: Final[Said] = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent "
    "recommendation",
)
_UP: Final[Said] = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_WITHIN: Final[Said] = (
    "DesiredWithinRange", "the desired count is within the acceptable range",
)  # fmt: skip
_TOO_MANY: Final[Said] = (
    "TooManyReplicas", "the desired replica count is more than the maximum replica count",
)  # fmt: skip
_TOO_FEW: Final[Said] = (
    "TooFewReplicas", "the desired replica count is less than the minimum replica count",
)  # fmt: skip
_UP_LIMIT: Final[Said] = (
    "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate",
)  # fmt: skip
_DOWN_LIMIT: Final[Said] = (
    "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """The present size, the one that metrics call for, and the bounds."""

    current: int
    desired: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Normal:
    """The size to set, what AbleToScale says, and what ScalingLimited says and whether it is."""

    replicas: int
    able: Said
    limit: Said
    limited: bool


def normalized(
    wish: Wish, behavior: Object | None, history: History, now: float, window: float
) -> Normal:
    """The size to set. `history` takes the wish; `window` is the downscale stabilization's default,
    in seconds.
    """
    if behavior is None:
        # Here, and here alone, what is as old as the window counts still.
        stable = history.extreme(max, wish.desired, now, window + _INSTANT)
        history.recommended(wish.desired, now, window)
        able = READY if stable == wish.desired else _DOWN
        replicas, limit = _plainly_bounded(wish, stable)
    else:
        stable, why = _stabilized(wish, behavior, history, now, window)
        able = READY if stable == wish.desired else why
        replicas, limit = _bounded(wish, stable, behavior, history, now)
    return Normal(replicas, able, limit, replicas != stable)


def longest_period(behavior: Object) -> float:
    """How long a change of size counts for policies, in seconds."""
    policies = [*_policies(behavior, up=True), *_policies(behavior, up=False)]
    return max((policy.get("periodSeconds") or 0 for policy in policies), default=0)


def _plainly_bounded(wish: Wish, stable: int) -> tuple[int, Said]:
    limit = max(FACTOR * wish.current, LEAST)
    most, why = (limit, _UP_LIMIT) if wish.most > limit else (wish.most, _TOO_MANY)
    if stable < wish.least:
        return wish.least, _TOO_FEW
    return (most, why) if stable > most else (stable, _WITHIN)


def _stabilized(
    wish: Wish, behavior: Object, history: History, now: float, window: float
) -> tuple[int, Said]:
    """The size nearest to the present one that no recent recommendation speaks against."""
    up = _window(behavior, "scaleUp", 0.0)
    down = _window(behavior, "scaleDown", window)
    lowest = history.extreme(min, wish.desired, now, up)
    highest = history.extreme(max, wish.desired, now, down)
    history.recommended(wish.desired, now, max(up, down))
    stable = min(max(wish.current, lowest), highest)
    return stable, _UP if wish.desired >= wish.current else _DOWN


def _window(behavior: Object, direction: str, default: float) -> float:
    found = (behavior.get(direction) or {}).get("stabilizationWindowSeconds")
    return default if found is None else float(found)


def _bounded(
    wish: Wish, stable: int, behavior: Object, history: History, now: float
) -> tuple[int, Said]:
    if stable > wish.current:
        limit = max(_limit(wish.current, behavior, history, now, up=True), wish.current)
        most, why = (limit, _UP_LIMIT) if wish.most > limit else (wish.most, _TOO_MANY)
        if stable > most:
            return most, why
    elif stable < wish.current:
        limit = min(_limit(wish.current, behavior, history, now, up=False), wish.current)
        least, why = (limit, _DOWN_LIMIT) if wish.least < limit else (wish.least, _TOO_FEW)
        if stable < least:
            return least, why
    return stable, _WITHIN


def _limit(current: int, behavior: Object, history: History, now: float, *, up: bool) -> int:
    """How far the policies of a direction let the size go now."""
    select = (behavior.get("scaleUp" if up else "scaleDown") or {}).get("selectPolicy") or "Max"
    if select == "Disabled":
        return current
    # The most change is the largest size upwards and the smallest downwards.
    choose: Callable[[list[int]], int] = max if (select == "Max") is up else min
    allowed = []
    for policy in _policies(behavior, up=up):
        begun = current - history.change(now, policy.get("periodSeconds") or 0)
        value = policy.get("value") or 0
        if policy.get("type") == "Percent":
            share = begun * (1 + value / 100) if up else begun * (1 - value / 100)
            # Rounded up, for else a small size would never grow.
            allowed.append(math.ceil(share) if up else int(share))
        else:
            allowed.append(begun + value if up else begun - value)
    return choose(allowed) if allowed else (MOST if up else 0)


def _policies(behavior: Object, *, up: bool) -> list[Object]:
    return (behavior.get("scaleUp" if up else "scaleDown") or {}).get("policies") or []
