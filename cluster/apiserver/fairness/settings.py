"""From PriorityLevelConfigurations to limits in seats. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.apiserver.fairness.dispatching import Limit

EXEMPT = "exempt"
CATCH_ALL = "catch-all"
WAIT_SECONDS = 15.0
"""How long a request may wait for a seat: a quarter of request-timeout, as in kube-apiserver."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How many requests may be carried out at a time: together, with `enabled`. ValueError.

    Without it each kind has its own bound, and who finds no room is turned away.
    """

    enabled: bool = True
    reading: int = 400
    mutating: int = 200

    def __post_init__(self) -> None:
        if self.reading < 0 or self.mutating < 0 or self.reading + self.mutating == 0:
            raise ValueError(
                "max-requests-inflight and max-mutating-requests-inflight must not be negative,"
                " and not both 0"
            )


def limits(levels: Iterable[Mapping[str, Any]], seats: int) -> list[Limit]:
    """What each level may use of `seats`, which are shared by nominalConcurrencyShares."""
    known = {level["metadata"]["name"]: level["spec"] for level in levels}
    known.setdefault(EXEMPT, {"type": "Exempt"})
    known.setdefault(CATCH_ALL, {"type": "Limited", "limited": {"nominalConcurrencyShares": 5}})
    shares = {name: _shares(spec) for name, spec in known.items()}
    total = sum(shares.values()) or 1
    found = []
    for name, spec in known.items():
        nominal = math.ceil(seats * shares[name] / total)
        found.append(_limit(name, spec, nominal, seats))
    return found


def _shares(spec: Mapping[str, Any]) -> int:
    if spec.get("type") == "Exempt":
        return int((spec.get("exempt") or {}).get("nominalConcurrencyShares") or 0)
    shares = (spec.get("limited") or {}).get("nominalConcurrencyShares")
    return 30 if shares is None else int(shares)


def _limit(name: str, spec: Mapping[str, Any], nominal: int, seats: int) -> Limit:
    if spec.get("type") == "Exempt":
        lends = (spec.get("exempt") or {}).get("lendablePercent") or 0
        return Limit(name, nominal, nominal - round(nominal * lends / 100), seats, exempt=True)
    limited = spec.get("limited") or {}
    lends = limited.get("lendablePercent") or 0
    borrows = limited.get("borrowingLimitPercent")
    response = limited.get("limitResponse") or {}
    queuing = response.get("queuing") or {}
    queued = response.get("type") == "Queue"
    return Limit(
        name,
        nominal,
        nominal - round(nominal * lends / 100),
        seats if borrows is None else nominal + round(nominal * borrows / 100),
        (queuing.get("queues") or 64) if queued else 0,
        queuing.get("handSize") or 8,
        queuing.get("queueLengthLimit") or 50,
    )
