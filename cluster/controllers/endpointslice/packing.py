"""How endpoints are spread over slices, writing as little as possible.

Source: the EndpointSlices page ("Distribution of EndpointSlices"): first remove what is gone and
update what changed; then fill the slices that change anyway; then one that has room; then new ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.api import objects
from cluster.controllers import ownership
from cluster.controllers.endpointslice import endpoints

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose slices they are, and what they say of it."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    reference: objects.Object


def of_service(service: objects.Object) -> Owner:
    """Slices that follow the pods of a Service."""
    labels = dict(objects.labels(service))
    labels.pop(HEADLESS, None)
    if objects.spec(service).get("clusterIP") == "None":
        labels[HEADLESS] = ""
    labels[SERVICE_NAME] = objects.name(service)
    labels[MANAGED_BY] = CONTROLLER
    reference = ownership.reference(service, "v1", "Service")
    return Owner(objects.name(service), objects.namespace(service), labels, reference)


@dataclass(slots=True)
class Changes:
    """Slices to create (without names), to update and to delete."""

    create: list[objects.Object] = field(default_factory=list)
    update: list[objects.Object] = field(default_factory=list)
    delete: list[objects.Object] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many writes this is."""
        return len(self.create) + len(self.update) + len(self.delete)


@dataclass(slots=True)
class _Slice:
    """An existing slice being worked on."""

    source: objects.Object
    endpoints: list[objects.Object]
    changed: bool


def plan(
    owner: Owner,
    existing: Sequence[objects.Object],
    desired: Mapping[str, endpoints.PortGroup],
    limit: int,
    families: Iterable[str] = (),
) -> Changes:
    """The writes that bring `existing` slices of an owner to `desired`, `limit` a slice.

    Of each of `families` there is a slice at least.
    """
    wanted = dict(desired)
    for address_type in families:
        if not any(group.address_type == address_type for group in wanted.values()):
            # An empty slice says that there are no endpoints, rather than nothing known.
            wanted[endpoints.group_key(address_type, [])] = endpoints.PortGroup(address_type, [])
    by_group: dict[str, list[objects.Object]] = {}
    changes = Changes()
    for found in existing:
        key = endpoints.group_key(found.get("addressType") or "", found.get("ports") or [])
        if key in wanted:
            by_group.setdefault(key, []).append(found)
        else:
            changes.delete.append(found)
    for key, group in wanted.items():
        _plan_group(owner, by_group.get(key, []), group, limit, changes)
    _reuse(changes)
    return changes


def _plan_group(
    owner: Owner,
    existing: Sequence[objects.Object],
    group: endpoints.PortGroup,
    limit: int,
    changes: Changes,
) -> None:
    missing = dict(group.endpoints)
    slices = [_kept(owner, found, missing, limit) for found in existing]
    left = list(missing.values())
    for one in slices:
        if one.changed and one.endpoints:
            left = _filled(one, left, limit)
    # A whole slice's worth goes to new slices; the rest to the fullest one that has room for it.
    while len(left) >= limit:
        changes.create.append(_new(owner, group, left[:limit]))
        left = left[limit:]
    if left:
        room = [s for s in slices if len(s.endpoints) + len(left) <= limit]
        fullest = max(room, key=lambda s: len(s.endpoints), default=None)
        if fullest is None:
            changes.create.append(_new(owner, group, left))
        else:
            fullest.endpoints.extend(left)
            fullest.changed = True
    _sort_out(owner, group, slices, changes)


def _sort_out(
    owner: Owner,
    group: endpoints.PortGroup,
    slices: Sequence[_Slice],
    changes: Changes,
) -> None:
    """Updates for what changed, deletions for what is empty: but one placeholder may stay."""
    placeholder = not group.endpoints
    for one in slices:
        if not one.endpoints and not (placeholder and one is slices[0]):
            changes.delete.append(one.source)
        elif one.changed:
            changes.update.append(_updated(owner, one.source, one.endpoints))
    if placeholder and not slices:
        changes.create.append(_new(owner, group, []))


def _kept(
    owner: Owner,
    found: objects.Object,
    missing: dict[str, objects.Object],
    limit: int,
) -> _Slice:
    """What stays of a slice; what it holds is taken out of `missing`."""
    kept: list[objects.Object] = []
    same = owner.labels == objects.labels(found) and _owned(owner, found)
    for old in found.get("endpoints") or ():
        new = missing.pop(endpoints.identity(old), None) if len(kept) < limit else None
        if new is None:
            same = False
            continue
        same = same and new == old
        kept.append(new)
    return _Slice(found, kept, not same)


def _filled(one: _Slice, left: list[objects.Object], limit: int) -> list[objects.Object]:
    room = max(0, limit - len(one.endpoints))
    one.endpoints.extend(left[:room])
    return left[room:]


def _reuse(changes: Changes) -> None:
    """Turn a deletion and a creation of one address type into one update."""
    create: list[objects.Object] = []
    for new in changes.create:
        old = next((s for s in changes.delete if s.get("addressType") == new["addressType"]), None)
        if old is None:
            create.append(new)
            continue
        changes.delete = [s for s in changes.delete if s is not old]
        metadata = {**objects.meta(old), "labels": new["metadata"]["labels"]}
        metadata["ownerReferences"] = new["metadata"]["ownerReferences"]
        changes.update.append({**new, "metadata": metadata})
    changes.create = create


def _owned(owner: Owner, found: objects.Object) -> bool:
    controller = objects.controller_of(found)
    return controller is not None and controller.get("uid") == owner.reference["uid"]


def _new(
    owner: Owner, group: endpoints.PortGroup, entries: Sequence[objects.Object]
) -> objects.Object:
    metadata: dict[str, Any] = {
        "generateName": f"{owner.name}-",
        "namespace": owner.namespace,
        "labels": dict(owner.labels),
        "ownerReferences": [owner.reference],
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": group.address_type,
        "endpoints": list(entries),
        "ports": group.ports,
    }


def _updated(
    owner: Owner, found: objects.Object, entries: Sequence[objects.Object]
) -> objects.Object:
    metadata = {
        **objects.meta(found),
        "labels": dict(owner.labels),
        "ownerReferences": [owner.reference],
    }
    return {**found, "metadata": metadata, "endpoints": list(entries)}
