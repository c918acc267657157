"""metadata.managedFields: entries, who they are of, how they are ordered and bounded.

Source: internal/managedfields.go, internal/capmanagers.go and internal/manager.go.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from cluster.api import timestamps
from cluster.api.managedfields import fieldsets
from cluster.api.managedfields.elements import Malformed
from cluster.api.managedfields.fieldsets import Set

Operation = Literal["Apply", "Update"]
Id = tuple[str, str, str, str]

MAX_UPDATERS: Final = 10
ANCIENT: Final = "ancient-changes"


class Entry(msgspec.Struct, frozen=True):
    """The fields of one manager. `time` is as on the wire, "" where it is not known."""

    manager: str
    operation: str
    api_version: str
    fields: Set
    time: str = ""
    subresource: str = ""

    @property
    def id(self) -> Id:
        """Who it is: an applier is the same in every version."""
        version = "" if self.operation == "Apply" else self.api_version
        return (self.operation, self.manager, version, self.subresource)

    def having(self, fields: Set) -> "Entry":
        """The same with other fields."""
        if fields is self.fields:
            return self
        return Entry(
            self.manager, self.operation, self.api_version, fields, self.time, self.subresource
        )

    def document(self) -> dict[str, Any]:
        """The ManagedFieldsEntry, its properties in Kubernetes' order."""
        found: dict[str, Any] = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
        }
        if self.time:
            found["time"] = self.time
        found["fieldsType"] = "FieldsV1"
        found["fieldsV1"] = self.fields
        if self.subresource:
            found["subresource"] = self.subresource
        return found


Managers = dict[Id, Entry]


def decoded(documents: Any, trusted: Iterable[Any] = ()) -> Managers:
    """The managers of a managedFields list. Malformed.

    Documents that are equal to one of `trusted` (those of the live object) are not checked anew.
    """
    if documents is None:
        return {}
    if not isinstance(documents, list):
        raise Malformed("managedFields is not a list")
    known = list(trusted)
    found: Managers = {}
    for index, document in enumerate(documents):
        same = index < len(known) and (document is known[index] or document == known[index])
        entry = _trusted(known[index]) if same else _checked(document)
        found[entry.id] = entry
    return found


def stored(documents: list[dict[str, Any]] | None) -> Managers:
    """The managers of an object that was stored, whose entries are known to be good."""
    found: Managers = {}
    for document in documents or ():
        entry = _trusted(document)
        found[entry.id] = entry
    return found


def _trusted(document: Mapping[str, Any]) -> Entry:
    return Entry(
        document["manager"],
        document["operation"],
        document["apiVersion"],
        document.get("fieldsV1") or fieldsets.NOTHING,
        document.get("time") or "",
        document.get("subresource") or "",
    )


def _checked(document: Any) -> Entry:
    if not isinstance(document, dict):
        raise Malformed("an entry of managedFields is not an object")
    operation = document.get("operation")
    if operation not in ("Apply", "Update"):
        raise Malformed(f"invalid operation {operation!r} in managedFields")
    if document.get("fieldsType") != "FieldsV1":
        raise Malformed(f"unsupported fieldsType {document.get('fieldsType')!r}")
    texts = [document.get(name) or "" for name in ("manager", "apiVersion", "subresource", "time")]
    if not all(isinstance(text, str) for text in texts) or not texts[1]:
        raise Malformed("an entry of managedFields names no manager and version")
    manager, version, subresource, time = texts
    fields = fieldsets.decoded(document.get("fieldsV1") or {})
    return Entry(manager, operation, version, fields, time, subresource)


def encoded(managers: Managers) -> list[dict[str, Any]]:
    """The managedFields list: appliers first, then by time."""
    found = sorted(managers.values(), key=_place)
    return [entry.document() for entry in found]


def _place(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.operation, entry.time, entry.manager, entry.api_version, entry.subresource,
    )  # fmt: skip


def capped(managers: Managers) -> Managers:
    """At most ten updaters: the fields of the oldest of a version become one `ancient-changes`."""
    updaters = [entry for entry in managers.values() if entry.operation == "Update"]
    length = len(updaters)
    if length <= MAX_UPDATERS:
        return managers
    result = dict(managers)
    first: dict[str, Entry] = {}
    for entry in sorted(updaters, key=lambda entry: (entry.time, entry.id)):
        if length <= MAX_UPDATERS:
            break
        version = entry.api_version
        if version not in first:
            first[version] = entry
            continue
        bucket = Entry(ANCIENT, "Update", version, fieldsets.NOTHING, entry.time)
        present = result.get(bucket.id) or result.pop(first[version].id)
        result.pop(entry.id, None)
        fields = fieldsets.union(present.fields, entry.fields)
        result[bucket.id] = bucket.having(fields)
        length -= 1
    return result


def same_but_for_times(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """Whether two managedFields lists differ in their times alone."""
    if one == other:
        return True
    if len(one) != len(other):
        return False
    return stored_timeless(one) == stored_timeless(other)


def stored_timeless(documents: list[dict[str, Any]]) -> dict[Id, Set]:
    """The fields of each manager, and no times."""
    return {name: entry.fields for name, entry in stored(documents).items()}


def now_text(now: float) -> str:
    """The time of an entry made `now`."""
    return timestamps.encode(now)
