"""`httpd`, as busybox has it: files over HTTP/1.1, by h11. No CGI, no configuration."""

import asyncio
import contextlib
import posixpath
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote

import h11

from cluster.runtime.vos import accepting
from cluster.runtime.vos.files import File, Folder, absolute
from cluster.runtime.vos.kernel import Call, Process, TooMany
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.sockets import Listener, Stream

_IDLE_SECONDS: Final = 60.0
_PIECE: Final = 65536
_TYPES: Final = {
    "htm": "text/html", "html": "text/html", "css": "text/css", "js": "application/javascript",
    "json": "application/json", "txt": "text/plain", "h": "text/plain", "c": "text/plain",
    "gif": "image/gif", "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png",
    "svg": "image/svg+xml", "xml": "text/xml", "wav": "audio/wav", "avi": "video/x-msvideo",
}  # fmt: skip
_SAID: Final = {
    400: "Unsupported method", 403: "", 404: "The requested URL was not found",
    405: "Unsupported method", 408: "No request appeared within 60 seconds",
}  # fmt: skip


async def httpd(call: Call) -> int:
    """`httpd [-f] [-v] [-p [IP:]PORT] [-h HOME]`; without -f it goes into the background."""
    try:
        flags, rest = options.split(call.argv, "fvi", "phucrmed")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    if rest or set(flags) & set("ircmed"):
        return await call.complain("usage: httpd [-f] [-v] [-p [IP:]PORT] [-h HOME]")
    where, _, number = flags.get("p", "80").rpartition(":")
    port = reaching.port(number)
    if port is None:
        return await call.complain(f"invalid port '{number[:40]}'")
    home = call.path(flags.get("h", "."))
    if not call.files.is_folder(home):
        return await call.complain(f"can't change directory to '{home}': No such file or directory")
    site = _Site(call, home, loud="v" in flags)
    if "f" in flags:
        return await _serve(call, call.process, where.strip("[]"), port, site)

    async def body(process: Process) -> int:
        return await _serve(call, process, where.strip("[]"), port, site)

    try:
        call.kernel.fork(call.argv, call.io, body)
    except TooMany:
        return await call.complain("can't fork: Resource temporarily unavailable")
    return 0


async def _serve(call: Call, process: Process, where: str, port: int, site: "_Site") -> int:
    try:
        listener: Listener = process.net.listen(port, where)
    except OSError as error:
        return await call.complain(f"bind: {reaching.why(error)}")
    with contextlib.closing(listener):
        await accepting.serve(listener, site.handle)
    return 0


class _Site:
    """The files below a directory."""

    def __init__(self, call: Call, home: str, *, loud: bool) -> None:
        self.call = call
        self.home = home
        self.loud = loud

    async def handle(self, stream: Stream) -> None:
        """See `accepting.Handle`."""
        await _Client(self, stream).run()


class _Client:
    """One connection: requests, one after the other."""

    def __init__(self, site: _Site, stream: Stream) -> None:
        self._site = site
        self._stream = stream
        self._http = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        """Answer until the client ends. OSError."""
        http = self._http
        try:
            while request := await self._request():
                await self._answer(request)
                if http.our_state is h11.MUST_CLOSE or http.their_state is h11.MUST_CLOSE:
                    return
                http.start_next_cycle()
        except h11.RemoteProtocolError:
            if http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await self._page(400)
        except TimeoutError:
            return

    async def _request(self) -> h11.Request | None:
        """The next request, its body read and thrown away; None at the end."""
        http, request = self._http, None
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                async with asyncio.timeout(_IDLE_SECONDS):
                    http.receive_data(await self._stream.receive())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage):
                return request
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return None

    async def _answer(self, request: h11.Request) -> None:
        target = request.target.decode("latin-1").partition("?")[0]
        status = 400
        if request.method in (b"GET", b"HEAD"):
            status = await self._file(unquote(target), whole=request.method == b"GET")
        if status != HTTPStatus.OK:
            await self._page(status, body=request.method != b"HEAD")
        if self._site.loud:
            line = f"{self._stream.peer}: response:{status}\n"
            await self._site.call.io.stderr.write(line.encode())

    async def _file(self, path: str, *, whole: bool) -> int:
        """Send a file; a status other than 200 where nothing was sent."""
        files = self._site.call.files
        full = posixpath.join(self._site.home, absolute(path, "/").lstrip("/"))
        try:
            found = files.find(full)
            if isinstance(found, Folder):
                if not path.endswith("/"):
                    await self._head(302, "text/html", 0, ("Location", quote(path + "/")))
                    await self._send(h11.EndOfMessage())
                    return 200
                full = posixpath.join(full, "index.html")
                found = files.find(full)
            if not isinstance(found, File):
                return 404
            data = files.read(full)
        except (OSError, ValueError):
            return 404
        kind = _TYPES.get(full.rpartition(".")[2].lower(), "application/octet-stream")
        modified = formatdate(found.mtime, usegmt=True)
        await self._head(200, kind, len(data), ("Last-Modified", modified))
        for start in range(0, len(data) if whole else 0, _PIECE):
            await self._send(h11.Data(data=data[start : start + _PIECE]))
        await self._send(h11.EndOfMessage())
        return 200

    async def _page(self, status: int, *, body: bool = True) -> None:
        phrase = HTTPStatus(status).phrase
        title = f"{status} {phrase}"
        text = (
            f"<HTML><HEAD><TITLE>{title}</TITLE></HEAD>\n<BODY><H1>{title}</H1>\n"
            f"{_SAID.get(status, phrase)}\n</BODY></HTML>\n"
        ).encode()
        await self._head(status, "text/html", len(text), ("Connection", "close"))
        if body:
            await self._send(h11.Data(data=text))
        await self._send(h11.EndOfMessage())

    async def _head(self, status: int, kind: str, size: int, *more: tuple[str, str]) -> None:
        date = formatdate(self._site.call.kernel.clock.now(), usegmt=True)
        own = [("Date", date), ("Content-type", kind), ("Content-Length", str(size))]
        reason = HTTPStatus(status).phrase.encode()
        await self._send(h11.Response(status_code=status, headers=[*own, *more], reason=reason))

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self._stream.send(data)
