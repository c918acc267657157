"""Eviction thresholds: `memory.available<100Mi`, how they are written and when they are met. Pure.

Source: ParseThresholdConfig and thresholdsMet of pkg/kubelet/eviction/helpers.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cluster.api import durations, quantity
from cluster.kubelet.eviction import signals
from cluster.kubelet.eviction.signals import Observation, Observations

DEFAULT_HARD: Final[Mapping[str, str]] = {
    signals.MEMORY: "100Mi", signals.NODE_FS: "10%", signals.NODE_FS_INODES: "5%",
    signals.IMAGE_FS: "15%", signals.IMAGE_FS_INODES: "5%",
}  # fmt: skip
"""evictionHard of a kubelet on Linux where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity, or a share (0 to 1) of the capacity."""

    quantity: int = 0
    share: float | None = None

    def of(self, capacity: int) -> int:
        """Whole units of a capacity."""
        return self.quantity if self.share is None else int(capacity * self.share)


@dataclass(frozen=True, slots=True)
class Threshold:
    """`grace` is None for a hard threshold, else the seconds that it has to be met for."""

    signal: str
    amount: Amount
    grace: float | None = None
    reclaim: Amount = Amount()
    """How much more than the threshold has to be free before it counts as resolved."""

    @property
    def hard(self) -> bool:
        """Whether pods are evicted at once."""
        return self.grace is None

    def met(self, seen: Observation, *, reclaiming: bool = False) -> bool:
        """Whether less is available than the threshold, and what is to be reclaimed, says."""
        least = self.amount.of(seen.capacity)
        if reclaiming:
            least += self.reclaim.of(seen.capacity)
        return seen.available < least


def pairs(text: str, operator: str) -> dict[str, str]:
    """Of a flag such as `memory.available<100Mi,nodefs.available<10%`. ValueError."""
    found: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, separator, value = item.partition(operator)
        if not separator or not name or not value:
            raise ValueError(f"{item!r} is not of the form signal{operator}value")
        if name in found:
            raise ValueError(f"duplicate eviction signal {name}")
        found[name] = value
    return found


def parse(
    hard: Mapping[str, str],
    soft: Mapping[str, str],
    soft_grace: Mapping[str, str],
    minimum_reclaim: Mapping[str, str],
    *,
    allocatable: bool = True,
) -> tuple[Threshold, ...]:
    """All thresholds of a configuration. ValueError in the kubelet's words.

    A hard one on memory holds for what is `allocatable` to pods too, unless that is not enforced.
    """
    reclaims = {signal: _reclaim(signal, text) for signal, text in minimum_reclaim.items()}
    graces = {signal: _grace(signal, text) for signal, text in soft_grace.items()}
    made = [Threshold(signal, amount) for signal, amount in _amounts(hard)]
    for signal, amount in _amounts(soft):
        if signal not in graces:
            raise ValueError(
                f"grace period must be specified for the soft eviction threshold {signal}"
            )
        made.append(Threshold(signal, amount, graces[signal]))
    made = [replace(one, reclaim=reclaims.get(one.signal, Amount())) for one in made]
    twins = [
        replace(one, signal=signals.ALLOCATABLE_MEMORY)
        for one in made
        if allocatable and one.signal == signals.MEMORY and one.hard
    ]
    return (*made, *twins)


def met(
    thresholds: Iterable[Threshold], seen: Observations, *, reclaiming: bool = False
) -> list[Threshold]:
    """Those that are met; of what was not observed nothing is said."""
    return [
        one
        for one in thresholds
        if one.signal in seen and one.met(seen[one.signal], reclaiming=reclaiming)
    ]


def _amounts(statements: Mapping[str, str]) -> list[tuple[str, Amount]]:
    found = []
    for signal, text in statements.items():
        _known(signal)
        if text in ("0%", "100%"):
            continue  # these switch a threshold off
        found.append((signal, _amount(signal, text)))
    return found


def _amount(signal: str, text: str) -> Amount:
    if text.endswith("%"):
        share = _share(text)
        if share < 0:
            raise ValueError(f"eviction percentage threshold {signal} must be >= 0%: {text}")
        if share > 1:
            raise ValueError(f"eviction percentage threshold {signal} must be <= 100%: {text}")
        return Amount(share=share)
    found = quantity.value(text)
    if found <= 0:
        raise ValueError(f"eviction threshold {signal} must be positive: {text}")
    return Amount(found)


def _reclaim(signal: str, text: str) -> Amount:
    _known(signal)
    if text.endswith("%"):
        share = _share(text)
        if not 0 < share <= 1:
            raise ValueError(
                f"eviction percentage minimum reclaim {signal} must be positive: {text}"
            )
        return Amount(share=share)
    found = quantity.value(text)
    if found < 0:
        raise ValueError(f"negative eviction minimum reclaim specified for {signal}")
    return Amount(found)


def _grace(signal: str, text: str) -> float:
    _known(signal)
    return durations.parse(text)


def _known(signal: str) -> None:
    if signal not in signals.CONDITIONS or signal == signals.ALLOCATABLE_MEMORY:
        raise ValueError(f"unsupported eviction signal {signal}")


def _share(text: str) -> float:
    try:
        return float(text.removesuffix("%")) / 100
    except ValueError:
        raise ValueError(f"{text!r} is no percentage") from None
