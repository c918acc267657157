"""Strategic merge patch: a merge patch that knows lists by the schema's merge keys.

Directives: `$patch: replace|delete|merge`, `$setElementOrder/FIELD`, `$retainKeys`,
`$deleteFromPrimitiveList/FIELD`. Semantics: k8s.io/apimachinery/pkg/util/strategicpatch and the
proposal "preserve order in strategic merge patch". Nothing that comes in is changed.
"""

from collections.abc import Callable
from typing import Any, Final

from cluster.api import causes, schema

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
ORDER: Final = "$setElementOrder/"
DELETE: Final = "$deleteFromPrimitiveList/"

BAD_ORDER: Final = "invalid patch format of setElementOrder list"
BAD_DELETE: Final = "invalid patch format of primitive list"
BAD_RETAIN_KEYS: Final = "invalid patch format of retainKeys"

Map = dict[str, Any]
List = list[Any]
_Key = Callable[[Any], Any]


class Malformed(ValueError):
    """The patch is not a strategic merge patch; the message is Kubernetes' own."""


class Inapplicable(ValueError):
    """The patch is well formed and does not fit the object."""


def merged(original: Map, patch: Map, node: schema.Node | None) -> Map:
    """`original` with `patch` applied; `node` is the shape of both (None: no schema below).

    The result may share parts with both. Malformed, Inapplicable.
    """
    if DIRECTIVE in patch:
        return _replaced(patch)
    fields = node.fields if node is not None else {}
    element = node.element if node is not None else None
    result = _retained(original, patch)
    done = _ordered_lists(result, patch, fields)
    for name, value in patch.items():
        if name.startswith(("$setElementOrder", RETAIN_KEYS)) or name in done:
            continue
        if name.startswith("$deleteFromPrimitiveList"):
            _delete_scalars(result, name, value)
        elif value is None:
            result.pop(name, None)
        else:
            field = schema.Field(element) if element is not None else fields.get(name)
            result[name] = _merged_value(result.get(name), value, field)
    return result


def _merged_value(before: Any, value: Any, field: schema.Field | None) -> Any:
    replaced = field is not None and field.replace
    if isinstance(value, dict) and isinstance(before, dict) and not replaced:
        return merged(before, value, field.node if field is not None else None)
    if isinstance(value, list) and isinstance(before, list) and field is not None and field.merge:
        return _merged_list(before, value, field, value)
    return plain(value)


def plain(value: Any) -> Any:
    """A value that the patch brings anew: without directives and nulls."""
    if isinstance(value, dict):
        return {
            name: plain(item)
            for name, item in value.items()
            if item is not None and not _is_directive(name)
        }
    if isinstance(value, list):
        return [plain(item) for item in value if _directive(item) is None]
    return value


def _is_directive(name: str) -> bool:
    return name in (DIRECTIVE, RETAIN_KEYS) or name.startswith((ORDER, DELETE))


def _directive(item: Any) -> Any:
    return item.get(DIRECTIVE) if isinstance(item, dict) else None


def _replaced(patch: Map) -> Map:
    directive = patch[DIRECTIVE]
    if directive == "replace":
        return {name: plain(value) for name, value in patch.items() if name != DIRECTIVE}
    if directive == "delete":
        return {}
    raise Inapplicable(
        f"unknown patch type: {causes.shown(directive)} in map: {causes.shown(patch)}"
    )


def _retained(original: Map, patch: Map) -> Map:
    """The original, less the keys that `$retainKeys` does not name."""
    if RETAIN_KEYS not in patch:
        return dict(original)
    kept = patch[RETAIN_KEYS]
    if not isinstance(kept, list):
        raise Malformed(BAD_RETAIN_KEYS)
    for name, value in patch.items():
        if value is not None and not _is_directive(name) and name not in kept:
            raise Malformed(BAD_RETAIN_KEYS)
    return {name: value for name, value in original.items() if name in kept}


def _delete_scalars(result: Map, directive: str, value: Any) -> None:
    if not directive.startswith(DELETE) or not isinstance(value, list):
        raise Malformed(BAD_DELETE)
    name = directive.removeprefix(DELETE)
    if isinstance(result.get(name), list):
        result[name] = [item for item in result[name] if item not in value]


