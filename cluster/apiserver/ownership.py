"""Who owns which field, kept up with every write: api.managedfields for the calls of the registry.

It runs between defaults and admission, as in kube-apiserver: what admission adds is nobody's.
"""

from typing import Final
from weakref import WeakKeyDictionary

from cluster.api import errors, strategies
from cluster.api.custom import Custom
from cluster.api.managedfields import elements, entries, resets, types, updating
from cluster.api.managedfields.updating import Writer
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver.plan import Call

_UNKNOWN: Final = "unknown"
_CUSTOM: Final[WeakKeyDictionary[Custom, types.Type]] = WeakKeyDictionary()


def created(call: Call, new: Object) -> None:
    """Note in `new`, decoded and with its defaults, who has made its fields."""
    _put(new, updating.update(type_of(call), None, new, writer(call)))


def changed(call: Call, old: Object, new: Object) -> None:
    """Note in `new`, decoded and with its defaults, whose fields it is made of.

    Where the object cannot be converted to a version in which somebody owns fields, it has no
    owners any more, but it is written: as UpdateNoErrors of k8s.io/apimachinery has it.
    """
    try:
        found = updating.update(type_of(call), old, new, writer(call), versions(call))
    except errors.StatusError:
        found = None
    _put(new, found)


def guard(new: Object, before: list[Object] | None) -> None:
    """Let admission change managedFields to what can be read, and to nothing else.

    `before` is what they were. Source: the managedFieldsValidatingAdmissionController.
    """
    now = new["metadata"].get("managedFields")
    if now is before or now == before:
        return
    try:
        _put(new, entries.encoded(entries.decoded(now)))
    except (elements.Malformed, RecursionError):
        _put(new, before)


def _put(new: Object, found: list[Object] | None) -> None:
    if found:
        new["metadata"]["managedFields"] = found
    else:
        new["metadata"].pop("managedFields", None)


def writer(call: Call) -> Writer:
    """Who writes, and what such a request does not write."""
    operation, row = call.operation, call.row
    manager = operation.field_manager or call.user.name.rpartition(":")[2] or _UNKNOWN
    reset = resets.of(
        row.id,
        operation.subresource,
        status="status" in row.subresources,
        custom=row.custom is not None,
        keeps=strategies.of(row).status_keeps,
    )
    return Writer(manager, row.api_version, call.now, operation.subresource, reset)


def type_of(call: Call) -> types.Type:
    """How the fields of the call's kind are owned."""
    return of_row(call.row, call.version)


def of_row(row: Resource, version: str) -> types.Type:
    """How the fields of a row's kind are owned."""
    if row.custom is None:
        return types.of_kind(row.api_version, row.kind, version)
    found = _CUSTOM.get(row.custom)
    if found is None:
        found = _CUSTOM[row.custom] = types.of_custom(row.custom.document, version)
    return found


def versions(call: Call) -> updating.Versions:
    """Gives objects of the call's resource in its other versions. outside.Ask, errors.StatusError.

    A version that is not served (any more), or not of this resource, is none.
    """
    plural, stored, views = call.row.plural, call.stored, call.views

    def convert(obj: Object, api_version: str) -> tuple[types.Type, Object] | None:
        row = views.row(plural, api_version, stored)
        source = views.row(plural, obj["apiVersion"], stored)
        if row is None or source is None:
            return None
        if row is not source:
            kept = obj if source is stored else views.storable(source, obj, call.answers)
            obj = kept if row is stored else views.document(row, kept, call.answers)
        return of_row(row, call.version), obj

    return convert
