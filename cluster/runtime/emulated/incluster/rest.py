"""The client seam over Kubernetes' REST, on a pod's sockets: TLS, a bearer token, one request a
connection. Answers are bounded; what is no answer of Kubernetes is errors.ServiceUnavailable.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from cluster.api import errors
from cluster.api.operations import Operation, Verb
from cluster.api.resources import BUILT_IN, Resource
from cluster.client.transport import Outcome, Raw, RawEvent, RawPage
from cluster.runtime.emulated import incluster
from cluster.runtime.emulated.web import client as http
from cluster.runtime.emulated.web.messages import Headers, TooLarge
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream
from cluster.runtime.vos.tls import Tls

_CALL_SECONDS: Final = 30.0
_LIST_SECONDS: Final = 60.0
_SILENCE: Final = 660.0
"""Seconds that a watch may say nothing: it is rotated before."""
_PAGE: Final = 500
_MOST: Final = 256 << 20
"""Bytes of an answer."""
_LINE: Final = 16 << 20
"""Bytes of an event."""
_METHODS: Final = {
    Verb.CREATE: "POST", Verb.UPDATE: "PUT", Verb.PATCH: "PATCH", Verb.DELETE: "DELETE",
}  # fmt: skip


class _Meta(msgspec.Struct):
    resource_version: str = msgspec.field(default="0", name="resourceVersion")
    token: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _Meta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Versioned(msgspec.Struct):
    metadata: _Meta


_list = msgspec.json.Decoder(_List).decode
_event = msgspec.json.Decoder(_Event).decode
_versioned = msgspec.json.Decoder(_Versioned).decode


class RestTransport:
    """A `client.transport.Transport` for a program in a pod. incluster.Outside."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._host = call.env.get("KUBERNETES_SERVICE_HOST", "")
        port = call.env.get("KUBERNETES_SERVICE_PORT", "")
        if not self._host or not port.isdigit():
            raise incluster.Outside(
                "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
                "KUBERNETES_SERVICE_PORT must be defined"
            )
        self._port = int(port)
        incluster.token(call)  # that there is one is seen now

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See `Transport.get`."""
        async with _within(_CALL_SECONDS):
            data = await self._ask("GET", _path(resource, namespace, name))
        return _raw(data)

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """See `Transport.list`; asks for it page by page."""
        items: list[Raw] = []
        while True:
            query = {"labelSelector": labels, "fieldSelector": fields,
                     "limit": str(limit or _PAGE), "continue": token}  # fmt: skip
            async with _within(_LIST_SECONDS):
                data = await self._ask("GET", _path(resource, namespace), query)
            try:
                page = _list(data)
                items += [_raw(bytes(one)) for one in page.items or ()]
                revision = int(page.metadata.resource_version or 0)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                raise errors.ServiceUnavailable(f"the answer is no list: {error}") from error
            token = page.metadata.token
            if limit or not token:
                return RawPage(items, revision, token)

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncGenerator[Sequence[RawEvent], None]:
        """See `Transport.watch`."""
        query = {"watch": "true", "resourceVersion": str(revision), "labelSelector": labels,
                 "fieldSelector": fields, "allowWatchBookmarks": "true"}  # fmt: skip
        async with self._answered("GET", _path(resource, namespace), query) as talk:
            rest = b""
            while True:
                async with _within(_SILENCE):
                    data = await talk.read()
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > _LINE:
                    raise errors.ServiceUnavailable("an event is too long")
                events = [_told(line) for line in lines if line]
                if events:
                    yield events

    async def write(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """See `Transport.write`: one request an operation, in order."""
        found: list[Outcome] = []
        for operation in batch:
            try:
                async with _within(_CALL_SECONDS):
                    found.append(await self._write(operation))
            except errors.StatusError as error:
                found.append(error)
        return found

    async def read(self, path: str) -> bytes:
        """See `Transport.read`."""
        async with _within(_CALL_SECONDS):
            return await self._ask("GET", path)

    async def _write(self, operation: Operation) -> Raw | None:
        create = operation.verb is Verb.CREATE
        name = "" if create and not operation.subresource else operation.name
        path = _path(operation.resource, operation.namespace, name)
        if operation.subresource:
            path += "/" + quote(operation.subresource)
        patch = operation.verb is Verb.PATCH
        query = {"fieldManager": "" if operation.verb is Verb.DELETE else operation.field_manager,
                 "dryRun": "All" if operation.dry_run else "",
                 "force": "true" if operation.force else ""}  # fmt: skip
        kind = operation.patch_type if patch else "application/json"
        data = await self._ask(_METHODS[operation.verb], path, query, operation.body, kind)
        return _raw(data) if operation.want_object else None

    async def _ask(
        self, method: str, path: str, query: dict[str, str] | None = None, body: bytes = b"",
        kind: str = "application/json",
    ) -> bytes:  # fmt: skip
        """All of an answer. errors.StatusError."""
        async with self._answered(method, path, query or {}, body, kind) as talk:
            return await talk.everything(_MOST)

    @asynccontextmanager
    async def _answered(
        self, method: str, path: str, query: dict[str, str], body: bytes = b"",
        kind: str = "application/json",
    ) -> AsyncIterator[http.Conversation]:  # fmt: skip
        """A conversation whose answer has come, and is none of a failure. errors.StatusError."""
        asked = urlencode({key: value for key, value in query.items() if value})
        separator = ("&" if "?" in path else "?") if asked else ""
        headers = Headers([
            ("Host", f"{self._host}:{self._port}"), ("Accept", "application/json"),
            ("User-Agent", self._call.argv[0].rpartition("/")[2] or "kubemu"),
            ("Authorization", f"Bearer {incluster.token(self._call)}"), ("Connection", "close"),
        ])  # fmt: skip
        if body:
            headers.add("Content-Type", kind)
        stream: Stream | None = None
        try:
            async with _within(_CALL_SECONDS):
                stream = await self._connected()
                talk = http.Conversation(stream)
                await talk.send(method, path + separator + asked, headers, body)
                answer = await talk.answer()
                if answer.status >= 400:
                    raise _failure(answer.status, await talk.everything(1 << 20))
            yield talk
        except (OSError, ssl.SSLError) as error:
            where = f"{self._host}:{self._port}"
            why = (error.strerror or str(error)).lower() if error.errno else str(error)
            raise errors.ServiceUnavailable(f"dial tcp {where}: connect: {why}") from error
        except (http.Empty, http.Malformed, http.Cut, TooLarge, ValueError) as error:
            raise errors.ServiceUnavailable(f"the API server's answer: {error}") from error
        except incluster.Outside as error:
            raise errors.Unauthorized(str(error)) from error
        finally:
            if stream is not None:
                stream.close()

    async def _connected(self) -> Stream:
        """A connection, over TLS that is verified. OSError, ssl.SSLError, incluster.Outside."""
        files = self._call.files
        try:
            authority = files.read(f"{incluster.FOLDER}/ca.crt").decode(errors="replace")
        except OSError as error:
            raise incluster.Outside(f"open {incluster.FOLDER}/ca.crt: {error.strerror}") from error
        stream = await self._call.net.connect(self._host, self._port)
        try:
            tls = Tls(stream, _context(authority), self._host)
            await tls.handshake()
        except BaseException:
            stream.abort()
            raise
        return tls


@lru_cache(4)
def _context(authority: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority)


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """errors.Timeout where it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise errors.Timeout("the API server does not answer in time") from error


