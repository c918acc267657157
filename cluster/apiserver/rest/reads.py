"""get and list."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from cluster.aio.clock import Clock
from cluster.api import errors, subresources
from cluster.api.resources import Resource
from cluster.apiserver.chaos import stale
from cluster.apiserver.pages import Page
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import answers, negotiation, protobuf_answers, query, tables
from cluster.apiserver.rest.paths import Target
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.rest.tables import Style
from cluster.apiserver.subresources import scale

_ROWS_A_TURN = 500


@dataclass(frozen=True, slots=True)
class Reads:
    """Answers gets and lists of `registry`."""

    registry: Registry
    clock: Clock

    async def get(self, call: Call) -> web.Response:
        """One object, or a subresource of it."""
        target = call.target
        if call.past and not target.subresource:
            row, place = target.resource, (target.namespace, target.name)
            old = await stale.get(self.registry, row.id, place, call.past, row.version)
            return self.shown(call, old.json, old.revision)
        entry = await self.registry.get(
            target.resource.id,
            target.namespace,
            target.name,
            subresource=target.subresource,
            revision=call.query.get("resourceVersion", ""),
            version=target.resource.version,
        )
        return self.shown(call, entry.json, entry.revision)

    def shown(self, call: Call, json: bytes, revision: int, status: int = 200) -> web.Response:
        """One object in the form that the client asked for."""
        if not call.form.plain:
            json = tables.one(of_target(call.target), json, revision, self._style(call))
        return encoded(call, json, status)

    async def list(self, call: Call) -> web.StreamResponse:
        """Objects of a resource, or a page of them."""
        options = query.for_list(call.query)
        target = call.target
        if call.past and not options.token:
            options = replace(options, **stale.as_of(call.past))
        page = await self.registry.list(
            target.resource.id,
            target.namespace,
            labels=options.labels,
            fields=options.fields,
            limit=options.limit,
            token=options.token,
            revision=options.revision,
            match=options.match,
            version=target.resource.version,
        )
        return await self.listed(call, page)

    async def listed(self, call: Call, page: Page) -> web.StreamResponse:
        """A page in the form that the client asked for."""
        if call.form.protobuf:
            return await self._in_protobuf(call, page)
        if call.form.shape:
            return encoded(call, await self._shaped(call, page))
        pieces = tables.object_list(call.target.resource, page)
        if call.form.plain and not _for_people(call):
            return await answers.pieces(call.http, pieces)
        return encoded(call, b"".join(pieces))

    async def _in_protobuf(self, call: Call, page: Page) -> web.Response:
        row, form, found = call.target.resource, call.form, list[bytes]()
        if form.shape == "PartialObjectMetadata":
            raise errors.NotAcceptable(f"a list cannot be given as a {form.shape}")
        for start in range(0, len(page.items), _ROWS_A_TURN):
            if start:
                await asyncio.sleep(0)
            entries = page.items[start : start + _ROWS_A_TURN]
            found += protobuf_answers.items(row, form, entries)
        metadata = tables.list_metadata(page)
        return answers.protobuf(protobuf_answers.listed(row, form, metadata, found))

    async def _shaped(self, call: Call, page: Page) -> bytes:
        form = call.form
        metadata = tables.list_metadata(page)
        if form.shape == "Table":
            rows = await self._rows(call, page)
            return tables.table(call.target.resource, rows, metadata, form.version)
        if form.shape == "PartialObjectMetadataList":
            jsons = (entry.json for entry in page.items)
            return tables.partial_list(jsons, metadata, form.version)
        raise errors.NotAcceptable(f"a list cannot be given as a {form.shape}")

    def _style(self, call: Call) -> Style:
        included = tables.include(call.query.get("includeObject"))
        return Style(call.form, included, self.clock.now())

    async def _rows(self, call: Call, page: Page) -> Sequence[bytes]:
        """The rows of a Table; others have their turn between the parts of a long one."""
        resource, style, rows = call.target.resource, self._style(call), []
        for start in range(0, len(page.items), _ROWS_A_TURN):
            if start:
                await asyncio.sleep(0)
            rows += [
                tables.row(resource, entry.json, style)
                for entry in page.items[start : start + _ROWS_A_TURN]
            ]
        return rows


def of_target(target: Target) -> Resource:
    """What is printed at a target: its resource, or the kind that a subresource gives."""
    if target.subresource == "scale":
        return scale.ROW
    return target.resource


def encoded(call: Call, json: bytes, status: int = 200) -> web.Response:
    """JSON text in the media type that the client asked for."""
    if call.form.protobuf:
        return answers.protobuf(protobuf_answers.one(json), status)
    if call.form.media == negotiation.YAML:
        return answers.yaml(json, status)
    if _for_people(call):
        return answers.indented(json, status)
    return answers.json(json, status)


def _for_people(call: Call) -> bool:
    return answers.wants_indent(call.query.get("pretty"), call.user_agent)


def check_subresource(target: Target, verb: str) -> None:
    """errors.NotFound or errors.MethodNotAllowed if it is not served."""
    known = subresources.of(target.resource, target.subresource)
    if known is None:
        raise errors.NotFound("the server could not find the requested resource")
    if verb not in known.verbs:
        raise errors.MethodNotAllowed(
            "the server does not allow this method on the requested resource"
        )
