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
from cluster.runtime.emulated.ingressnginx.keeping import Kept
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

    def __init__(self, status: int, text: str, *, begun: bool, stale: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.begun = begun
        self.stale = stale
        """Whether the connection was closed without an answer, as idle ones are."""


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


@dataclass(frozen=True, slots=True)
class Way:
    """How endpoints are reached."""

    call: Call
    kept: Kept


async def ask(way: Way, question: Question, peers: Sequence[Peer], complain: Complain) -> Response:
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
            talk, answer = await _asked(way, question, peer)
        except _Failed as failed:
            failure = failed
            tried.status, tried.seconds = str(failed.status), loop.time() - begun
            await complain(f'{failed}, upstream: "http://{peer}{question.target}"')
            continue
        tried.status = str(answer.status)
        return await _response(way.kept, question, talk, answer, Timing(tried, begun))
    raise Fault(failure.status if failure else 503)


def _again(question: Question, failure: _Failed, number: int) -> bool:
    """Whether another endpoint may be asked (proxy_next_upstream error timeout)."""
    tries = question.settings.tries
    if not isinstance(question.data, bytes) or (tries and number >= tries):
        return False
    return not failure.begun or question.exchange.request.method in _IDEMPOTENT


async def _asked(
    way: Way, question: Question, peer: Peer
) -> tuple[client.Conversation, client.Answer]:
    """Ask by a connection that was kept, or else by a new one. _Failed.

    What may not be asked twice goes by a new one: who closes an idle connection does not say so.
    """
    idempotent = question.exchange.request.method in _IDEMPOTENT
    if idempotent and isinstance(question.data, bytes) and not _upgrade(question):
        while (kept := way.kept.take(_key(peer, question))) is not None:
            try:
                return kept, await _answered(kept, question)
            except _Failed as failed:
                way.kept.drop(kept)
                if not failed.stale:
                    raise
    stream = await _connected(way.call, peer, question.settings)
    talk = client.Conversation(stream)
    return talk, await _answered(talk, question)


def _key(peer: Peer, question: Question) -> tuple[Peer, str]:
    settings = question.settings
    return peer, f"https:{settings.host}" if settings.secure else ""


def _upgrade(question: Question) -> str:
    """What the client wants to speak instead."""
    headers = question.exchange.request.headers
    return headers.get("upgrade") if headers.has("connection", "upgrade") else ""


def _head(question: Question) -> Headers:
    sent, request = Headers(question.headers.pairs), question.exchange.request
    upgrade = _upgrade(question)
    if upgrade:
        sent.add("Connection", "upgrade")
        sent.add("Upgrade", upgrade)
    if not isinstance(question.data, bytes):
        sent.set("Content-Length", request.headers.get("content-length"))
    elif question.data or request.method in ("POST", "PUT", "PATCH"):
        sent.set("Content-Length", str(len(question.data)))
    return sent


async def _answered(talk: client.Conversation, question: Question) -> client.Answer:
    """Ask, and wait for the head of the answer. _Failed, with the connection gone."""
    method = question.exchange.request.method
    try:
        async with asyncio.timeout(question.settings.read):
            await talk.send(method, question.target, _head(question), question.data)
            return await talk.answer()
    except TimeoutError:
        talk.stream.abort()
        raise _Failed(504, "upstream timed out (110: Operation timed out) while reading response "
                      "header from upstream", begun=True) from None  # fmt: skip
    except (client.Empty, ConnectionError, ssl.SSLError) as error:
        talk.stream.abort()
        text = "upstream prematurely closed connection while reading response header from upstream"
        if isinstance(error, ConnectionResetError):
            text = ("recv() failed (104: Connection reset by peer) while reading response header "
                    "from upstream")  # fmt: skip
        raise _Failed(502, text, begun=True, stale=True) from error
    except (client.Malformed, client.Cut, ValueError) as error:
        talk.stream.abort()
        text = "upstream sent invalid header while reading response header from upstream"
        raise _Failed(502, text, begun=True) from error
    except BaseException:
        talk.stream.abort()
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


@dataclass(frozen=True, slots=True)
class Timing:
    """A try, and when it began."""

    tried: Try
    begun: float


async def _response(
    kept: Kept, question: Question, talk: client.Conversation, answer: client.Answer, timing: Timing
) -> Response:
    if answer.status == 101:
        return Response(101, answer.headers, takeover=_joined(talk))
    headers = Headers([pair for pair in answer.headers if pair[0].lower() not in _HIDDEN])
    key = _key(timing.tried.peer, question)
    body = _Body(kept, key, talk, timing, question.settings.read)
    if question.exchange.request.method == "HEAD" or answer.status in (204, 304):
        async for _ in body:
            pass  # there is nothing: the connection is free now
        return Response(answer.status, headers, b"", answer.reason)
    return Response(answer.status, headers, body, answer.reason)


class _Body:
    """The body of an answer, as it comes; the client's connection ends where it is cut."""

    def __init__(
        self, kept: Kept, key: tuple[Peer, str], talk: client.Conversation, timing: Timing,
        silence: float,
    ) -> None:  # fmt: skip
        self._kept = kept
        self._key = key
        self._talk = talk
        self._timing = timing
        self._silence = silence
        self._over = False

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        if self._over:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(self._silence):
                data = await self._talk.read()
        except (client.Cut, client.Malformed) as error:
            self._end(good=False)
            raise ConnectionResetError from error
        except BaseException:
            self._end(good=False)
            raise
        if not data:
            self._end(good=True)
            raise StopAsyncIteration
        self._timing.tried.size += len(data)
        return data

    async def aclose(self) -> None:
        """Nobody wants the rest."""
        self._end(good=False)

    def _end(self, *, good: bool) -> None:
        if self._over:
            return
        self._over = True
        timing = self._timing
        timing.tried.seconds = asyncio.get_running_loop().time() - timing.begun
        if good:
            self._kept.keep(self._key, self._talk)
        else:
            self._kept.drop(self._talk)


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
