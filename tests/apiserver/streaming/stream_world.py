"""A REST server whose pods run on a fake kubelet, and clients that speak SPDY by hand."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from fake_kubelet import FakeConnector, FakeKubelet
from rest_world import PODS, TOKEN, Api, serving

from cluster.api import identity
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.streams.spdy import session
from cluster.streams.spdy.session import Ended, Received, Replied

ADMIN = identity.User("admin", (identity.MASTERS,))
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SERVICES = "/api/v1/namespaces/default/services"


class World:
    """The server (`api`), the kubelet behind it, and the way to it."""

    def __init__(self, api: Api, connector: FakeConnector) -> None:
        self.api = api
        self.connector = connector
        self.kubelet = connector.fake

    @contextlib.asynccontextmanager
    async def websocket(
        self, path: str, *protocols: str
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self.api.session.ws_connect(
            self.api.url + path, headers=HEADERS, protocols=protocols
        ) as socket:
            yield socket

    @contextlib.asynccontextmanager
    async def spdy(self, path: str, *versions: str) -> AsyncIterator["SpdyPeer"]:
        reader, writer = await self.raw(
            "POST", path, Connection="Upgrade", Upgrade="SPDY/3.1", **_versions(versions)
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 101 "), head
        peer = SpdyPeer(head, reader, writer)
        try:
            yield peer
        finally:
            writer.close()

    async def raw(
        self, method: str, path: str, **headers: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.api.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {TOKEN}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return reader, writer

    async def add(self, resource: str, obj: dict[str, Any], namespace: str = "default") -> None:
        body = json.dumps(obj).encode()
        name = obj["metadata"]["name"]
        operation = Operation(Verb.CREATE, resource, namespace, name, body=body)
        await self.api.registry.one(operation, ADMIN)

    async def pod(self, name: str, **spec: Any) -> None:
        containers = [{"name": "c", "image": "busybox"}]
        await self.add(
            "pods", {"metadata": {"name": name}, "spec": {"containers": containers} | spec}
        )
        status = {"phase": "Running", "podIP": "10.244.0.5", "podIPs": [{"ip": "10.244.0.5"}]}
        await self.says("pods", name, status)

    async def node(self, name: str, address: str) -> None:
        await self.add("nodes", {"metadata": {"name": name}}, "")
        addresses = [{"type": "InternalIP", "address": address}]
        await self.says("nodes", name, {"addresses": addresses}, "")

    async def says(
        self, resource: str, name: str, status: dict[str, Any], namespace: str = "default"
    ) -> None:
        """Write a status, as a kubelet does."""
        body = json.dumps({"status": status}).encode()
        patch = Operation(Verb.PATCH, resource, namespace, name, "status", body, MERGE_PATCH)
        await self.api.registry.one(patch, ADMIN)


class SpdyPeer:
    """A client that speaks SPDY over a connection."""

    def __init__(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.head = head
        self.reader = reader
        self.writer = writer
        self.machine = session.Session(client=True)
        self.data: dict[int, bytes] = {}
        self.ended: dict[int, bool] = {}
        self.replied: list[int] = []

    def open(self, **headers: str) -> int:
        number = self.machine.open(tuple(headers.items()))
        self.data[number] = b""
        return number

    def send(self, number: int, data: bytes, *, fin: bool = False) -> None:
        self.machine.send(number, data, fin=fin)

    async def flush(self) -> None:
        self.writer.write(self.machine.take())
        await self.writer.drain()

    async def until(self, holds: Any) -> None:
        """Talk until `holds()`; the server may hang up when it does."""
        async with asyncio.timeout(10):
            await self.flush()
            while not holds():
                raw = await self.reader.read(1 << 16)
                assert raw, f"the server has hung up: {self.data} {self.ended}"
                for event in self.machine.feed(raw):
                    self._happened(event)
                await self.flush()

    def _happened(self, event: session.Event) -> None:
        match event:
            case Received(number, data, fin):
                self.data[number] += data
                if fin:
                    self.ended[number] = True
            case Replied(number, _):
                self.replied.append(number)
            case Ended(number, _):
                self.ended[number] = False


@contextlib.asynccontextmanager
async def streaming(**settings: Any) -> AsyncIterator[World]:
    """`settings` are those of `serving`."""
    connector = FakeConnector(FakeKubelet())
    async with serving(connector, **settings) as api:
        world = World(api, connector)
        await world.node("n1", "10.0.0.1")
        await world.pod("web", nodeName="n1")
        await world.pod("idle")
        yield world


def path(name: str, subresource: str, query: str = "") -> str:
    return f"{PODS}/{name}/{subresource}" + (f"?{query}" if query else "")


def _versions(versions: tuple[str, ...]) -> dict[str, str]:
    return {"X-Stream-Protocol-Version": ", ".join(versions)} if versions else {}
