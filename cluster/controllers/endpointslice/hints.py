"""Which endpoints are for which zones and nodes, written as hints into the slices of a Service.

Two ways lead to hints: the annotation `service.kubernetes.io/topology-mode: Auto`, and
spec.trafficDistribution. The annotation goes first. Source: the pages "Topology Aware Routing" and
"Service" ("Traffic distribution") of the Kubernetes documentation, k8s.io/endpointslice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.api import objects
from cluster.controllers.endpointslice import allocation, packing, zoneshares
from cluster.controllers.endpointslice.hintmemory import (
    DISABLED,
    ENABLED,
    Memory,
    Notice,
    notice,
)

MODE: Final = "service.kubernetes.io/topology-mode"
OLD_MODE: Final = "service.kubernetes.io/topology-aware-hints"
NO_ZONE: Final = "One or more endpoints do not have a zone specified"
SAME_NODE: Final = "PreferSameNode"
_CLOSE_SINCE: Final = {"PreferClose": 31, "PreferSameZone": 34, SAME_NODE: 34}
"""Since which Kubernetes 1.x these distributions are on."""

Emulates = Callable[[int], bool]
"""Whether the version emulated is Kubernetes 1.`minor` or newer."""


def is_automatic(service: objects.Object) -> bool:
    """Whether the annotation asks for hints. The older annotation counts where both are there."""
    notes = objects.annotations(service)
    return notes.get(OLD_MODE, notes.get(MODE)) in ("Auto", "auto")


def distribution(service: objects.Object, emulates: Emulates) -> str:
    """The distribution that gives hints, "" for none."""
    told = objects.spec(service).get("trafficDistribution") or ""
    since = _CLOSE_SINCE.get(told)
    return told if since is not None and emulates(since) else ""


def bare(found: objects.Object) -> objects.Object:
    """A slice without hints: how endpoints are packed does not depend on them."""
    entries = found.get("endpoints") or ()
    if not any("hints" in entry for entry in entries):
        return found
    return {**found, "endpoints": [_with(entry, None) for entry in entries]}


@dataclass(frozen=True, slots=True)
class Known:
    """What hints depend on besides the Service: the zones' shares, and what was handed out."""

    shares: zoneshares.Shares
    memory: Memory
    emulates: Emulates


@dataclass(slots=True)
class Slices:
    """The slices of one address type: those to be written, and those that may stay as they are."""

    written: list[objects.Object]
    unchanged: list[objects.Object]

    def ready(self) -> int:
        """How many endpoints are ready."""
        return sum(
            allocation.is_ready(entry)
            for found in (*self.written, *self.unchanged)
            for entry in found.get("endpoints") or ()
        )


def add(
    service: objects.Object,
    changes: packing.Changes,
    existing: Sequence[objects.Object],
    known: Known,
) -> list[Notice]:
    """Put hints into what is to be written, and into slices that lack them.

    `existing` are the slices as stored; those that are in no change would stay. `changes` and
    the memory are brought up to date.
    """
    touched = {objects.name(found) for found in (*changes.update, *changes.delete)}
    unchanged = [found for found in existing if objects.name(found) not in touched]
    notices: list[Notice] = []
    types = dict.fromkeys(
        str(found.get("addressType")) for found in (*changes.create, *changes.update, *unchanged)
    )
    for address_type in types:
        slices = Slices(
            _of(address_type, (*changes.create, *changes.update)), _of(address_type, unchanged)
        )
        before = {id(found) for found in slices.written}
        notices += _hint(service, slices, address_type, known)
        changes.update += [found for found in slices.written if id(found) not in before]
    return notices


def _of(address_type: str, slices: Iterable[objects.Object]) -> list[objects.Object]:
    return [found for found in slices if found.get("addressType") == address_type]


def _hint(
    service: objects.Object,
    slices: Slices,
    address_type: str,
    known: Known,
) -> list[Notice]:
    key = objects.key(service)
    if is_automatic(service):
        return _automatic(key, slices, address_type, known)
    notices = []
    if key in known.memory.populated:
        message = "Topology Aware Hints has been disabled"
        notices.append(notice(DISABLED, message, address_type))
    known.memory.drop(key, address_type)
    wanted = distribution(service, known.emulates)
    if wanted:
        _close(slices, nodes=wanted == SAME_NODE)
    else:
        _remove(slices)
    return notices


