"""create, update, patch, delete and deletecollection."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from cluster.api import errors, json_text
from cluster.api.operations import APPLY_PATCH, Operation, Verb
from cluster.apiserver import codec
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import answers, query, requests
from cluster.apiserver.rest.exchange import Request
from cluster.apiserver.rest.query import WriteOptions
from cluster.apiserver.rest.reads import Reads, encoded
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.watchcache.entry import Entry


class _DeleteOptions(msgspec.Struct):
    dryRun: list[str] | None = None


_delete_options = json_text.reader(_DeleteOptions)


@dataclass(frozen=True, slots=True)
class Writes:
    """Answers writes to `registry`; `reads` gives objects their form."""

    registry: Registry
    reads: Reads

    async def create(self, call: Call) -> web.Response:
        """A new object, or what a subresource makes of a body (a binding)."""
        options = query.for_write(call.query, call.user_agent, "CreateOptions")
        operation = _operation(call, Verb.CREATE, await requests.body(call), options)
        return await self._carried_out(call, operation, HTTPStatus.CREATED)

    async def update(self, call: Call) -> web.Response:
        """The whole object anew."""
        options = query.for_write(call.query, call.user_agent, "UpdateOptions")
        operation = _operation(call, Verb.UPDATE, await requests.body(call), options)
        return await self._carried_out(call, operation, HTTPStatus.OK)

    async def patch(self, call: Call) -> web.Response:
        """A change to the object."""
        body, media = await requests.patch(call)
        options = query.for_write(call.query, call.user_agent, "PatchOptions")
        _check_patch(call, options, media)
        operation = _operation(call, Verb.PATCH, body, options, media)
        return await self._carried_out(call, operation, HTTPStatus.OK)

    async def delete(self, call: Call) -> web.Response:
        """The end of an object; the answer is a Status, or the object where it lingers."""
        body, dry_run = await _deletion(call)
        options = query.for_write(call.query, call.user_agent, "DeleteOptions")
        options = WriteOptions(dry_run or options.dry_run, options.manager)
        entry, warnings = await self._write(call, _operation(call, Verb.DELETE, body, options))
        response = encoded(call, entry.json)
        return answers.warned(response, warnings) if warnings else response

    async def delete_collection(self, call: Call) -> web.StreamResponse:
        """The end of every selected object; the answer lists them."""
        body, dry_run = await _deletion(call)
        options = query.for_write(call.query, call.user_agent, "DeleteOptions")
        selected = query.for_list(call.query)
        page = await self.registry.delete_collection(
            call.target.resource.id,
            call.target.namespace,
            call.user,
            labels=selected.labels,
            fields=selected.fields,
            body=body,
            dry_run=dry_run or options.dry_run,
            version=call.target.resource.version,
        )
        return await self.reads.listed(call, page)

    async def _carried_out(self, call: Call, operation: Operation, status: int) -> web.Response:
        entry, warnings = await self._write(call, operation)
        makes = operation.patch_type == APPLY_PATCH or operation.verb is Verb.UPDATE
        if makes and entry.created == entry.revision:
            status = HTTPStatus.CREATED
        response = self.reads.shown(call, entry.json, entry.revision, status)
        return answers.warned(response, warnings) if warnings else response

    async def _write(self, call: Call, operation: Operation) -> tuple[Entry, list[str]]:
        warnings: list[str] = []
        exchange = call.http.exchange if isinstance(call.http, Request) else None
        note = None
        if exchange is not None and exchange.trail is not None:
            annotate = exchange.annotate
            note = lambda _index, key, value: annotate(key, value)  # noqa: E731
        try:
            entry = await self.registry.one(
                operation, call.user, lambda _index, text: warnings.append(text), note
            )
        except errors.StatusError as error:
            error.warnings = tuple(warnings)
            raise
        if entry is None:
            raise RuntimeError("the registry gave no object where one was asked for")
        return entry, warnings


def _operation(
    call: Call, verb: Verb, body: bytes, options: WriteOptions, patch_type: str = ""
) -> Operation:
    target = call.target
    return Operation(
        verb,
        target.resource.id,
        target.namespace,
        target.name,
        target.subresource,
        body,
        patch_type,
        dry_run=options.dry_run,
        field_manager=options.manager,
        field_validation=options.validation,
        version=target.resource.version,
        force=bool(options.force),
    )


def _check_patch(call: Call, options: WriteOptions, media: str) -> None:
    if media == APPLY_PATCH:
        if not call.query.get("fieldManager"):
            raise errors.invalid("PatchOptions", "meta.k8s.io", "", [_MANAGER_NEEDED])
    elif options.force is not None:
        raise errors.invalid("PatchOptions", "meta.k8s.io", "", [_NO_FORCE])


_MANAGER_NEEDED = errors.Cause(
    "FieldValueRequired", "Required value: is required for apply patch", "fieldManager"
)
_NO_FORCE = errors.Cause(
    "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force"
)


async def _deletion(call: Call) -> tuple[bytes, bool]:
    """DeleteOptions of the body, else of the query, and whether they ask for a dry run."""
    body = await requests.body(call)
    if not body:
        return _from_query(call), False
    try:
        return body, bool(_delete_options(body).dryRun)
    except json_text.Malformed:
        return body, False  # the registry says what is wrong with it


def _from_query(call: Call) -> bytes:
    found: dict[str, Any] = {}
    if "gracePeriodSeconds" in call.query:
        found["gracePeriodSeconds"] = query.number(call.query, "gracePeriodSeconds")
    if call.query.get("propagationPolicy"):
        found["propagationPolicy"] = call.query["propagationPolicy"]
    if "orphanDependents" in call.query:
        found["orphanDependents"] = query.boolean(call.query, "orphanDependents")
    return codec.document(found) if found else b""
