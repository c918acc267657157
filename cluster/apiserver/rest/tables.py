"""Objects in other forms than their own: Tables and PartialObjectMetadata. Pure.

A row's cells are worked out anew for each answer, for ages change; the metadata beside them are
the stored bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import msgspec

from cluster.api import errors, printing
from cluster.api.resources import Column, Resource
from cluster.apiserver import codec
from cluster.apiserver.pages import Page
from cluster.apiserver.rest.negotiation import Form

Include = Literal["None", "Metadata", "Object"]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Style:
    """How to show objects: the form, what rows carry beside their cells, and the time that ages
    are counted to (seconds since the epoch).
    """

    form: Form
    included: Include = "Metadata"
    now: float = 0.0


class _Head(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


_head = msgspec.json.Decoder(_Head).decode


def include(text: str | None) -> Include:
    """What `includeObject` asks for. errors.BadRequest."""
    match text:
        case None | "" | "Metadata":
            return "Metadata"
        case "None":
            return "None"
        case "Object":
            return "Object"
    raise errors.BadRequest(f'unrecognized includeObject value: "{text}"')


def row(resource: Resource, json: bytes, style: Style) -> bytes:
    """One TableRow."""
    obj = codec.decode(json)
    printer = printing.of(resource)
    found: dict[str, Any] = {"cells": printer.cells(obj, style.now)}
    conditions = printer.conditions(obj)
    if conditions:
        found["conditions"] = conditions
    if style.included == "Object":
        found["object"] = msgspec.Raw(json)
    elif style.included == "Metadata":
        found["object"] = msgspec.Raw(partial(json, style.form.version))
    else:
        found["object"] = None
    return _encode(found)


def table(
    resource: Resource, rows: Sequence[bytes], metadata: dict[str, Any], version: str
) -> bytes:
    """A Table of ready rows."""
    return b'{"kind":"Table","apiVersion":"meta.k8s.io/%b","metadata":%b,%b,"rows":[%b]}' % (
        version.encode(),
        _encode(metadata),
        _columns(printing.of(resource).columns),
        b",".join(rows),
    )


def partial(json: bytes, version: str) -> bytes:
    """The PartialObjectMetadata of an object."""
    return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":%b}' % (
        version.encode(),
        bytes(_head(json).metadata),
    )


def partial_list(jsons: Iterable[bytes], metadata: dict[str, Any], version: str) -> bytes:
    """The PartialObjectMetadataList of objects."""
    items = b",".join([partial(json, version) for json in jsons])
    return (
        b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/%b","metadata":%b,'
        b'"items":[%b]}' % (version.encode(), _encode(metadata), items)
    )


def object_list(resource: Resource, page: Page) -> list[bytes]:
    """The list itself, of the bytes that the entries hold, in pieces to be joined."""
    head = b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
        resource.list_kind.encode(),
        resource.api_version.encode(),
        _encode(list_metadata(page)),
    )
    pieces = [head]
    for entry in page.items:
        pieces += (entry.json, b",")
    if page.items:
        pieces.pop()
    pieces.append(b"]}")
    return pieces


def list_metadata(page: Page) -> dict[str, Any]:
    """The ListMeta of a page."""
    # What is worked out when it is asked for has no revision.
    found: dict[str, Any] = {"resourceVersion": str(page.revision)} if page.revision else {}
    if page.token:
        found["continue"] = page.token
    if page.remaining:
        found["remainingItemCount"] = page.remaining
    return found


def one(resource: Resource, json: bytes, revision: int, style: Style) -> bytes:
    """One object in a style. errors.NotAcceptable."""
    form = style.form
    if form.shape == "Table":
        cells = row(resource, json, style)
        return table(resource, [cells], {"resourceVersion": str(revision)}, form.version)
    if form.shape == "PartialObjectMetadata":
        return partial(json, form.version)
    if form.shape:
        raise errors.NotAcceptable(f"one object cannot be given as a {form.shape}")
    return json


@lru_cache(256)
def _columns(columns: tuple[Column, ...]) -> bytes:
    return b'"columnDefinitions":%b' % _encode([_column(column) for column in columns])


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }
