"""How many endpoints each zone should have to itself, and who gives whom (topology-mode: Auto).

Each zone gets endpoints in proportion to its CPU. No endpoint may come to serve a fifth more than
its part; where that cannot be held, there are no hints at all.

Source: KEP-2433 and k8s.io/endpointslice/topologycache. Where Go's maps leave the choice to chance,
zones go by their names.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cluster.api import objects
from cluster.controllers.endpointslice import zoneshares

OVERLOAD: Final = 0.2
"""By how much more than its share an endpoint may be asked to serve: overloadThreshold."""
NO_NODE_INFO: Final = (
    "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
)
TOO_FEW: Final = "Insufficient number of endpoints"
OVERLOADED: Final = (
    "Unable to allocate minimum required endpoints to each zone without exceeding overload "
    "threshold"
)

Counts = dict[str, int]
"""Endpoints by the zone that they are for."""


class Impossible(Exception):
    """Hints would do harm; the message says why, in Kubernetes' words."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """How many endpoints a zone is to have."""

    minimum: int
    maximum: int
    desired: float


def of(shares: zoneshares.Shares, ready: int) -> Mapping[str, Allocation]:
    """What each zone is to have of `ready` endpoints. Impossible."""
    if not shares:
        raise Impossible(NO_NODE_INFO)
    told = f"({ready} endpoints, {len(shares)} zones)"
    if len(shares) > ready:
        raise Impossible(f"{TOO_FEW} {told}")
    desired = {zone: share * ready for zone, share in shares.items()}
    least = {zone: math.ceil(wanted / (1 + OVERLOAD)) for zone, wanted in desired.items()}
    spare = ready - sum(least.values())
    if spare < 0:
        raise Impossible(f"{OVERLOADED} {told}")
    return {
        zone: Allocation(least[zone], least[zone] + spare, max(desired[zone], float(least[zone])))
        for zone in shares
    }


def overloaded(counts: Counts, shares: zoneshares.Shares) -> bool:
    """Whether endpoints handed out so leave some zone with too few, the nodes being as they are."""
    if not counts:
        return False
    if not shares:
        return True
    total = sum(counts.values())
    return any(
        counts.get(zone, -1) < math.ceil(total * share / (1 + OVERLOAD))
        for zone, share in shares.items()
    )


def kept(
    entries: Iterable[objects.Object], before: Counts, allocations: Mapping[str, Allocation]
) -> Counts | None:
    """For which zones the ready endpoints of a slice are; None where its hints cannot stay.

    `before` counts the slices that stay. A hint cannot stay that is missing, that is for a zone
    that needs none, or that is one too many for its zone.
    """
    found: Counts = {}
    for entry in entries:
        if not is_ready(entry):
            continue
        zones = (entry.get("hints") or {}).get("forZones") or ()
        if not zones or any(zone.get("name") not in allocations for zone in zones):
            return None
        for zone in zones:
            found[zone["name"]] = found.get(zone["name"], 0) + 1
    if any(n + before.get(zone, 0) > allocations[zone].maximum for zone, n in found.items()):
        return None
    return found


def transfers(counts: Counts, allocations: Mapping[str, Allocation]) -> tuple[Counts, Counts]:
    """How many endpoints each zone gives, and how many each receives. The sums are equal."""
    over: dict[str, float] = {}
    under: dict[str, float] = {}
    for zone in sorted(allocations):
        difference = counts.get(zone, 0) - allocations[zone].desired
        if difference > 0:
            over[zone] = difference
        elif difference < 0:
            under[zone] = -difference
    gives: Counts = {}
    receives: Counts = {}
    while True:
        giver, more = _most(over)
        receiver, less = _most(under)
        # One endpoint is worth moving where it is nearer home afterwards, on both sides.
        if min(more, less) < 0.5 or max(more, less) < 1.0:
            return gives, receives
        gives[giver] = gives.get(giver, 0) + 1
        receives[receiver] = receives.get(receiver, 0) + 1
        over[giver] -= 1
        under[receiver] -= 1


def is_ready(entry: objects.Object) -> bool:
    """Whether an endpoint is ready: others have no hints."""
    return (entry.get("conditions") or {}).get("ready") is True


def _most(zones: Mapping[str, float]) -> tuple[str, float]:
    if not zones:
        return "", 0.0
    zone = max(zones, key=lambda name: zones[name])
    return zone, zones[zone]
