"""One transfer of curl: connect, ask, follow, and write what comes. Deadlines are the options'."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urljoin

import h11

from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.programs.network.curl import sending
from cluster.runtime.vos.programs.network.curl.options import Options, Refused
from cluster.runtime.vos.programs.network.curl.results import Failed, Result
from cluster.runtime.vos.sockets import Stream

if TYPE_CHECKING:
    import ssl

_CONNECT_SECONDS: Final = 300.0
_MAX_REDIRECTS: Final = 50
_MAX_HEAD: Final = 100 << 10
_MAGIC: Final = b"HTTP/"
_CERTIFICATES: Final = "https://curl.se/docs/sslcerts.html"


class Sink(Protocol):
    """Where bytes go."""

    async def write(self, data: bytes) -> None:
        """Write all. Failed."""


Say = Callable[[str, bytes], Awaitable[None]]


class Transfer:
    """A transfer of a URL. `sinks` take the body and, where somebody wants them, the heads; `say`
    takes what `-v` tells.
    """

    def __init__(
        self, call: Call, options: Options, url: str, sinks: tuple[Sink, Sink | None], say: Say
    ) -> None:
        self._call = call
        self._options = options
        self._sink, self._dump = sinks
        self._say = say
        self._begun = self._now()
        self._first = b""  # The first bytes of an answer.
        self.result = Result(url)

    def _now(self) -> float:
        return self._call.kernel.clock.now()

    def _mark(self, name: str) -> None:
        self.result.times[name] = self._now() - self._begun

    async def run(self, body: bytes | None, media: str) -> Result:
        """Do it; failures are in the result."""
        result = self.result
        scope = asyncio.timeout(self._options.number("max-time") or None)
        try:
            async with scope:
                await self._follow(body, media)
        except (Failed, Refused) as failed:
            result.code, result.error = failed.code, str(failed)
        except OSError as error:
            broken = self._broken(error, expired=scope.expired())
            result.code, result.error = broken.code, str(broken)
        self._mark("total")
        return result

    def _broken(self, error: OSError, *, expired: bool) -> Failed:
        result = self.result
        millis = int((self._now() - self._begun) * 1000)
        if not expired:
            return Failed(56, f"Recv failure: {reaching.why(error)}")
        if "connect" not in result.times:
            what = "Connection" if "namelookup" in result.times else "Resolving"
            return Failed(28, f"{what} timed out after {millis} milliseconds")
        of = f" out of {result.expected}" if result.expected else ""
        text = f"Operation timed out after {millis} milliseconds with {result.size}{of} bytes"
        return Failed(28, f"{text} received")

    # ---- redirects -----------------------------------------------------------------------------

    async def _follow(self, body: bytes | None, media: str) -> None:
        options, result = self._options, self.result
        where = sending.place(result.url)
        first = (where.host, where.port)
        method = self._method(body)
        most = int(options.number("max-redirs", _MAX_REDIRECTS))
        while True:
            result.effective, result.scheme, result.method = where.url, where.parts.scheme, method
            result.redirect_url = ""
            if where.parts.scheme == "telnet":
                await self._telnet(where)
                return
            trusted = (where.host, where.port) == first or options.has("location-trusted")
            after = await self._ask(where, method, body, media, trusted=trusted)
            if not after:
                return
            if result.redirects >= most:
                raise Failed(47, f"Maximum ({most}) redirects followed")
            result.redirects += 1
            self._mark("redirect")
            if result.status == 303 or (result.status in (301, 302) and method == "POST"):
                body = None
                method = options.values.get("request") or ("HEAD" if method == "HEAD" else "GET")
            where = sending.place(after)
            if where.parts.scheme == "telnet":
                raise Failed(1, 'Protocol "telnet" not supported or disabled in redirects')
            await self._tell(f"Issue another request to this URL: '{where.url}'")

    def _method(self, body: bytes | None) -> str:
        options = self._options
        if options.has("head"):
            usual = "HEAD"
        elif "upload-file" in options.values:
            usual = "PUT"
        else:
            usual = "GET" if body is None else "POST"
        return options.values.get("request") or usual

    # ---- connections ---------------------------------------------------------------------------

    async def _connected(self, where: sending.Place) -> Stream:
        limit = self._options.number("connect-timeout") or _CONNECT_SECONDS
        scope = asyncio.timeout(limit)
        try:
            async with scope:
                stream = await self._reach(where)
                if where.parts.scheme == "https":
                    stream = await self._secured(stream, where)
        except TimeoutError:
            if not scope.expired():
                raise
            millis = int((self._now() - self._begun) * 1000)
            raise Failed(28, f"Connection timed out after {millis} milliseconds") from None
        self._mark("pretransfer")
        return stream

    async def _reach(self, where: sending.Place) -> Stream:
        call, options, begun = self._call, self._options, self._now()
        host = options.resolve.get((where.host, where.port), where.host)
        family = 4 if options.has("ipv4") else 6 if options.has("ipv6") else 0
        try:
            found = await resolving.addresses(host, files=call.files, net=call.net, family=family)
        except socket.gaierror:
            raise Failed(6, f"Could not resolve host: {where.host[:255]}") from None
        self._mark("namelookup")
        for address in found:
            shown = f"[{address}]" if ":" in address else address
            await self._tell(f"  Trying {shown}:{where.port}...")
            try:
                stream = await call.net.connect(address, where.port)
            except OSError as error:
                why = reaching.why(error)
                await self._tell(f"connect to {address} port {where.port} failed: {why}")
                continue
            self._mark("connect")
            self.result.connects += 1
            self.result.local, self.result.remote = stream.local, stream.peer
            await self._tell(f"Connected to {where.host} ({address}) port {where.port}")
            return stream
        millis = int((self._now() - begun) * 1000)
        text = f"Failed to connect to {where.host} port {where.port} after {millis} ms"
        raise Failed(7, f"{text}: Could not connect to server")

    async def _secured(self, stream: Stream, where: sending.Place) -> Stream:
        # Imported here: few transfers are secret.
        import ssl

        from cluster.runtime.vos.tls import Tls

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._options.has("insecure"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            self._trust(context)
        try:
            tls = Tls(stream, context, where.host)
            await tls.handshake()
        except ssl.SSLCertVerificationError as error:
            stream.close()
            raise Failed(60, _unverified(error.verify_message)) from None
        except ValueError:
            stream.close()
            raise Failed(35, "TLS connect error: the host's name cannot be sent") from None
        except OSError as error:  # ssl.SSLError is one, and has a reason.
            stream.close()
            why = getattr(error, "reason", None) or reaching.why(error)
            raise Failed(35, f"TLS connect error: {str(why).replace('_', ' ').lower()}") from None
        self._mark("appconnect")
        await self._tell(f"SSL connection using {tls.session}")
        return tls

    def _trust(self, context: "ssl.SSLContext") -> None:
        path = self._options.values.get("cacert")
        paths = (path,) if path else ("/etc/ssl/certs/ca-certificates.crt",)
        for one in paths:
            try:
                text = self._call.files.read(self._call.path(one)).decode("ascii", "replace")
                context.load_verify_locations(cadata=text)
            except (OSError, ValueError):
                if path:
                    text = f"error setting certificate verify locations:  CAfile: {path[:200]}"
                    raise Failed(77, text) from None

    # ---- HTTP ----------------------------------------------------------------------------------

    async def _ask(
        self, where: sending.Place, method: str, body: bytes | None, media: str, *, trusted: bool
    ) -> str:
        """Ask, and write the answer; where it redirects to, if that is to be followed. Failed."""
        stream = await self._connected(where)
        try:
            return await self._exchange(stream, where, method, body, media, trusted=trusted)
        except h11.LocalProtocolError as error:
            raise Failed(43, f"bad request: {str(error)[:200]}") from None
        except h11.RemoteProtocolError as error:
            raise self._malformed(str(error)) from None
        finally:
            stream.close()

    def _malformed(self, why: str) -> Failed:
        result = self.result
        if "without sending complete message" in why:
            left = (result.expected or 0) - result.size
            if result.expected:
                return Failed(18, f"end of response with {left} bytes missing")
            return Failed(18, "transfer closed with outstanding read data remaining")
        if not self._first:
            return Failed(52, "Empty reply from server")
        if result.status:
            return Failed(56, "Malformed encoding found in chunked-encoding")
        return Failed(8, "Header without colon" if "header" in why else "Invalid status line")

    async def _exchange(
        self, stream: Stream, where: sending.Place, method: str, body: bytes | None, media: str,
        *, trusted: bool,
    ) -> str:  # fmt: skip
        options, result = self._options, self.result
        http = h11.Connection(h11.CLIENT, _MAX_HEAD)
        size = None if body is None else len(body)
        headers = sending.headers(options, where, media, size, trusted=trusted)
        lines = [f"{method} {where.target} HTTP/1.1"]
        lines += [f"{key}: {value}" for key, value in headers]
        for line in [*lines, ""]:
            await self._say("> ", f"{line}\r\n".encode(errors="surrogateescape"))
        pairs = [
            (key.encode(errors="surrogateescape"), value.encode(errors="surrogateescape"))
            for key, value in headers
        ]
        verb = method.encode("latin-1", "replace")
        request = h11.Request(method=verb, target=where.target.encode(), headers=pairs)
        head = http.send(request) or b""
        self._first = b""
        result.status, result.request_size = 0, result.request_size + len(head)
        await stream.send(head)
        if body:
            await stream.send(http.send(h11.Data(data=body)) or b"")
            result.uploaded += len(body)
        await stream.send(http.send(h11.EndOfMessage()) or b"")
        await self._tell("Request completely sent off")
        return await self._answer(stream, http, where)

    async def _answer(self, stream: Stream, http: h11.Connection, where: sending.Place) -> str:
        options, result = self._options, self.result
        while not isinstance(event := await self._event(stream, http), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise Failed(52, "Empty reply from server")
            await self._head(event)
        self._mark("starttransfer")
        await self._head(event)
        result.status, result.version = event.status_code, event.http_version.decode()
        length = result.header("content-length")
        result.expected = int(length) if length.isdigit() and len(length) < 19 else None
        location = result.header("location")
        if 300 <= event.status_code < 400 and location:
            result.redirect_url = _joined(where.url, location)
            if options.has("location"):
                await self._tell("Ignoring the response-body")
                return result.redirect_url
        failing = event.status_code >= 400
        wrong = Failed(22, f"The requested URL returned error: {event.status_code}")
        if failing and options.has("fail"):
            raise wrong
        while isinstance(event := await self._event(stream, http), h11.Data):
            data = bytes(event.data)
            result.size += len(data)
            await self._sink.write(data)
            await self._call.kernel.step()
        if failing and options.has("fail-with-body"):
            raise wrong
        await self._tell(f"Connection #0 to host {where.host} left intact")
        return ""

    async def _head(self, answer: h11.Response | h11.InformationalResponse) -> None:
        """Show the head of an answer to whom wants it."""
        self.result.headers = [
            (key.decode("latin-1"), value.decode("latin-1"))
            for key, value in answer.headers.raw_items()
        ]
        reason = answer.reason.decode("latin-1")
        lines = [f"HTTP/{answer.http_version.decode()} {answer.status_code} {reason}"]
        lines += [f"{key}: {value}" for key, value in self.result.headers]
        for line in [*lines, ""]:
            data = f"{line}\r\n".encode("latin-1", "replace")
            self.result.header_size += len(data)
            await self._say("< ", data)
            if self._dump is not None:
                await self._dump.write(data)
            if self._options.has("include") or self._options.has("head"):
                await self._sink.write(data)

    async def _event(self, stream: Stream, http: h11.Connection) -> object:
        while True:
            event = http.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = await stream.receive()
            if len(self._first) < len(_MAGIC):
                self._first += data[: len(_MAGIC) - len(self._first)]
                if not _MAGIC.startswith(self._first):
                    raise Failed(1, "Received HTTP/0.9 when not allowed")
            http.receive_data(data)

    async def _telnet(self, where: sending.Place) -> None:
        """Whether a port is open, and what it says: stdin there, all that comes to the sink."""
        stream = await self._connected(where)
        try:
            if data := await self._call.io.stdin.read():
                await stream.send(data)
            while data := await stream.receive():
                self.result.size += len(data)
                await self._sink.write(data)
        finally:
            stream.close()

    async def _tell(self, text: str) -> None:
        await self._say("* ", f"{text}\n".encode(errors="surrogateescape"))


def _joined(url: str, location: str) -> str:
    """Where an answer redirects to. Failed."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise Failed(3, "URL rejected: Bad IPv6 address") from None


def _unverified(why: str) -> str:
    return (
        f"SSL certificate problem: {why}\nMore details here: {_CERTIFICATES}\n\n"
        "curl failed to verify the legitimacy of the server and therefore could not\n"
        "establish a secure connection to it. To learn more about this situation and\n"
        "how to fix it, please visit the webpage mentioned above."
    )
