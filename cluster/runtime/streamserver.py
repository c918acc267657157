"""CRI's streaming server: exec, attach and port-forward by URLs that are good once, for a minute.

Source: k8s.io/kubelet/pkg/cri/streaming (server.go, request_cache.go). It listens on loopback, at a
port that is free, from when the first URL is asked for: our own kubelet never does.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from cluster.aio import rpc
from cluster.api import errors
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import forwarding, options, remotecommand, serving
from cluster.streams.options import Command
from cluster.streams.sessions import Sessions

TTL: Final = 60.0
MAX_IN_FLIGHT: Final = 1000
_TOKEN_BYTES: Final = 6
"""Eight characters, as the original's."""
_CLOSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """What a URL stands for: `kind` is `exec`, `attach` or `portforward`; `id` names a container,
    or for a port-forward a sandbox.
    """

    kind: str
    id: str
    wanted: Command | None = None


Outputs = Callable[[AsyncIterator[Any]], Awaitable[AsyncIterator[Any]]]


class StreamServer:
    """Serves the streams of a runtime. `url` begins it; `close` ends it."""

    def __init__(self, exec: Outputs, attach: Outputs, port_forward: Outputs) -> None:
        self._calls = {"exec": exec, "attach": attach, "portforward": port_forward}
        self._asked: OrderedDict[str, tuple[Asked, float]] = OrderedDict()
        self._sessions = Sessions(lambda _connection, _end: lambda: None)
        self._http: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._starting = asyncio.Lock()
        self._base = ""

    async def url(self, asked: Asked) -> str:
        """Where it is served. rpc.Failure."""
        now = asyncio.get_running_loop().time()
        while self._asked and next(iter(self._asked.values()))[1] <= now:
            self._asked.popitem(last=False)
        if len(self._asked) >= MAX_IN_FLIGHT:
            text = "maximum number of in-flight requests exceeded"
            raise rpc.Failure("RESOURCE_EXHAUSTED", text)
        async with self._starting:
            if not self._base:
                await self._listen()
        # Who has the token has the container: it must not follow from the ids that are shown.
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._asked[token] = asked, now + TTL
        return f"{self._base}/{asked.kind}/{token}"

    async def close(self) -> None:
        """Serve no more."""
        if self._listener is not None:
            self._listener.close()
        if self._http is not None:
            self._http.pre_shutdown()
            await self._http.shutdown(_CLOSE_SECONDS)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._http = web.Server(
            self._answer,
            access_log=None,
            logger=logging.getLogger("kubemu.streams"),
            auto_decompress=False,  # nobody here reads a body
        )
        try:
            self._listener = await loop.create_server(self._http, "127.0.0.1", 0)
        except OSError as error:
            raise rpc.Failure(
                "UNAVAILABLE", f"the streaming server cannot listen: {error}"
            ) from error
        host, port = self._listener.sockets[0].getsockname()[:2]
        self._base = f"http://{host}:{port}"

    async def _answer(self, http: web.BaseRequest) -> web.StreamResponse:
        try:
            kind, _, token = http.path.strip("/").partition("/")
            asked = self._asked.get(token)
            if asked is None or asked[0].kind != kind or asked[1] <= _now():
                raise errors.NotFound("404: Not Found")
            if http.method not in ("GET", "POST"):
                return web.Response(status=405, text="405: Method Not Allowed")
            del self._asked[token]
            async with self._sessions.session(http.protocol) as touch:
                return await self._serve(http, asked[0], touch)
        except errors.StatusError as error:
            return web.Response(status=error.code, text=error.message)

    async def _serve(
        self, http: web.BaseRequest, asked: Asked, touch: Callable[[], None]
    ) -> web.StreamResponse:
        call = self._calls[asked.kind]
        if asked.wanted is None:
            way = serving.for_ports(http, options.values(http.query_string))
            target = forwarding.Target(_Forwarder(call), "", "", asked.id, "")
            return await serving.ports(http, way, target, touch)
        wanted = asked.wanted
        executes = asked.kind == "exec"
        doing = remotecommand.EXECUTING if executes else remotecommand.ATTACHING
        start = pb.StreamStart(
            container=pb.ContainerRef(container=asked.id),
            command=wanted.command,
            stdin=wanted.stdin,
            stdout=wanted.stdout,
            stderr=wanted.stderr,
            tty=wanted.tty,
        )
        way = serving.for_commands(http)
        job = remotecommand.Job(lambda inputs: _outputs(call, inputs), start, doing, touch)
        return await serving.command(http, way, wanted, job)


class _Forwarder:
    """A runtime's port-forward, as `forwarding` calls it."""

    def __init__(self, call: Outputs) -> None:
        self._call = call

    def port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput], /
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """See `forwarding.Forwarder`."""
        return _outputs(self._call, inputs)


async def _outputs(call: Outputs, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async with contextlib.aclosing(await call(inputs)) as stream:  # type: ignore[type-var]
        async for one in stream:
            yield one


def _now() -> float:
    return asyncio.get_running_loop().time()