@lru_cache(1)
def _rows() -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for row in BUILT_IN:
        if row.served:
            found.setdefault(row.id, row)
    return found


def _path(resource: str, namespace: str, name: str = "") -> str:
    """Where a resource is. errors.NotFound for one that is unknown."""
    row = _rows().get(resource)
    if row is None:
        raise errors.NotFound("the server could not find the requested resource")
    parts = ["", "apis", row.group, row.version] if row.group else ["", "api", row.version]
    if row.namespaced and namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(row.plural)
    if name:
        parts.append(quote(name, safe=""))
    return "/".join(parts)


def _raw(data: bytes) -> Raw:
    """An object. errors.ServiceUnavailable for what is none."""
    try:
        return Raw(data, int(_versioned(data).metadata.resource_version or 0))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise errors.ServiceUnavailable(f"the answer is no object: {error}") from error


def _told(line: bytes) -> RawEvent:
    """An event of a watch. errors.StatusError for one that tells of a failure."""
    try:
        event = _event(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise errors.ServiceUnavailable(f"what a watch tells is no event: {error}") from error
    data = bytes(event.object)
    if event.type == "ERROR":
        raise _failure(500, data)
    raw = _raw(data)
    return RawEvent(event.type, b"" if event.type == "BOOKMARK" else data, raw.revision)


def _failure(code: int, data: bytes) -> errors.StatusError:
    try:
        body: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        body = None
    if isinstance(body, dict) and body.get("kind") == "Status":
        return errors.from_status(body)
    if code in (401, 403):
        kind = errors.Unauthorized if code == 401 else errors.Forbidden
        return kind(f"the server answered {code}")
    return errors.ServiceUnavailable(f"the server answered {code}")