def _automatic(
    key: str,
    slices: Slices,
    address_type: str,
    known: Known,
) -> list[Notice]:
    """Hints by the zones' shares; none, and a word why, where that is not possible."""
    try:
        counts = _hand_out(slices, allocation.of(known.shares, slices.ready()))
    except allocation.Impossible as why:
        known.memory.drop(key, address_type)
        _remove(slices)
        return [notice(DISABLED, str(why), address_type)]
    new = key not in known.memory.populated
    known.memory.keep(key, address_type, counts)
    return [notice(ENABLED, "Topology Aware Hints has been enabled", address_type)] if new else []


def _hand_out(
    slices: Slices, allocations: Mapping[str, allocation.Allocation]
) -> allocation.Counts:
    """Write the hints; how many endpoints are for each zone. Impossible: nothing was changed."""
    counts: allocation.Counts = {}
    wrong = []
    for found in slices.unchanged:
        own = allocation.kept(found.get("endpoints") or (), counts, allocations)
        if own is None:
            wrong.append(found)
            continue
        for zone, count in own.items():
            counts[zone] = counts.get(zone, 0) + count
    ready = [entry for entry in _entries((*slices.written, *wrong)) if allocation.is_ready(entry)]
    if not all(entry.get("zone") for entry in ready):
        raise allocation.Impossible(NO_ZONE)
    _rewrite(slices, wrong)
    for entry in ready:
        counts[entry["zone"]] = counts.get(entry["zone"], 0) + 1
    gives, receives = allocation.transfers(counts, allocations)
    for found in slices.written:
        found["endpoints"] = [
            _with(entry, _zone_hint(_destination(entry, gives, receives, counts)))
            if allocation.is_ready(entry)
            else _with(entry, None)
            for entry in found.get("endpoints") or ()
        ]
    return counts


def _destination(
    entry: objects.Object,
    gives: allocation.Counts,
    receives: allocation.Counts,
    counts: allocation.Counts,
) -> str:
    """The zone that an endpoint is for: its own, or one that is short of endpoints."""
    own = str(entry["zone"])
    if not gives.get(own) or not receives:
        return own
    other = min(receives)
    for side, zone in ((gives, own), (receives, other)):
        side[zone] -= 1
        if not side[zone]:
            del side[zone]
    counts[own] -= 1
    counts[other] = counts.get(other, 0) + 1
    return other


def _close(slices: Slices, *, nodes: bool) -> None:
    """Every ready endpoint is for its own zone, and for its own node if `nodes`."""

    def wanted(entry: objects.Object) -> objects.Object | None:
        hints: objects.Object = {}
        if entry.get("zone"):
            hints = _zone_hint(entry["zone"])
        if nodes and entry.get("nodeName"):
            hints = {**hints, "forNodes": [{"name": entry["nodeName"]}]}
        return hints or None

    def is_right(entry: objects.Object) -> bool:
        return not allocation.is_ready(entry) or (entry.get("hints") or None) == wanted(entry)

    wrong = [f for f in slices.unchanged if not all(map(is_right, f.get("endpoints") or ()))]
    _rewrite(slices, wrong)
    for found in slices.written:
        found["endpoints"] = [
            _with(entry, wanted(entry)) if allocation.is_ready(entry) else _with(entry, None)
            for entry in found.get("endpoints") or ()
        ]


def _remove(slices: Slices) -> None:
    """No endpoint has hints."""
    _rewrite(slices, [f for f in slices.unchanged if any("hints" in e for e in _entries([f]))])
    for found in slices.written:
        if any("hints" in entry for entry in _entries([found])):
            found["endpoints"] = [_with(entry, None) for entry in found["endpoints"]]


def _rewrite(slices: Slices, wrong: Sequence[objects.Object]) -> None:
    """These slices cannot stay as they are. What is stored is shared: copies are written."""
    names = {objects.name(found) for found in wrong}
    slices.written += [dict(found) for found in wrong]
    slices.unchanged = [f for f in slices.unchanged if objects.name(f) not in names]


def _entries(slices: Iterable[objects.Object]) -> list[objects.Object]:
    return [entry for found in slices for entry in found.get("endpoints") or ()]


def _zone_hint(zone: str) -> objects.Object:
    return {"forZones": [{"name": zone}]}


def _with(entry: objects.Object, hints: objects.Object | None) -> objects.Object:
    rest = {name: value for name, value in entry.items() if name != "hints"}
    return {**rest, "hints": hints} if hints else rest
