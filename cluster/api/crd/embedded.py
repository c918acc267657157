"""apiVersion, kind and metadata of resources embedded in custom objects.

Rules: apiextensions-apiserver pkg/apiserver/schema/objectmeta. Fields of metadata that do not exist
are dropped from an embedded resource, as from any other.
"""

from collections.abc import Callable
from typing import Any

from cluster.api import causes, metadata, objectmeta, schema, walker
from cluster.api.crd.found import Found, Path
from cluster.api.crd.pruning import note
from cluster.api.crd.structure import Schema

_KIND = "may have mixed case, but should otherwise match: "


def compiled_coercion(root: Schema) -> "Callable[[Any, list[str]], None] | None":
    """Cuts the metadata of embedded resources, in place; None where the schema embeds none.

    walker.Malformed for metadata whose fields have other types than they should.
    """
    walk = _walk(root, _coerced)
    if walk is None:
        return None
    visit = walk

    def coerce(value: Any, unknown: list[str]) -> None:
        visit(value, (), unknown)

    return coerce


def compiled_check(root: Schema) -> "Callable[[Any, Found], None] | None":
    """Checks embedded resources; None where the schema embeds none."""
    walk = _walk(root, _checked)
    if walk is None:
        return None
    visit = walk

    def check(value: Any, found: Found) -> None:
        visit(value, (), found)

    return check


def _walk(
    node: Schema, act: Callable[[dict[str, Any], Path, Any], None], *, top: bool = True
) -> Callable[[Any, Path, Any], None] | None:
    inside = {
        name: one
        for name, inner in node.properties.items()
        if (one := _walk(inner, act, top=False)) is not None
    }
    rest = _walk(node.element, act, top=False) if node.element is not None else None
    item = _walk(node.items, act, top=False) if node.items is not None else None
    embeds = node.embedded and not top
    if not (inside or rest or item or embeds):
        return None
    known = node.properties

    def visit(value: Any, path: Path, into: Any) -> None:
        if type(value) is list and item is not None:
            for index, one in enumerate(value):
                item(one, (path, index), into)
        if type(value) is not dict:
            return
        if embeds:
            act(value, path, into)
        for name, inner in inside.items():
            if name in value:
                inner(value[name], (path, name), into)
        if rest is not None:
            for key, one in value.items():
                if key not in known:
                    rest(one, (path, key), into)

    return visit


def _coerced(value: dict[str, Any], path: Path, unknown: list[str]) -> None:
    meta = value.get("metadata")
    if not isinstance(meta, dict):
        return
    dropped = walker.Unknown()
    try:
        value["metadata"] = walker.walk(schema.object_meta(), meta, dropped)
    except walker.Malformed:
        return  # the check says what is wrong with it
    for name in dropped.paths:
        note(unknown, f"{walker.shown((path, 'metadata'))}.{name}")


def _checked(value: dict[str, Any], path: Path, found: Found) -> None:
    _check_api_version(value.get("apiVersion"), walker.shown((path, "apiVersion")), found)
    _check_kind(value.get("kind"), walker.shown((path, "kind")), found)
    if value.get("metadata") is None:
        return
    where = walker.shown((path, "metadata"))
    try:
        meta = walker.walk(schema.object_meta(), value["metadata"], walker.Unknown())
    except walker.Malformed as error:
        found.put(causes.invalid(where, value["metadata"], str(error)))
        return
    meta = {"name": "fakename"} | {key: item for key, item in meta.items() if item != ""}
    for cause in objectmeta.check(
        meta, namespaced=bool(meta.get("namespace")), name_rule=_path_segment
    ):
        field = where + cause.field.removeprefix("metadata")
        found.put(type(cause)(cause.reason, cause.message, field))


def _check_api_version(text: Any, where: str, found: Found) -> None:
    if text in (None, ""):
        found.put(causes.required(where))
    elif not isinstance(text, str):
        found.put(causes.invalid(where, text, "must be a string"))
    elif text.count("/") > 1:
        found.put(causes.invalid(where, text, f"unexpected GroupVersion string: {text}"))


def _check_kind(text: Any, where: str, found: Found) -> None:
    if text in (None, ""):
        found.put(causes.required(where))
    elif not isinstance(text, str):
        found.put(causes.invalid(where, text, "must be a string"))
    elif told := metadata.dns1035_label(text.lower()):
        found.put(causes.invalid(where, text, _KIND + ",".join(told)))


def _path_segment(text: str) -> metadata.Complaints:
    """What a name that stands in a path may not be or hold."""
    if text in (".", ".."):
        return (f"may not be '{text}'",)
    return tuple(f"may not contain '{sign}'" for sign in ("/", "%") if sign in text)
