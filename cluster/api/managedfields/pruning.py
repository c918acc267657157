"""Takes out of an object what its applier no longer applies and nobody else owns.

Source: prune, addBackOwnedItems and addBackDanglingItems in merge/update.go.
"""

from typing import Final

from cluster.api.managedfields import fieldsets, merging, roots, types
from cluster.api.managedfields.elements import SELF
from cluster.api.managedfields.entries import Entry, Managers
from cluster.api.managedfields.fieldsets import MEMBER, NOTHING, Set
from cluster.api.managedfields.updating import Versions
from cluster.api.objects import Object


def pruned(
    kind: types.Type,
    merged: Object,
    managers: Managers,
    mine: Entry,
    last: Entry,
    *,
    versions: Versions | None,
) -> Object:
    """`merged` without the fields of `last`, the applier's entry before, that are nobody's now.

    `managers` holds `mine`, the applier's entry to be.
    """
    kept = last.fields is mine.fields or not fieldsets.difference(last.fields, mine.fields)
    if kept and last.api_version == mine.api_version:
        return merged
    whole = _at(kind, merged, last.api_version, mine.api_version, versions)
    if whole is None:
        return merged
    taken = named(whole[0], last.fields)
    left = _without(whole[0], whole[1], taken)
    left = _owned_back(whole, left, managers, last.api_version, versions)
    gone = fieldsets.difference(_all(*whole), _all(whole[0], left))
    result = _without(whole[0], whole[1], fieldsets.intersection(gone, taken))
    back = _at(whole[0], result, mine.api_version, last.api_version, versions)
    return merged if back is None else back[1]


def _at(
    kind: types.Type, obj: Object, version: str, present: str, versions: Versions | None
) -> tuple[types.Type, Object] | None:
    """The object in `version`; `present` is the one it has."""
    if version == present:
        return kind, obj
    return None if versions is None else versions(obj, version)


def _owned_back(
    whole: tuple[types.Type, Object],
    left: Object,
    managers: Managers,
    version: str,
    versions: Versions | None,
) -> Object:
    """What is left, and what was taken from it though a manager has it; in `version`."""
    owned: dict[str, Set] = {version: NOTHING}
    for entry in managers.values():
        before = owned.get(entry.api_version, NOTHING)
        owned[entry.api_version] = fieldsets.union(before, entry.fields)
    for there, fields in owned.items():
        converted = _at(*whole, there, version, versions)
        rest = _at(whole[0], left, there, version, versions)
        if converted is None or rest is None:
            continue
        kept = fieldsets.union(_all(*rest), named(converted[0], fields))
        left = _without(*converted, fieldsets.difference(_all(*converted), kept))
        back = _at(converted[0], left, version, there, versions)
        if back is not None:
            left = back[1]
    return left


def _all(kind: types.Type, obj: Object) -> Set:
    return named(kind, roots.of(kind).claims(obj) or NOTHING)


def _without(kind: types.Type, obj: Object, fields: Set) -> Object:
    found = merging.removed(kind, obj, fields)
    return {} if found is merging.GONE else found


_METADATA: Final = "f:metadata"


def named(kind: types.Type, fields: Set, *, root: bool = True) -> Set:
    """The set with every declared property a member on the way to whose parts it leads.

    But for metadata of the `root`: its name and uid are nobody's, and it never goes.
    """
    result: Set = {}
    for element, below in fields.items():
        inner, declared = types.below(kind, element)
        found = named(inner, below, root=False) if below else below
        if found and declared and SELF not in found and not (root and element == _METADATA):
            found = {SELF: MEMBER, **found}
        result[element] = found
    return result
