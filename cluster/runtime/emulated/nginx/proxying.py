"""`proxy_pass`: requests are handed on to other servers over the pod's network."""

import asyncio
import errno
import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

from cluster.runtime.emulated.nginx.exchange import Exchange, Fault, escaped
from cluster.runtime.emulated.nginx.logs import Logs
from cluster.runtime.emulated.nginx.model import Peer, ProxyPass, Upstream
from cluster.runtime.emulated.web import client, names
from cluster.runtime.emulated.web.messages import Headers, Response, TooLarge, split_host
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

_BUFFERED: Final = 1 << 20
"""Bytes of a body that are held to be sent again to another server."""
_MAX_BODY: Final = 16 << 20
_HOPS: Final = frozenset((
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer",
    "upgrade", "expect",
))  # fmt: skip
_HIDDEN: Final = frozenset((
    "date", "server", "x-pad", "x-accel-expires", "x-accel-redirect", "x-accel-limit-rate",
    "x-accel-buffering", "x-accel-charset", "connection", "keep-alive", "transfer-encoding",
))  # fmt: skip
_TARGET: Final = re.compile(r"(https?)://([^/?]*)(.*)", re.DOTALL)


class _Failed(Exception):
    """A server could not be asked. `kind` is the word of proxy_next_upstream."""

    def __init__(self, kind: str, status: int, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.status = status


class Proxy:
    """Asks other servers."""

    def __init__(self, call: Call, logs: Logs) -> None:
        self._call = call
        self._logs = logs

    async def answer(self, exchange: Exchange, target: ProxyPass) -> Response:
        """What the other server answers. Fault."""
        scheme, host, port, uri = self._target(exchange, target)
        if not host:
            await self._logs.error("error", "invalid URL prefix in proxy_pass", exchange)
            raise Fault(500)
        if scheme == "https":
            await self._logs.error(
                "error", "proxy_pass by https is not built in the emulated nginx", exchange
            )
            raise Fault(502)
        usual = port == 80
        exchange.upstream = {"host": host if usual else f"{host}:{port}"}
        body = await self._body(exchange)
        peers = await self._peers(exchange, host, port)
        failure: _Failed | None = None
        addresses: list[str] = []
        settings = exchange.settings
        for number, (address, peer_port) in enumerate(peers):
            if failure is not None and (
                failure.kind not in settings.proxy_next
                or not isinstance(body, bytes)
                or (settings.proxy_tries and number >= settings.proxy_tries)
            ):
                break
            addresses.append(f"{address}:{peer_port}")
            exchange.upstream |= {
                "addr": ", ".join(addresses),
                "address": f"http://{address}:{peer_port}{uri}",
            }
            try:
                return await self._ask(exchange, (address, peer_port), uri, body)
            except _Failed as failed:
                failure = failed
                await self._logs.error("error", str(failed), exchange)
        if failure is None:
            await self._logs.error("error", "no live upstreams while connecting to upstream",
                                   exchange)  # fmt: skip
        raise Fault(failure.status if failure else 502)

    def _target(self, exchange: Exchange, target: ProxyPass) -> tuple[str, str, int, str]:
        request = exchange.request
        original = request.path + (f"?{request.query}" if "?" in request.target else "")
        rewritten = escaped(exchange.uri) + (f"?{exchange.args}" if exchange.args else "")
        changed = exchange.hops > 1 or exchange.broken or exchange.internal
        own = rewritten if changed else original
        if target.whole is None:
            if target.uri is None:
                return target.scheme, target.host, target.port, own
            text = exchange.location.text if exchange.location.kind != "=" else exchange.uri
            uri = target.uri + escaped(exchange.uri[len(text) :])
            query = f"?{exchange.args}" if exchange.args else ""
            return target.scheme, target.host, target.port, uri + query
        match = _TARGET.fullmatch(target.whole.of(exchange.look))
        if match is None:
            return "http", "", 0, ""
        host, port = split_host(match[2], 443 if match[1] == "https" else 80)
        return match[1], host, port, match[3] or own

    async def _body(self, exchange: Exchange) -> bytes | AsyncIterator[bytes]:
        """The client's body: held where it is small. Fault."""
        settings, request = exchange.settings, exchange.request
        if settings.proxy_body is not None:
            return settings.proxy_body.of(exchange.look).encode("utf-8", "surrogateescape")
        length = request.headers.get("content-length")
        if length.isdigit() and int(length) > _BUFFERED:
            return request.stream
        limit = min(settings.max_body or _MAX_BODY, _MAX_BODY)
        try:
            return await request.body(limit)
        except TooLarge:
            await self._logs.error(
                "error", "client intended to send too large chunked body", exchange
            )
            raise Fault(413) from None

    async def _peers(self, exchange: Exchange, host: str, port: int) -> list[tuple[str, int]]:
        """Addresses to ask, in order. Fault."""
        upstream = exchange.configuration.upstreams.get(host)
        wanted: Sequence[Peer] = _turn(upstream) if upstream else (Peer(host, port),)
        found: list[tuple[str, int]] = []
        for peer in wanted:
            try:
                known = await names.addresses(self._call, peer.host)
                found += [(address, peer.port) for address in known]
            except names.Unknown:
                await self._logs.error(
                    "error", f"{peer.host} could not be resolved (3: Host not found)", exchange
                )
        return found

    async def _ask(
        self,
        exchange: Exchange,
        peer: tuple[str, int],
        uri: str,
        body: bytes | AsyncIterator[bytes],
    ) -> Response:
        settings = exchange.settings
        stream = await self._connect(peer, settings.proxy_connect)
        talk = client.Conversation(stream)
        method = settings.proxy_method.of(exchange.look) if settings.proxy_method else ""
        try:
            async with asyncio.timeout(settings.proxy_read):
                await talk.send(method or exchange.method, uri, self._headers(exchange, body), body)
                answer = await talk.answer()
        except TimeoutError:
            stream.abort()
            raise _Failed(
                "timeout", 504, "upstream timed out (110: Connection timed out) while reading "
                "response header from upstream",
            ) from None  # fmt: skip
        except (client.Empty, ConnectionError) as error:
            stream.abort()
            reset = isinstance(error, ConnectionResetError)
            text = (
                "recv() failed (104: Connection reset by peer) while reading response header from "
                "upstream"
                if reset
                else "upstream prematurely closed connection while reading response header from "
                "upstream"
            )
            raise _Failed("error", 502, text) from error
        except (client.Malformed, client.Cut, ValueError) as error:
            stream.abort()
            text = "upstream sent invalid header while reading response header from upstream"
            raise _Failed("invalid_header", 502, text) from error
        except BaseException:
            stream.abort()
            raise
        return self._response(exchange, talk, answer)

    async def _connect(self, peer: tuple[str, int], limit: float) -> Stream:
        try:
            async with asyncio.timeout(limit):
                return await self._call.net.connect(*peer)
        except TimeoutError:
            raise _Failed(
                "timeout", 504,
                "upstream timed out (110: Connection timed out) while connecting to upstream",
            ) from None  # fmt: skip
        except OSError as error:
            number = error.errno or errno.ECONNREFUSED
            text = f"connect() failed ({number}: {error.strerror}) while connecting to upstream"
            raise _Failed("error", 502, text) from error

    def _headers(self, exchange: Exchange, body: bytes | AsyncIterator[bytes]) -> Headers:
        settings, request = exchange.settings, exchange.request
        own = {name.lower(): word.of(exchange.look) for name, word in settings.proxy_headers}
        made = Headers()
        if "host" not in own:
            made.add("Host", exchange.upstream["host"])
        for name, word in settings.proxy_headers:
            value = word.of(exchange.look)
            if value:
                made.add(name, value)
        if "connection" not in own:
            made.add("Connection", "close")
        for name, value in request.headers:
            lower = name.lower()
            if lower not in own and lower not in _HOPS and lower not in ("host", "content-length"):
                made.add(name, value)
        if isinstance(body, bytes):
            if body or request.method in ("POST", "PUT", "PATCH"):
                made.set("Content-Length", str(len(body)))
        else:
            made.set("Content-Length", request.headers.get("content-length"))
        return made

    def _response(
        self, exchange: Exchange, talk: client.Conversation, answer: client.Answer
    ) -> Response:
        settings = exchange.settings
        exchange.upstream["status"] = str(answer.status)
        exchange.upstream_headers = answer.headers
        if answer.status == 101:
            return _upgraded(talk, answer)
        if settings.proxy_intercept and answer.status in settings.error_pages:
            talk.stream.abort()
            raise Fault(answer.status)
        headers = Headers()
        for name, value in answer.headers:
            lower = name.lower()
            if lower in settings.proxy_hidden or (
                lower in _HIDDEN and lower not in settings.proxy_passed
            ):
                continue
            headers.add(name, self._location(exchange, value) if lower == "location" else value)
        pieces = self._pieces(exchange, talk)
        return Response(answer.status, headers, pieces, answer.reason)

    async def _pieces(self, exchange: Exchange, talk: client.Conversation) -> AsyncIterator[bytes]:
        """The body, as it comes; the connection to the client ends where it is cut."""
        try:
            while True:
                async with asyncio.timeout(exchange.settings.proxy_read):
                    data = await talk.read()
                if not data:
                    return
                yield data
        except (client.Cut, client.Malformed) as error:
            await self._logs.error(
                "error", "upstream prematurely closed connection while reading upstream", exchange
            )
            raise ConnectionResetError from error
        finally:
            talk.stream.close()

    @staticmethod
    def _location(exchange: Exchange, value: str) -> str:
        """`proxy_redirect`."""
        pairs = exchange.settings.proxy_redirect
        target = exchange.location.proxy
        if pairs is None:
            if target is None or target.whole is not None:
                return value
            prefix = f"http://{exchange.upstream['host']}{target.uri or '/'}"
            text = exchange.location.text if exchange.location.kind in ("", "^~", "=") else "/"
            if value.startswith(prefix):
                return (text if target.uri else "/") + value[len(prefix) :]
            return value
        for before, after in pairs:
            found = before.of(exchange.look)
            if value.startswith(found):
                return after.of(exchange.look) + value[len(found) :]
        return value


def _turn(upstream: Upstream) -> list[Peer]:
    """The servers of an upstream, each turn another one first; backups last."""
    live = [one for one in upstream.peers if not one.down and not one.backup]
    backups = [one for one in upstream.peers if not one.down and one.backup]
    weighted = [one for one in live for _ in range(one.weight)]
    if not weighted:
        return backups
    start = upstream.turn % len(weighted)
    upstream.turn += 1
    order = dict.fromkeys(weighted[start:] + weighted[:start])
    return [*order, *backups]


def _upgraded(talk: client.Conversation, answer: client.Answer) -> Response:
    """Join both connections after `101 Switching Protocols`."""

    async def takeover(stream: Stream, data: bytes) -> None:
        other = talk.stream
        if talk.rest:
            await stream.send(talk.rest)
        if data:
            await other.send(data)
        await names.joined(stream, other)

    return Response(101, answer.headers, takeover=takeover)
