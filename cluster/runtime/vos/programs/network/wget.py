"""`wget`, as busybox has it: HTTP/1.1 by h11."""

import asyncio
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

import h11

from cluster.runtime.vos import streams
from cluster.runtime.vos.files import File
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.sockets import Endpoint, Stream

_MAX_REDIRECTS: Final = 5
_TIMEOUT: Final = 900.0
_PIECE: Final = 65536
_LONG: Final = {
    "spider": "spider", "quiet": "q", "server-response": "S", "continue": "c",
    "no-check-certificate": "x", "no-verbose": "nv",
}  # fmt: skip
_LONG_VALUED: Final = {
    "output-document": "O", "timeout": "T", "header": "header", "post-data": "post-data",
    "post-file": "post-file", "user-agent": "U", "directory-prefix": "P", "tries": "t",
    "method": "method", "body-data": "post-data",
}  # fmt: skip


class _Wrong(Exception):
    """It cannot be done; the message is what wget says."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    output: str = ""
    folder: str = ""
    quiet: bool = False
    shows_head: bool = False
    spider: bool = False
    timeout: float = _TIMEOUT
    agent: str = "Wget"
    more: tuple[str, ...] = field(default=())


async def wget(call: Call) -> int:
    """`wget [-qS] [-O FILE] [-T SECS] [--spider] [--header H] [--post-data D] URL…`."""
    try:
        wish = await _read(call)
        code = 0
        for url in (wish.url, *wish.more):
            code = await _fetch(call, replace(wish, url=url)) or code
    except _Wrong as wrong:
        return await call.complain(str(wrong))
    return code


async def _read(call: Call) -> _Wish:
    """The command line. _Wrong."""
    told: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    urls: list[str] = []
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            urls.append(word)
            continue
        key, value = _option(word, words)
        if key == "header":
            name, colon, text = value.partition(":")
            if not colon:
                raise _Wrong(f"invalid header '{value[:80]}'")
            headers.append((name.strip(), text.strip()))
        else:
            told[key] = value
    if not urls:
        raise _Wrong("missing URL\nUsage: wget [-qS] [-O FILE] [-T SECS] [--spider] URL...")
    timeout = told.get("T", str(_TIMEOUT))
    if not timeout.replace(".", "", 1).isdigit() or len(timeout) > 9:
        raise _Wrong(f"invalid number '{timeout[:40]}'")
    body = await _body(call, told)
    return _Wish(
        urls[0], told.get("method", "GET" if body is None else "POST"), tuple(headers), body,
        told.get("O", ""), told.get("P", ""), "q" in told, "S" in told, "spider" in told,
        float(timeout), told.get("U", "Wget"), tuple(urls[1:]),
    )  # fmt: skip


def _option(word: str, words: list[str]) -> tuple[str, str]:
    """An option and its value, which may be the next word. _Wrong."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        if name in _LONG:
            return _LONG[name], ""
        if name not in _LONG_VALUED:
            raise _Wrong(f"unrecognized option: {word[2:80]}")
        if not equals:
            if not words:
                raise _Wrong(f"option requires an argument: {name}")
            value = words.pop(0)
        return _LONG_VALUED[name], value
    for number, letter in enumerate(word[1:], 1):
        if letter in "OTPUtY":
            rest = word[number + 1 :]
            if not rest and not words:
                raise _Wrong(f"option requires an argument -- '{letter}'")
            value = rest or words.pop(0)
            words[:0] = [f"-{flag}" for flag in word[1:number]]
            return letter, value
        if letter not in "qSc":
            raise _Wrong(f"unrecognized option: {letter}")
    letters = word[1:]
    words[:0] = [f"-{letter}" for letter in letters[1:]]
    return letters[:1], ""


async def _body(call: Call, told: dict[str, str]) -> bytes | None:
    if "post-data" in told:
        return told["post-data"].encode(errors="surrogateescape")
    if "post-file" not in told:
        return None
    try:
        return call.files.read(call.path(told["post-file"]))
    except OSError as error:
        raise _Wrong(f"{told['post-file']}: {reaching.why(error)}") from error


async def _fetch(call: Call, wish: _Wish) -> int:
    for _ in range(_MAX_REDIRECTS + 1):
        code, after = await _once(call, wish)
        if not after:
            return code
        wish = replace(wish, url=urljoin(_absolute(wish.url), after), method="GET", body=None)
    raise _Wrong("too many redirections")


def _absolute(url: str) -> str:
    return url if "://" in url else f"http://{url}"