def _ordered_lists(result: Map, patch: Map, fields: dict[str, schema.Field]) -> set[str]:
    """Merge the lists that have an order directive; the names of those that are done."""
    done: set[str] = set()
    for directive, order in patch.items():
        if not directive.startswith("$setElementOrder"):
            continue
        if not directive.startswith(ORDER) or not isinstance(order, list):
            raise Malformed(BAD_ORDER)
        name = directive.removeprefix(ORDER)
        field = fields.get(name)
        before, value = result.get(name), patch.get(name)
        if field is None or not field.merge:
            raise Malformed(BAD_ORDER)
        if f"{DELETE}{name}" in patch:
            _delete_scalars(result, f"{DELETE}{name}", patch[f"{DELETE}{name}"])
            before = result.get(name)
        if isinstance(value, list | None) and (before or value):
            _check_order(value or [], order, field.merge_key)
            result[name] = _merged_list(before or [], value or [], field, order)
            done.update((name, f"{DELETE}{name}"))
    return done


def _check_order(patch: List, order: List, merge_key: str) -> None:
    """The patch's items must stand in the order list, in the same order."""
    key = _key_of(merge_key)
    remaining = iter([key(item) for item in order])
    for item in patch:
        if _directive(item) is None and key(item) not in remaining:
            told = f"{causes.shown(patch)}\n doesn't match $setElementOrder list"
            raise Inapplicable(f"The order in patch list:\n{told}:\n{causes.shown(order)}\n")


def _merged_list(original: List, patch: List, field: schema.Field, order: List) -> List:
    """Both lists merged; `order` decides how the patch's items stand, the original the others."""
    items = [*original, *patch]
    maps = [isinstance(item, dict) for item in items]
    if any(maps) != all(maps) or any(isinstance(item, list) for item in items):
        raise Inapplicable("expected all elements of a merged list to be of the same type")
    if not any(maps):
        joined = list(dict.fromkeys(items))
        return _arranged(joined, order, original, _key_of(""))
    if not field.merge_key:
        raise Inapplicable("cannot merge lists without merge key for type map")
    key = _key_of(field.merge_key)
    result = _merged_maps(original, patch, field, key)
    return _arranged(result, [item for item in order if _directive(item) is None], original, key)


def _merged_maps(original: List, patch: List, field: schema.Field, key: _Key) -> List:
    result, fresh = _without_deleted(original, patch, key)
    element = field.node.element
    places = {key(item): place for place, item in reversed(list(enumerate(result)))}
    for item in fresh:
        place = places.get(key(item))
        if place is None:
            places[key(item)] = len(result)
            result.append(plain(item))
        else:
            result[place] = merged(result[place], item, element)
    return result


def _without_deleted(original: List, patch: List, key: _Key) -> tuple[List, List]:
    """The original less what the patch deletes or replaces, and the patch's ordinary items."""
    result, fresh, replace = list(original), [], False
    for item in patch:
        directive = item.get(DIRECTIVE)
        if directive is None:
            fresh.append(item)
        elif directive == "delete":
            doomed = key(item)
            result = [other for other in result if key(other) != doomed]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise Inapplicable("merging lists cannot yet be specified in the patch")
        else:
            told = f"{causes.shown(directive)} in map: {causes.shown(item)}"
            raise Inapplicable(f"unknown patch type: {told}")
    return ([], fresh) if replace else (result, fresh)


def _key_of(merge_key: str) -> _Key:
    """What tells items apart: the merge key's value, or the scalar itself."""

    def of_scalar(item: Any) -> Any:
        if isinstance(item, dict | list):
            raise Malformed(BAD_ORDER)
        return item

    def of_map(item: Any) -> Any:
        value = item.get(merge_key) if isinstance(item, dict) else None
        if value is None or isinstance(value, dict | list):
            told = f"map: {causes.shown(item)} does not contain declared merge key: {merge_key}"
            raise Inapplicable(told)
        return value

    return of_map if merge_key else of_scalar


def _arranged(items: List, order: List, original: List, key: _Key) -> List:
    """Items in the order of `order`, those it does not name put where the original had them.

    A nameless item goes before the first ordered one that the original has after it.
    """
    wanted = {key(item): place for place, item in reversed(list(enumerate(order)))}
    before = {key(item): place for place, item in reversed(list(enumerate(original)))}
    ordered = [item for item in items if key(item) in wanted]
    ordered.sort(key=lambda item: wanted[key(item)])
    result: List = []
    for item in items:
        if key(item) in wanted:
            continue
        while ordered and not before.get(key(item), -1) < before.get(key(ordered[0]), -1):
            result.append(ordered.pop(0))
        result.append(item)
    return result + ordered
