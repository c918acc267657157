"""A request on its way to a pod, and the answer on its way back."""

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from multidict import CIMultiDict

from cluster.aio import tasks
from cluster.api import errors
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.streaming import podstream, proxyheaders, rewriting
from cluster.apiserver.streaming.exchange import Exchange, Garbled, Head
from cluster.streams import upgrade


class Passing:
    """Passes a request of `call` to a server at the end of `stream`, which is known as `host`."""

    def __init__(
        self, call: Call, host: str, stream: podstream.Stream, touch: Callable[[], None]
    ) -> None:
        self._http = call.http
        self._stream = stream
        self._exchange = Exchange(stream)
        self._touch = touch
        prefix = proxyheaders.prefix(call)
        self._place = rewriting.Place(host, call.http.headers.get("Host", ""), prefix)

    async def run(self, path: str, *, upgrading: bool) -> web.StreamResponse:
        """Pass both on; `path` is that at the pod. Garbled, ConnectionError, errors.BadRequest."""
        http = self._http
        _, mark, query = http.raw_path.partition("?")
        headers = proxyheaders.forwarded(http, self._place.prefix + path, upgrading=upgrading)
        try:
            await self._exchange.ask(http.method, path + mark + query, headers)
        except ValueError as error:
            raise errors.BadRequest(f"the request cannot be passed on: {error}") from None
        async with tasks.Group("proxy") as group:
            sending = group.spawn(self._send(), "request")
            try:
                head = await self._exchange.answer()
            except ConnectionError as error:
                raise Garbled(str(error)) from None
            if self._exchange.switched:
                await sending
                return await self._switch(head)
            answer = await self._answer(head)
            sending.cancel()
        return answer

    async def _send(self) -> None:
        if "Expect" in self._http.headers and self._http.transport is not None:
            self._http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

        async def parts() -> AsyncIterator[bytes]:
            async for part in self._http.content.iter_any():
                self._touch()
                yield part

        with contextlib.suppress(ConnectionError, Garbled):  # what answers may not read it all
            await self._exchange.send(parts())

    async def _answer(self, head: Head) -> web.StreamResponse:
        headers = proxyheaders.answered(head.headers)
        if "Location" in headers:
            headers["Location"] = rewriting.url(headers["Location"], self._place)
        elif self._http.method != "HEAD" and proxyheaders.is_page(headers):
            return await self._page(head, headers)
        return await self._pass(_response(head, headers), b"")

    async def _page(self, head: Head, headers: "CIMultiDict[str]") -> web.StreamResponse:
        """A page of HTML, with its links rewritten where it is not too large for that."""
        body = bytearray()
        parts = self._exchange.body()
        async for part in parts:
            self._touch()
            body += part
            if len(body) > rewriting.MAX_HTML:
                break
        else:
            changed = rewriting.body(bytes(body), headers.get("Content-Encoding", ""), self._place)
            headers.popall("Content-Length", None)
            return web.Response(
                status=head.status, reason=head.reason, headers=headers, body=changed
            )
        return await self._pass(_response(head, headers), bytes(body))

    async def _pass(self, response: web.StreamResponse, first: bytes) -> web.StreamResponse:
        """Send an answer, and what is left of its body. ConnectionError where it breaks off."""
        body = self._exchange.body()
        if "Content-Type" not in response.headers:
            first = first or await anext(body, b"")
            response.headers["Content-Type"] = proxyheaders.sniffed(first)
        await response.prepare(self._http)
        try:
            if first:
                await response.write(first)
            async for part in body:
                self._touch()
                await response.write(part)
        except Garbled as error:
            raise ConnectionAbortedError(f"the answer was cut: {error}") from None
        await response.write_eof()
        return response

    async def _switch(self, head: Head) -> web.StreamResponse:
        """Both sides speak another protocol now: pass bytes on until one of them has enough."""
        headers = [
            (name.decode("latin-1").title(), value.decode("latin-1"))
            for name, value in head.headers
            if name.lower() != b"connection"
        ]
        pipe = upgrade.switch(self._http, headers)

        async def there() -> None:
            while data := await pipe.read():
                self._touch()
                await self._stream.write(data)
            raise ConnectionResetError("the client is gone")

        try:
            async with tasks.Group("proxied connection") as group:
                group.spawn(there(), "client")
                data = self._exchange.leftover() or await self._stream.read()
                while data:
                    self._touch()
                    await pipe.write(data)
                    data = await self._stream.read()
                group.cancel()
        except ConnectionError:
            return upgrade.Taken()
        finally:
            pipe.close()
        return upgrade.Taken()


def _response(head: Head, headers: "CIMultiDict[str]") -> web.StreamResponse:
    return web.StreamResponse(status=head.status, reason=head.reason, headers=headers)
