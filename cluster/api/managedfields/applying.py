"""Server-side apply: a manager says what it wants of an object, and owns what it says.

Source: merge/update.go of structured-merge-diff; conflicts: internal/conflict.go.
"""

from dataclasses import dataclass
from typing import Any, Final

from cluster.api import causes, errors
from cluster.api.managedfields import (
    checking,
    entries,
    fieldsets,
    lastapplied,
    merging,
    pruning,
    roots,
    types,
    updating,
    walking,
)
from cluster.api.managedfields.entries import Entry, Managers
from cluster.api.managedfields.fieldsets import Set
from cluster.api.managedfields.updating import Changes, Versions, Writer
from cluster.api.objects import Object

_TOO_DEEP: Final = "exceeded max depth"


@dataclass(frozen=True, slots=True)
class Apply:
    """An apply: the configuration, by whom, and whether it takes what is others'."""

    config: Object
    by: Writer
    force: bool = False
    versions: Versions | None = None


def apply(kind: types.Type, live: Object, asked: Apply) -> Object:
    """`live` ({} where there is none) with the configuration applied, managedFields and all.

    Nothing that comes in is changed. errors.BadRequest for a configuration that does not fit its
    kind, errors.Conflict where it would change what others own.
    """
    try:
        return _applied(kind, live, asked)
    except walking.Unkeyed as error:
        raise errors.BadRequest(f"failed to merge the configuration: {error}") from None
    except RecursionError:
        raise errors.BadRequest(_TOO_DEEP) from None


def _applied(kind: types.Type, live: Object, asked: Apply) -> Object:
    by, metadata = asked.by, asked.config.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise errors.BadRequest("metadata.managedFields must be nil")
    root = roots.of(kind)
    seen = root.sound(asked.config)
    found = checking.complaints(kind, _envelope(asked.config) if seen else asked.config)
    if not found and not seen:
        root.found_sound(asked.config)
    if found:
        raise errors.BadRequest(
            f"failed to create typed patch object ({_named(asked.config)}): "
            f"{checking.joined(found)}"
        )
    bare = without_managers(live)
    managers = entries.stored((live.get("metadata") or {}).get("managedFields"))
    managers = updating.reconciled(kind, managers, by.api_version)
    if not managers and live:
        managers = updating.first_managers(kind, bare, by, asked.versions)
    try:
        new, managers = _merged(kind, bare, managers, asked, force=asked.force)
    except Conflicts as conflicts:
        if not _excused(kind, bare, by, conflicts):
            raise conflicts.error() from None
        new, managers = _merged(kind, bare, managers, asked, force=True)
    if by.manager == lastapplied.KUBECTL:
        new = lastapplied.refreshed(new, asked.config)
    return _with_managers(new, entries.encoded(managers))


def _envelope(config: Object) -> Object:
    """The part of a configuration that is looked at each time."""
    return {name: config[name] for name in ("apiVersion", "kind", "metadata") if name in config}


def without_managers(obj: Object) -> Object:
    """The object without its managedFields."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return obj
    rest = {name: value for name, value in metadata.items() if name != "managedFields"}
    return obj | {"metadata": rest}


def _with_managers(obj: Object, documents: list[Object]) -> Object:
    if not documents:
        return obj
    return obj | {"metadata": (obj.get("metadata") or {}) | {"managedFields": documents}}


def _merged(
    kind: types.Type, live: Object, before: Managers, asked: Apply, *, force: bool
) -> tuple[Object, Managers]:
    """The new state and its managers. Conflicts."""
    by = asked.by
    new: Object = merging.merged(kind, live, asked.config)
    claims = fieldsets.without(roots.of(kind).claims(asked.config), by.reset)
    time = entries.now_text(by.now)
    mine = Entry(by.manager, "Apply", by.api_version, claims, time, by.subresource)
    last = before.get(mine.id)
    if last is not None and last.fields == claims:
        mine = mine.having(last.fields)
    managers = before | {mine.id: mine}
    if last is not None:
        new = pruning.pruned(kind, new, managers, mine, last, versions=asked.versions)
    changes = Changes(kind, live, new, by, asked.versions)
    del managers[mine.id]
    if not force:
        _check(managers, changes)
    managers = updating.handed_over(managers, changes)
    if mine.fields:
        managers[mine.id] = mine
    return new, managers


class Conflicts(Exception):
    """Fields that the configuration would change and others own, with their owners."""

    def __init__(self, found: list[tuple[Entry, Set]]) -> None:
        super().__init__(len(found))
        self.found = sorted(found, key=lambda pair: (pair[0].manager, pair[0].id))

    def error(self) -> errors.Conflict:
        """What the client is told."""
        told = [
            (_owner(entry), fieldsets.shown(path))
            for entry, fields in self.found
            for path in fieldsets.paths(fields)
        ]
        details = {
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "message": f"conflict with {owner}",
                    "field": field,
                }
                for owner, field in told
            ]
        }
        return errors.Conflict(_message(told), details=details)


def _message(told: list[tuple[str, str]]) -> str:
    if len(told) == 1:
        owner, field = told[0]
        return f"Apply failed with 1 conflict: conflict with {owner}: {field}"
    lines: list[str] = []
    for at, (owner, field) in enumerate(told):
        if not at or told[at - 1][0] != owner:
            lines.append(f"conflicts with {owner}:")
        lines.append(f"- {field}")
    return f"Apply failed with {len(told)} conflicts: " + "\n".join(lines)


def _owner(entry: Entry) -> str:
    text = causes.quoted(entry.manager)
    if entry.subresource:
        text += f" with subresource {causes.quoted(entry.subresource)}"
    return f"{text} using {entry.api_version}" if entry.operation == "Update" else text


def _check(managers: Managers, changes: Changes) -> None:
    found: list[tuple[Entry, Set]] = []
    for entry in managers.values():
        differs = changes.at(entry.api_version)
        if differs is None:
            continue
        fields = fieldsets.intersection(entry.fields, differs[0])
        if fields:
            found.append((entry, fields))
    if found:
        raise Conflicts(found)


def _excused(kind: types.Type, live: Object, by: Writer, conflicts: Conflicts) -> bool:
    """Whether all that conflicts is what kubectl itself applied, client-side, before.

    Otherwise `conflicts` keeps those that are not. Only for kubectl's own manager.
    """
    if by.manager != lastapplied.KUBECTL:
        return False
    allowed = lastapplied.fields(kind, live, by.api_version)
    left = [
        (entry, rest)
        for entry, fields in conflicts.found
        if (rest := fieldsets.difference(fields, allowed))
    ]
    if left:
        conflicts.found = left
    return not left


def _named(config: Object) -> str:
    """`default/web; apps/v1, Kind=Deployment`, as Go prints it."""
    metadata: Any = config.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    group = config.get("apiVersion") or ""
    if "/" not in str(group):
        group = f"/{group}"
    name = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"
    return f"{name}; {group}, Kind={config.get('kind') or ''}"
