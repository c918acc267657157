"""The registry as a component: its socket, its endpoints, and who may use them."""

import asyncio
import contextlib
import errno
import logging
import os
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from cluster.aio.clock import Clock
from cluster.images.registry import blobs as blob_endpoint
from cluster.images.registry import collecting, listing, pushing, routes
from cluster.images.registry import manifests as manifest_endpoint
from cluster.images.registry.access import Access, Wanted
from cluster.images.registry.config import Config
from cluster.images.registry.errors import Refused
from cluster.images.registry.exchange import VERSION, Exchange, Shelf, answer, in_json
from cluster.images.registry.uploads import Uploads
from cluster.images.store import locks
from cluster.images.store.blobs import Blobs

_Endpoint = Callable[[Exchange], Awaitable[web.StreamResponse]]
_ENDPOINTS: Final[dict[str, _Endpoint]] = {
    "catalog": listing.catalog, "tags": listing.tags, "referrers": listing.referrers,
    "uploads": pushing.begin, "upload": pushing.go_on,
    "blob": blob_endpoint.serve, "manifest": manifest_endpoint.serve,
}  # fmt: skip
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Registry:
    """Serves `config.root`. `port` is where, once it is ready."""

    def __init__(
        self, config: Config, *, clock: Clock, random: random.Random,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self._tls = tls
        self._log = structlog.get_logger()
        store = Blobs(config.root)
        uploads = Uploads(store, random, config.max_uploads, config.upload_expiry)
        self._shelf = Shelf(config, clock, store, uploads)
        self._access = Access(config, clock, random.randbytes(32))
        self.ready = asyncio.Event()
        self.port = 0

    async def run(self) -> None:
        """Serve until cancelled. OSError, faults.Busy where another registry has the folder."""
        own = locks.held(self._config.root / ".registry.lock", alone=True, wait=2.0)
        async with own, self._serving():
            self._shelf.blobs.sweep(float("inf"))
            self.ready.set()
            while True:
                await self.collect()
                await asyncio.sleep(self._config.collect_every)

    async def collect(self) -> tuple[int, int]:
        """Remove uploads and blobs that nobody wants any more; how many blobs, and their bytes."""
        self._shelf.uploads.expire()
        async with self._shelf.settled:
            count, size = await asyncio.to_thread(
                collecting.collect, self._shelf, self._shelf.clock.now()
            )
        if count:
            self._log.info("collected garbage", blobs=count, bytes=size)
        return count, size

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        # What it says of clients that go away is of no use to anybody.
        quiet = logging.getLogger("cluster.images.registry")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        # Bytes are kept as they come: what unpacks to gigabytes is never unpacked.
        server = web.Server(self._handle, access_log=None, logger=quiet, auto_decompress=False)
        runner = web.ServerRunner(server)
        await runner.setup()
        try:
            config = self._config
            site = web.TCPSite(runner, config.host, config.port, ssl_context=self._tls)
            await site.start()
            self.port = runner.addresses[0][1]
            self._log.info("serving images", host=config.host, port=self.port)
            yield
        finally:
            self._shelf.uploads.close()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._routed(request)
        except Refused as refused:
            return _refusal(refused, request)
        except OSError as error:
            if isinstance(error, ConnectionError) or error.errno not in _FULL:
                raise
            said = f"the registry's disk is full: {os.strerror(error.errno or 0)}"
            return _refusal(Refused("UNAVAILABLE", said), request)

    async def _routed(self, request: web.BaseRequest) -> web.StreamResponse:
        route = routes.find(request.path)
        if route is None:
            raise Refused("NAME_UNKNOWN", f"there is nothing at {request.path[:200]}")
        if request.method not in routes.METHODS[route.endpoint]:
            allowed = {"Allow": ", ".join(routes.METHODS[route.endpoint])}
            raise Refused("UNSUPPORTED", "the operation is unsupported", headers=allowed)
        if route.endpoint == "health":
            return answer(200, body=b"ok\n", type="text/plain")
        if route.endpoint == "token":
            return await self._token(request)
        may_mount = await self._let_in(request, route)
        if route.endpoint == "base":
            return in_json({})
        exchange = Exchange(self._shelf, request, route, may_mount)
        return await _ENDPOINTS[route.endpoint](exchange)

    async def _let_in(self, request: web.BaseRequest, route: routes.Route) -> bool:
        """Refused; and whether what is to be mounted may be pulled."""
        header = request.headers.get("Authorization", "")
        base = f"{request.scheme}://{request.host}"
        name = route.name or ("_catalog" if route.endpoint == "catalog" else "")
        await self._access.check(header, Wanted(name, route.action(request.method)), base)
        source = request.query.get("from") if route.endpoint == "uploads" else None
        if not source:
            return True
        try:
            await self._access.check(header, Wanted(source, "pull"), base)
        except Refused:
            return False
        return True

    async def _token(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self._access.tokens:
            raise Refused("NAME_UNKNOWN", "this registry gives no tokens", status=404)
        scopes = [one for said in request.query.getall("scope", []) for one in said.split(" ")]
        header = request.headers.get("Authorization", "")
        return in_json(await self._access.token(header, scopes))


def _refusal(refused: Refused, request: web.BaseRequest) -> web.StreamResponse:
    headers = {**VERSION, **refused.headers}
    body = b"" if request.method == "HEAD" else refused.body()
    return answer(refused.status, headers, body, "application/json")
