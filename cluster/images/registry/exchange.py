"""What every endpoint works with: the request, the shelf that holds everything, and answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from cluster.aio.clock import Clock
from cluster.images import digests
from cluster.images.registry.config import Config
from cluster.images.registry.errors import Refused
from cluster.images.registry.repositories import Repository, checked_name
from cluster.images.registry.routes import Route
from cluster.images.registry.uploads import Uploads
from cluster.images.store.blobs import Blobs

VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_MOST: Final = 1000
_CHUNK: Final = 256 << 10


@dataclass(slots=True, eq=False)
class Shelf:
    """What the registry has. `settled` is held by whoever writes a manifest or collects garbage."""

    config: Config
    clock: Clock
    blobs: Blobs
    uploads: Uploads
    settled: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def root(self) -> Path:
        """The registry's folder."""
        return self.config.root

    def repository(self, name: str) -> Repository:
        """A repository, be it there or not. Refused NAME_INVALID."""
        return Repository(self.root, checked_name(name))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request. `may_mount`: whether its sender may pull from what it would mount from."""

    shelf: Shelf
    request: web.BaseRequest
    route: Route
    may_mount: bool = True

    @property
    def method(self) -> str:
        """GET, PUT…"""
        return self.request.method

    @property
    def repository(self) -> Repository:
        """The repository that the path names. Refused NAME_INVALID."""
        return self.shelf.repository(self.route.name)

    def header(self, name: str) -> str:
        """A header of the request, "" without it."""
        return self.request.headers.get(name, "")

    def digest(self) -> str:
        """The digest at the path's end. Refused DIGEST_INVALID."""
        return checked_digest(self.route.what)

    def parameter(self, name: str) -> str:
        """A query parameter, "" without it."""
        return self.request.query.get(name, "")

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it comes. Refused where it does not go on."""
        content = self.request.content
        while True:
            try:
                async with asyncio.timeout(self.shelf.config.read_timeout):
                    data = await content.read(_CHUNK)
            except TimeoutError:
                raise Refused(
                    "BLOB_UPLOAD_INVALID", "the rest of the body did not come", status=408
                ) from None
            if not data:
                return
            yield data

    async def whole_body(self, limit: int) -> bytes:
        """The body of at most `limit` bytes. Refused SIZE_INVALID."""
        too_large = Refused("SIZE_INVALID", f"more than {limit} bytes", status=413)
        if (self.request.content_length or 0) > limit:
            raise too_large
        data = bytearray()
        async for chunk in self.body():
            data += chunk
            if len(data) > limit:
                raise too_large
        return bytes(data)


def checked_digest(text: str) -> str:
    """A digest that is known here. Refused DIGEST_INVALID."""
    if not digests.is_digest(text):
        why = "unsupported digest algorithm" if digests.looks_like_one(text) else "invalid digest"
        raise Refused("DIGEST_INVALID", why, detail={"digest": text[:200]})
    return text


def answer(
    status: int, headers: Mapping[str, str] | None = None, body: bytes = b"", type: str = ""
) -> web.StreamResponse:
    """An answer. Its body may be none."""
    given = {**VERSION, **(headers or {})}
    if type:
        given["Content-Type"] = type
    return web.Response(status=status, headers=given, body=body)


def in_json(document: Any, headers: Mapping[str, str] | None = None) -> web.StreamResponse:
    """An answer in JSON."""
    return answer(200, headers, json.dumps(document).encode() + b"\n", "application/json")


def page(exchange: Exchange, names: list[str]) -> tuple[list[str], dict[str, str]]:
    """The part of sorted names that `n` and `last` ask for, and the Link to the next. Refused."""
    last, count = exchange.parameter("last"), exchange.parameter("n")
    if count and not (count.isascii() and count.isdigit() and len(count) < 10):
        raise Refused(
            "PAGINATION_NUMBER_INVALID", "invalid number of results requested",
            detail={"n": count[:20]},
        )  # fmt: skip
    most = min(int(count), _MOST) if count else _MOST
    rest = [name for name in names if name > last] if last else names
    found = rest[:most]
    if len(rest) <= most or not found:
        return found, {}
    path = quote(exchange.request.path)
    link = f'<{path}?n={most}&last={quote(found[-1], safe="")}>; rel="next"'
    return found, {"Link": link}
