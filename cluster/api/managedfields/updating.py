"""What a write does to the owners of fields: who changes a field takes it from all others.

Source: merge/update.go of structured-merge-diff and the managers that wrap it in
k8s.io/apimachinery/pkg/util/managedfields/internal.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from cluster.api.managedfields import entries, fieldsets, roots, types, walking
from cluster.api.managedfields.elements import Malformed
from cluster.api.managedfields.entries import Entry, Managers
from cluster.api.managedfields.fieldsets import NOTHING, Set
from cluster.api.objects import Object

Versions = Callable[[Object, str], tuple[types.Type, Object] | None]
"""An object in another apiVersion, and the type it has there; None: no such version."""

_EMPTY: Final[Object] = {}


class Writer(msgspec.Struct, frozen=True):
    """Who writes: the manager's name, the apiVersion and subresource of the request, and when.

    `now` is in seconds since the epoch. `reset` are fields that such a request does not write
    whatever it says, and so does not own.
    """

    manager: str
    api_version: str
    now: float
    subresource: str = ""
    reset: Set = msgspec.field(default_factory=dict)


class Changes:
    """What differs between two states of an object, in each version that is asked for."""

    def __init__(
        self, kind: types.Type, old: Object, new: Object, by: Writer, versions: Versions | None
    ) -> None:
        self._old = old
        self._new = new
        self._by = by
        self._versions = versions
        self._found: dict[str, tuple[Set, Set] | None] = {
            by.api_version: self._diff(kind, old, new)
        }
        self.touched, self.removed = self._found[by.api_version] or (NOTHING, NOTHING)

    def at(self, api_version: str) -> tuple[Set, Set] | None:
        """What came or changed, and what went; None for a version that is not there (any more)."""
        if api_version not in self._found:
            self._found[api_version] = self._converted(api_version)
        return self._found[api_version]

    def _converted(self, api_version: str) -> tuple[Set, Set] | None:
        if self._versions is None:
            return None
        old, new = self._old, self._versions(self._new, api_version)
        if new is None:
            return None
        if old:
            before = self._versions(old, api_version)
            if before is None:
                return None
            old = before[1]
        return self._diff(new[0], old, new[1])

    def _diff(self, kind: types.Type, old: Object, new: Object) -> tuple[Set, Set]:
        touched, removed = roots.of(kind).diff(old, new)
        reset = self._by.reset
        return (
            fieldsets.without(touched or NOTHING, reset),
            fieldsets.without(removed or NOTHING, reset),
        )


def update(
    kind: types.Type,
    live: Object | None,
    new: Object,
    by: Writer,
    versions: Versions | None = None,
) -> list[Object] | None:
    """The managedFields of `new`, which a create (`live` None) or an update has brought.

    `live` is as it is stored. None: the object's fields are not followed, because it has no
    managers, or cannot be, because its lists have items that cannot be told apart. Nothing that
    comes in is changed; managedFields of `new` itself count where they can be read.
    """
    try:
        managers = reconciled(kind, _given(live, new, by.subresource), by.api_version)
        if not managers and live is not None:
            return None
        return (
            entries.encoded(_updated(kind, live or _EMPTY, new, managers, by, versions=versions))
            or None
        )
    except (walking.Unkeyed, RecursionError):
        return None


def _given(live: Object | None, new: Object, subresource: str) -> Managers:
    """The managers before the write: those that the request names, else those of the object."""
    before = _managed_fields(live or _EMPTY)
    if not subresource:
        said = _managed_fields(new)
        if isinstance(said, list) and len(said) == 1 and said[0] in ({}, None):
            return {}
        if said and said is not before:
            try:
                return entries.decoded(said, before or ()) or entries.stored(before)
            except (Malformed, RecursionError):
                pass
    return entries.stored(before)


def _managed_fields(obj: Object) -> Any:
    metadata = obj.get("metadata")
    return metadata.get("managedFields") if isinstance(metadata, dict) else None


def _updated(
    kind: types.Type,
    live: Object,
    new: Object,
    managers: Managers,
    by: Writer,
    *,
    versions: Versions | None,
) -> Managers:
    changes = Changes(kind, live, new, by, versions)
    if not changes.touched and not changes.removed and _one_version(managers, by.api_version):
        return managers
    mine = Entry(
        by.manager, "Update", by.api_version, changes.touched, entries.now_text(by.now),
        by.subresource,
    )  # fmt: skip
    managers = handed_over(managers, changes, mine.id)
    if changes.touched:
        kept = managers.get(mine.id)
        if kept is not None:
            mine = mine.having(fieldsets.union(kept.fields, changes.touched))
        managers[mine.id] = mine
    return entries.capped(managers)


def reconciled(kind: types.Type, managers: Managers, api_version: str) -> Managers:
    """The managers after a change of the schema: who owned parts of what is atomic now, owns it.

    Source: typed/reconcile_schema.go. Only types that users define change under stored objects.
    """
    if not kind.changes:
        return managers
    return {
        name: entry.having(_whole_atoms(kind, entry.fields))
        if entry.api_version == api_version
        else entry
        for name, entry in managers.items()
    }


def _whole_atoms(kind: types.Type, fields: Set) -> Set:
    result: Set | None = None
    for element, below in fields.items():
        if not below:
            continue
        inner, _ = types.below(kind, element)
        found = fieldsets.MEMBER if inner.atomic else _whole_atoms(inner, below)
        if found is not below:
            result = fields.copy() if result is None else result
            result[element] = found
    return fields if result is None else result


def _one_version(managers: Managers, api_version: str) -> bool:
    return all(entry.api_version == api_version for entry in managers.values())


def handed_over(managers: Managers, changes: Changes, mine: entries.Id | None = None) -> Managers:
    """The managers, less what was removed and, but for `mine`, changed under them.

    Who has nothing left is gone.
    """
    result: Managers = {}
    for name, entry in managers.items():
        found = changes.at(entry.api_version)
        if found is None:
            continue
        touched, removed = found
        fields = entry.fields if name == mine else fieldsets.difference(entry.fields, touched)
        fields = fieldsets.difference(fields, removed)
        if fields:
            result[name] = entry.having(fields)
    return result


def first_managers(
    kind: types.Type, live: Object, by: Writer, versions: Versions | None
) -> Managers:
    """The managers of an object that had none, before its first apply: one that has it all."""
    before = Writer("before-first-apply", by.api_version, by.now, by.subresource, by.reset)
    return _updated(kind, _EMPTY, live, {}, before, versions=versions)