async def _once(call: Call, wish: _Wish) -> tuple[int, str]:
    """One request: the exit code, and where it is redirected to. _Wrong."""
    parts = urlsplit(_absolute(wish.url))
    if parts.scheme == "https":
        raise _Wrong(f"{wish.url[:200]}: https is not built: pods have no TLS so far")
    if parts.scheme != "http" or not parts.hostname:
        raise _Wrong(f"not an http or ftp url: {wish.url[:200]}")
    try:
        port = parts.port or 80
    except ValueError:
        raise _Wrong(f"bad port in {wish.url[:200]}") from None
    where = await reaching.address(call, parts.hostname)
    if where is None:
        raise _Wrong(f"bad address '{parts.hostname[:255]}'")
    shown = parts.netloc.rpartition("@")[2]
    await _say(call, wish, f"Connecting to {shown} ({Endpoint(where, port)})\n")
    try:
        stream = await reaching.connect(call, where, port, wish.timeout)
    except OSError as error:
        raise _Wrong(f"can't connect to remote host ({where}): {reaching.why(error)}") from error
    exchange = _Exchange(call, wish, stream)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return await exchange.run(target, shown)
    except TimeoutError:
        raise _Wrong("download timed out") from None
    except h11.RemoteProtocolError as error:
        raise _Wrong(exchange.broken()) from error
    except h11.LocalProtocolError as error:
        raise _Wrong(f"bad request: {str(error)[:200]}") from error
    except (ConnectionError, BrokenPipeError) as error:
        raise _Wrong(f"error getting response: {reaching.why(error)}") from error
    finally:
        stream.close()


async def _say(call: Call, wish: _Wish, text: str) -> None:
    if not wish.quiet:
        await call.io.stderr.write(text.encode(errors="surrogateescape"))


class _Exchange:
    """One request and its answer."""

    def __init__(self, call: Call, wish: _Wish, stream: Stream) -> None:
        self._call = call
        self._wish = wish
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self._answered = False

    def broken(self) -> str:
        """What is wrong with an answer that is none, or not whole."""
        return "connection closed prematurely" if self._answered else "error getting response"

    async def run(self, target: str, host: str) -> tuple[int, str]:
        """See `_once`."""
        wish = self._wish
        await self._request(target, host)
        answer = await self._next()
        while isinstance(answer, h11.InformationalResponse):
            answer = await self._next()
        assert isinstance(answer, h11.Response)
        self._answered = True
        if wish.shows_head:
            await self._show(answer)
        status = answer.status_code
        headers = {name.lower(): value for name, value in answer.headers}
        if status in (301, 302, 303, 307, 308) and b"location" in headers:
            return 0, headers[b"location"].decode("latin-1")
        if status not in (200, 201, 202, 204, 206):
            reason = answer.reason.decode("latin-1")
            version = answer.http_version.decode()
            raise _Wrong(f"server returned error: HTTP/{version} {status} {reason}")
        if wish.spider:
            await _say(self._call, wish, "remote file exists\n")
            return 0, ""
        await self._save(posixpath.basename(target.partition("?")[0]) or "index.html")
        return 0, ""

    async def _request(self, target: str, host: str) -> None:
        wish = self._wish
        headers = [("Host", host), ("User-Agent", wish.agent), ("Connection", "close")]
        named = {name.lower() for name, _ in wish.headers}
        headers = [*(one for one in headers if one[0].lower() not in named), *wish.headers]
        if wish.body is not None:
            headers.append(("Content-Length", str(len(wish.body))))
            if "content-type" not in named:
                headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        request = h11.Request(
            method="HEAD" if wish.spider else wish.method, target=target, headers=headers
        )
        events: Sequence[h11.Event] = [request, h11.EndOfMessage()]
        if wish.body:
            events = [request, h11.Data(data=wish.body), h11.EndOfMessage()]
        await self._stream.send(b"".join(self._http.send(event) or b"" for event in events))

    async def _next(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                assert not isinstance(event, type)
                return event
            async with asyncio.timeout(self._wish.timeout):
                self._http.receive_data(await self._stream.receive())

    async def _show(self, answer: h11.Response) -> None:
        first = f"HTTP/{answer.http_version.decode()} {answer.status_code} "
        lines = [first + answer.reason.decode("latin-1")]
        lines += [
            f"{name.decode('latin-1')}: {value.decode('latin-1')}"
            for name, value in answer.headers.raw_items()
        ]
        text = "".join(f"  {line}\n" for line in lines)
        await self._call.io.stderr.write(text.encode("latin-1", "replace"))

    async def _save(self, name: str) -> None:
        """The body goes to stdout, or to a file. _Wrong."""
        wish, call = self._wish, self._call
        target = wish.output or posixpath.join(wish.folder, name)
        to_stdout = target in ("-", "/dev/stdout")
        writer = call.io.stdout if to_stdout else _FileWriter(call, call.path(target))
        if not to_stdout:
            await _say(call, wish, f"saving to '{target}'\n")
        size = 0
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                data = bytes(event.data)
                size += len(data)
                await writer.write(data)
                await call.kernel.step()
        done = "written to stdout" if to_stdout else f"'{target}' saved"
        if not wish.quiet:
            bar = "*" * 32
            shown = "-" if to_stdout else posixpath.basename(target)[:20]
            await _say(call, wish, f"{shown:<20} 100% |{bar}| {size:5d}  0:00:00 ETA\n{done}\n")


class _FileWriter:
    """Writes to a file that is made anew. _Wrong."""

    def __init__(self, call: Call, path: str) -> None:
        self._call = call
        self._path = path
        try:
            self._file: File = call.files.create(path)
        except OSError as error:
            raise _Wrong(f"can't open '{path}': {reaching.why(error)}") from error

    async def write(self, data: bytes) -> None:
        """See `streams.Writer`."""
        try:
            self._call.files.write(self._file, data, self._path)
        except OSError as error:
            raise _Wrong(f"write error: {reaching.why(error)}") from error


_: type[streams.Writer] = _FileWriter
