"""A `client.transport.Transport` over the REST API: clients that are no components use that."""

import json
import ssl
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from cluster.api import errors
from cluster.api.operations import Operation, Verb
from cluster.client.client import Client
from cluster.client.transport import Outcome, Raw, RawEvent, RawPage
from cluster.launcher import kubeconfig

_METHODS = {Verb.CREATE: "POST", Verb.UPDATE: "PUT", Verb.PATCH: "PATCH", Verb.DELETE: "DELETE"}
_LINE = 4 << 20
_encode = msgspec.json.Encoder().encode


class RestTransport:
    """Reaches core resources in namespaces (ConfigMaps) over HTTPS."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server.rstrip("/")

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See `Transport.get`."""
        return _raw(await self._ask("GET", _path(resource, namespace, name)))

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """See `Transport.list`: all of them."""
        listed = await self._ask("GET", _path(resource, namespace))
        items = [_raw(each) for each in listed.get("items") or ()]
        return RawPage(items, int(listed["metadata"]["resourceVersion"]))

    async def listed_at(self, resource: str, namespace: str, revision: int) -> Sequence[Any]:
        """The objects as they were at a revision. errors.Expired."""
        query = f"?resourceVersion={revision}&resourceVersionMatch=Exact"
        listed = await self._ask("GET", _path(resource, namespace) + query)
        return listed.get("items") or []

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncGenerator[Sequence[RawEvent], None]:
        """See `Transport.watch`."""
        query = {"watch": "1", "resourceVersion": str(revision), "allowWatchBookmarks": "true"}
        try:
            async with self._session.get(
                self._server + _path(resource, namespace), params=query, timeout=_ENDLESS
            ) as answer:
                if answer.status != 200:
                    raise errors.from_status(await answer.json())
                async for line in answer.content:
                    yield [_event(json.loads(line))]
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as fault:
            raise errors.ServiceUnavailable(f"the watch broke: {fault!r}") from fault

    async def write(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """See `Transport.write`: one request each."""
        return [await self._write(each) for each in batch]

    async def read(self, path: str) -> bytes:
        """See `Transport.read`."""
        return _encode(await self._ask("GET", path))

    async def _write(self, operation: Operation) -> Outcome:
        name = "" if operation.verb is Verb.CREATE else operation.name
        path = _path(operation.resource, operation.namespace, name)
        kind = operation.patch_type or "application/json"
        try:
            found = await self._ask(_METHODS[operation.verb], path, operation.body, kind)
        except errors.StatusError as error:
            return error
        return _raw(found) if operation.want_object else None

    async def _ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> Any:
        try:
            async with self._session.request(
                method, self._server + path, data=body or None, headers={"Content-Type": kind}
            ) as answer:
                found = await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise errors.ServiceUnavailable(f"no answer: {fault!r}") from fault
        if answer.status >= 300:
            raise errors.from_status(found if isinstance(found, dict) else {})
        return found


_ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=5)


def _path(resource: str, namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/{resource}" + (f"/{name}" if name else "")


def _raw(obj: Any) -> Raw:
    return Raw(_encode(obj), int(obj["metadata"].get("resourceVersion") or 0))


def _event(told: Any) -> RawEvent:
    obj = told["object"]
    if told["type"] == "ERROR":
        raise errors.Expired("") if obj.get("code") == 410 else errors.from_status(obj)
    return RawEvent(told["type"], _encode(obj), int(obj["metadata"]["resourceVersion"]))


@asynccontextmanager
async def client(config: Path, manager: str) -> AsyncIterator[Client]:
    """A client of the REST server that a kubeconfig names, with connections of its own."""
    async with transport(config) as reached, Client(reached, manager=manager) as made:
        yield made


@asynccontextmanager
async def transport(config: Path) -> AsyncIterator[RestTransport]:
    """The way to that server."""
    access = kubeconfig.access(config)
    tls = ssl.create_default_context(cadata=access.authority.decode())
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(access.certificate + b"\n" + access.key)
        pair.flush()
        tls.load_cert_chain(pair.name)
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=_LINE) as session:
        yield RestTransport(session, access.server)
