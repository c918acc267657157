"""The caller over HTTP: connections are kept, certificates checked, answers bounded."""

import asyncio
import functools
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Self

import aiohttp
import structlog
import yarl
from aiohttp.client_proto import ResponseHandler

from cluster.aio import tasks
from cluster.aio.certificatefiles import CertificateFiles
from cluster.api import errors
from cluster.apiserver.kubelets.protocol import Connector
from cluster.apiserver.kubelets.protocol import Unreachable as NoKubelet
from cluster.apiserver.outbound import services
from cluster.apiserver.outbound.protocol import Answer, Outgoing, Unreachable
from cluster.apiserver.streaming import podstream
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.streams.forwarding import Target

_LARGEST = 16 << 20
"""Bytes of an answer that are read at most."""
_CONNECTIONS = 100
_CONTEXTS = 256
_PIECE = 1 << 16


class HttpCaller:
    """Carries requests of an API server. Use it inside `async with`: it owns its connections.

    `client` are the files of the certificate and the key that servers are shown who ask; what is
    in them now is shown to who is connected to from now on.
    """

    def __init__(
        self,
        cache: WatchCache,
        connector: Connector,
        random: Random,
        client: tuple[str, str] | None = None,
    ) -> None:
        self._client = CertificateFiles(Path(client[0]), Path(client[1])) if client else None
        self._cache = cache
        self._connector = connector
        self._random = random
        self._contexts: dict[tuple[bytes, bool], ssl.SSLContext] = {}
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._group: tasks.Group | None = None
        self._log = structlog.get_logger().bind(component="apiserver")

    async def __aenter__(self) -> Self:
        self._group = await self._stack.enter_async_context(tasks.Group("outbound"))
        self._stack.callback(self._group.cancel)
        self._session = await self._stack.enter_async_context(
            _session(aiohttp.TCPConnector(limit=_CONNECTIONS))
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._session = None
        await self._stack.aclose()

    async def call(self, request: Outgoing, seconds: float) -> Answer:
        """See `Caller.call`."""
        try:
            async with asyncio.timeout(seconds), self.opened(request, seconds) as answer:
                return Answer(answer.status, answer.headers, await _body(answer))
        except TimeoutError:
            raise _trouble(request, "context deadline exceeded") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise _trouble(request, str(error) or type(error).__name__) from None

    @asynccontextmanager
    async def opened(
        self, request: Outgoing, seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer whose head has come within `seconds`; its body is the caller's to read, by
        aiohttp's reader, while the block lasts. Unreachable.
        """
        async with AsyncExitStack() as stack:
            yield await self._open(stack, request, seconds)

    async def _open(
        self, stack: AsyncExitStack, request: Outgoing, seconds: float
    ) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(seconds):
                return await self._called(stack, request)
        except TimeoutError:
            raise _trouble(request, "context deadline exceeded") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise _trouble(request, _certificate(error.certificate_error)) from None
        except aiohttp.ClientConnectorError as error:
            raise _trouble(request, _dialing(error)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _trouble(request, str(error) or type(error).__name__) from None
        except (errors.StatusError, NoKubelet, podstream.Refused) as error:
            raise _trouble(request, str(error)) from None

    async def _called(self, stack: AsyncExitStack, request: Outgoing) -> aiohttp.ClientResponse:
        if self._session is None:
            raise _trouble(request, "this API server is stopping")
        context = self._context(request)
        if request.service is None:
            sent = _sent(self._session, request, request.url, context)
            return await stack.enter_async_context(sent)
        place = services.resolve(self._cache, request.service, self._random)
        name = request.service.host
        if isinstance(place, services.Host):
            url = f"https://{_literal(place.name)}:{place.port}{request.path}"
            sent = _sent(self._session, request, url, context, name)
            return await stack.enter_async_context(sent)
        tunnel = _Tunnel(functools.partial(self._tunnelled, place), name)
        session = await stack.enter_async_context(_session(tunnel))
        sent = _sent(session, request, f"https://{name}{request.path}", context, name)
        return await stack.enter_async_context(sent)

    def _context(self, request: Outgoing) -> ssl.SSLContext:
        about = (request.ca, request.verify)
        if self._client is not None and self._client.changed():
            self._contexts.clear()
        found = self._contexts.get(about)
        if found is None:
            if len(self._contexts) >= _CONTEXTS:
                self._contexts.clear()
            found = _new_context(request)
            if self._client is not None:
                self._client.show(found)
            self._contexts[about] = found
        return found

    async def _tunnelled(self, place: services.Pod) -> socket.socket:
        """A socket whose other end is a port of a pod."""
        assert self._group is not None
        near, far = socket.socketpair()
        near.setblocking(False)
        self._group.spawn(self._bridge(place, far), f"tunnel to {place.name}")
        return near

    async def _bridge(self, place: services.Pod, far: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=far)
        try:
            node = self._cache.get("nodes", "", place.node)
            if node is None:
                return
            async with self._connector.kubelet(node.document()) as kubelet:
                target = Target(kubelet, place.node, place.namespace, place.name, place.uid)
                async with (
                    podstream.dial(target, place.port) as stream,
                    tasks.Group("bridge") as both,
                ):
                    both.spawn(_forward(reader, stream), "to the pod")
                    while data := await stream.read():
                        writer.write(data)
                        await writer.drain()
                    both.cancel()
        except (NoKubelet, podstream.Refused, ConnectionError, errors.StatusError):
            pass  # whoever waits at the near end sees it close
        except Exception as error:  # noqa: BLE001  (a fault of one tunnel must not end the server)
            self._log.error("tunnel failed unexpectedly", pod=place.name, exc_info=error)
        finally:
            writer.close()


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """A session without aiohttp's five minutes: who asks has deadlines, and a watch may last."""
    timeout = aiohttp.ClientTimeout(total=None)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)


def _sent(
    session: aiohttp.ClientSession,
    request: Outgoing,
    url: str,
    context: ssl.SSLContext,
    server_name: str | None = None,
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    return session.request(
        request.method,
        yarl.URL(url, encoded=True),
        data=request.body or None,
        headers=request.headers,
        ssl=context,
        server_hostname=server_name,
        allow_redirects=False,
    )


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body. ValueError where it is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(_PIECE):
        size += len(part)
        if size > _LARGEST:
            raise ValueError(f"the answer is larger than {_LARGEST} bytes")
        parts.append(part)
    return b"".join(parts)


async def _forward(reader: asyncio.StreamReader, stream: podstream.Stream) -> None:
    while data := await reader.read(_PIECE):
        await stream.write(data)


class _Tunnel(aiohttp.BaseConnector):
    """Connects by sockets that `dial` gives, whatever the URL says."""

    def __init__(self, dial: Any, server_name: str) -> None:
        super().__init__(force_close=True)
        self._dial = dial
        self._server_name = server_name

    async def _create_connection(
        self,
        req: Any,
        traces: Any,
        timeout: Any,  # noqa: ASYNC109  (aiohttp's signature)
    ) -> ResponseHandler:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(
            self._factory, sock=await self._dial(), ssl=req.ssl, server_hostname=self._server_name
        )
        return protocol


def _new_context(request: Outgoing) -> ssl.SSLContext:
    """ValueError where the CA certificates cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not request.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif request.ca:
        try:
            context.load_verify_locations(cadata=request.ca.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise ValueError(f"unable to load root certificates: {error}") from None
    else:
        context.load_default_certs()
    return context


def _trouble(request: Outgoing, why: str) -> Unreachable:
    return Unreachable(f'{request.method.capitalize()} "{request.shown}": {why}')


def _certificate(error: Exception) -> str:
    """What Go's TLS says of a certificate that is not trusted."""
    code = getattr(error, "verify_code", 0)
    said = {
        10: "x509: certificate has expired or is not yet valid",
        18: "x509: certificate signed by unknown authority",
        19: "x509: certificate signed by unknown authority",
        20: "x509: certificate signed by unknown authority",
    }.get(code, f"x509: {getattr(error, 'verify_message', error)}")
    return f"tls: failed to verify certificate: {said}"


def _dialing(error: aiohttp.ClientConnectorError) -> str:
    refused = isinstance(error.os_error, ConnectionRefusedError)
    why = "connection refused" if refused else (error.os_error.strerror or str(error.os_error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: no such host"
    return f"dial tcp {_literal(error.host)}:{error.port}: connect: {why}"


def _literal(host: str) -> str:
    return f"[{host}]" if ":" in host else host
