"""Asks endpoints for what clients want, one after another until one answers."""

import asyncio
import contextlib
import errno
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cluster.runtime.emulated.ingressnginx.annotations import Settings
from cluster.runtime.emulated.ingressnginx.endpoints import Peer
from cluster.runtime.emulated.ingressnginx.exchange import Exchange, Try
from cluster.runtime.emulated.web import client, names
from cluster.runtime.emulated.web.messages import Headers, Response, TooLarge
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream
from cluster.runtime.vos.tls import Tls

_HELD: Final = 1 << 20
"""Bytes of a request's body that are held, so that another endpoint can be asked."""
_MOST: Final = 16 << 20
"""Bytes of one whose length nobody says."""
_IDEMPOTENT: Final = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"))
_HIDDEN: Final = frozenset(("connection", "keep-alive", "transfer-encoding", "server", "date"))
Complain = Callable[[str], Awaitable[None]]


class Fault(Exception):
    """There is no answer but an error's page."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class _Failed(Exception):
    """An endpoint cannot be asked. `begun` tells whether it may have heard of the request."""

    def __init__(self, status: int, text: str, *, begun: bool) -> None:
        super().__init__(text)
        self.status = status
        self.begun = begun


async def body(exchange: Exchange, limit: int) -> bytes | AsyncIterator[bytes]:
    """A request's body: held where it is small, else as it comes. Fault 413."""
    request = exchange.request
    length = request.headers.get("content-length")
    if length.isdigit():
        if limit and int(length) > limit:
            raise Fault(413)
        if int(length) > _HELD:
            return request.stream
    try:
        return await request.body(min(limit or _MOST, _MOST))
    except TooLarge:
        raise Fault(413) from None


@dataclass(frozen=True, slots=True)
class Question:
    """What endpoints are asked."""

    exchange: Exchange
    target: str
    headers: Headers
    data: bytes | AsyncIterator[bytes]
    settings: Settings


async def ask(
    call: Call, question: Question, peers: Sequence[Peer], complain: Complain
) -> Response:
    """The answer of the first endpoint that has one. Fault 502, 503, 504."""
    loop = asyncio.get_running_loop()
    failure: _Failed | None = None
    for number, peer in enumerate(peers):
        if failure is not None and not _again(question, failure, number):
            break
        tried = Try(peer)
        question.exchange.tries.append(tried)
        begun = loop.time()
        try:
            talk, answer = await _asked(call, question, peer)
        except _Failed as failed:
            failure = failed
            tried.status, tried.seconds = str(failed.status), loop.time() - begun
            await complain(f'{failed}, upstream: "http://{peer}{question.target}"')
            continue
        tried.status = str(answer.status)
        return _response(talk, answer, tried, begun, question.settings.read)
    raise Fault(failure.status if failure else 503)


def _again(question: Question, failure: _Failed, number: int) -> bool:
    """Whether another endpoint may be asked (proxy_next_upstream error timeout)."""
    tries = question.settings.tries
    if not isinstance(question.data, bytes) or (tries and number >= tries):
        return False
    return not failure.begun or question.exchange.request.method in _IDEMPOTENT


async def _asked(
    call: Call, question: Question, peer: Peer
) -> tuple[client.Conversation, client.Answer]:
    settings, data = question.settings, question.data
    stream = await _connected(call, peer, settings)
    talk = client.Conversation(stream)
    request = question.exchange.request
    sent = Headers(question.headers.pairs)
    upgrade = request.headers.get("upgrade")
    if upgrade and request.headers.has("connection", "upgrade"):
        sent.add("Connection", "upgrade")
        sent.add("Upgrade", upgrade)
    else:
        sent.add("Connection", "close")
    if isinstance(data, bytes):
        if data or request.method in ("POST", "PUT", "PATCH"):
            sent.set("Content-Length", str(len(data)))
    else:
        sent.set("Content-Length", request.headers.get("content-length"))
    try:
        async with asyncio.timeout(settings.read):
            await talk.send(request.method, question.target, sent, data)
            return talk, await talk.answer()
    except TimeoutError:
        stream.abort()
        raise _Failed(504, "upstream timed out (110: Operation timed out) while reading response "
                      "header from upstream", begun=True) from None  # fmt: skip
    except (client.Empty, ConnectionError, ssl.SSLError) as error:
        stream.abort()
        text = "upstream prematurely closed connection while reading response header from upstream"
        if isinstance(error, ConnectionResetError):
            text = ("recv() failed (104: Connection reset by peer) while reading response header "
                    "from upstream")  # fmt: skip
        raise _Failed(502, text, begun=True) from error
    except (client.Malformed, client.Cut, ValueError) as error:
        stream.abort()
        text = "upstream sent invalid header while reading response header from upstream"
        raise _Failed(502, text, begun=True) from error
    except BaseException:
        stream.abort()
        raise


async def _connected(call: Call, peer: Peer, settings: Settings) -> Stream:
    stream: Stream | None = None
    try:
        async with asyncio.timeout(settings.connect):
            stream = await names.connected(call, peer.host, peer.port)
            if not settings.secure:
                return stream
            tls = Tls(stream, _unverified(), settings.host or peer.host)
            await tls.handshake()
            return tls
    except TimeoutError:
        if stream is not None:
            stream.abort()
        text = "upstream timed out (110: Operation timed out) while connecting to upstream"
        raise _Failed(504, text, begun=False) from None
    except names.Unknown as error:
        text = f"{peer.host} could not be resolved (3: Host not found)"
        raise _Failed(502, text, begun=False) from error
    except ssl.SSLError as error:
        if stream is not None:
            stream.abort()
        text = f"SSL_do_handshake() failed (SSL: {error}) while SSL handshaking to upstream"
        raise _Failed(502, text, begun=False) from error
    except OSError as error:
        number = error.errno or errno.ECONNREFUSED
        text = f"connect() failed ({number}: {error.strerror}) while connecting to upstream"
        raise _Failed(502, text, begun=False) from error


@lru_cache(1)
def _unverified() -> ssl.SSLContext:
    """As ingress-nginx: proxy_ssl_verify is off."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _response(
    talk: client.Conversation, answer: client.Answer, tried: Try, begun: float, silence: float
) -> Response:
    if answer.status == 101:
        return Response(101, answer.headers, takeover=_joined(talk))
    headers = Headers([pair for pair in answer.headers if pair[0].lower() not in _HIDDEN])
    return Response(answer.status, headers, _pieces(talk, tried, begun, silence), answer.reason)


async def _pieces(
    talk: client.Conversation, tried: Try, begun: float, silence: float
) -> AsyncIterator[bytes]:
    """The body, as it comes; the client's connection ends where it is cut."""
    try:
        while True:
            async with asyncio.timeout(silence):
                data = await talk.read()
            if not data:
                return
            tried.size += len(data)
            yield data
    except (client.Cut, client.Malformed) as error:
        raise ConnectionResetError from error
    finally:
        tried.seconds = asyncio.get_running_loop().time() - begun
        talk.stream.close()


def _joined(talk: client.Conversation) -> Callable[[Stream, bytes], Awaitable[None]]:
    """Join both connections after `101 Switching Protocols`."""

    async def takeover(stream: Stream, data: bytes) -> None:
        if talk.rest:
            await stream.send(talk.rest)
        if data:
            await talk.stream.send(data)
        with contextlib.suppress(ConnectionError):
            await names.joined(stream, talk.stream)

    return takeover
