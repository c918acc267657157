"""`redis-cli`: one command of its arguments, or commands of stdin."""

import asyncio
import contextlib
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.runtime.emulated.redis import naming, resp
from cluster.runtime.emulated.redis.program import version_of
from cluster.runtime.emulated.redis.resp import Fault, Members, Pairs, Push, Status
from cluster.runtime.vos import sockets, streams
from cluster.runtime.vos.kernel import Call, decoded, encoded

_PATIENCE: Final = 30.0
_VALUED: Final = {
    "-h": "host", "-p": "port", "-a": "password", "--pass": "password", "--user": "user",
    "-n": "number", "-r": "times", "-i": "interval", "-u": "uri", "-d": "delimiter",
    "-t": "patience", "--pattern": "pattern",
}  # fmt: skip
_FLAGS: Final = {
    "--raw": "raw", "--no-raw": "pretty", "-x": "last", "-3": "three", "-2": "two",
    "--no-auth-warning": "quiet", "--scan": "scan", "-e": "exit", "-c": "cluster",
    "--version": "version", "-v": "version", "--help": "help", "--csv": "csv",
}  # fmt: skip
_UNSAID: Final = (
    "Warning: Using a password with '-a' or '-u' option on the command line interface may not be "
    "safe.\n"
)


class _Bad(Exception):
    """A wrong option, or no connection; the text is what is printed."""


@dataclass(slots=True)
class _Options:
    """What the command line says."""

    valued: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 6379
    user: str = ""
    password: str = ""
    number: int = 0


def _parsed(call: Call) -> _Options:
    found = _Options()
    rest = list(call.argv[1:])
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word in _VALUED and rest:
            found.valued[_VALUED[word]] = rest.pop(0)
        elif word in _FLAGS:
            found.flags.add(_FLAGS[word])
        else:
            raise _Bad(f"Unrecognized option or bad number of args for: '{word}'")
    found.words = rest
    _place(found, found.valued, call.env.get("REDISCLI_AUTH", ""))
    return found


def _place(found: _Options, valued: dict[str, str], secret: str) -> None:
    if "uri" in valued:
        parts = urllib.parse.urlsplit(valued["uri"])
        if parts.scheme not in ("redis", "valkey"):
            raise _Bad(f"Invalid URI scheme: {parts.scheme}")
        with contextlib.suppress(ValueError):
            valued.setdefault("port", str(parts.port or 6379))
        valued.setdefault("host", parts.hostname or found.host)
        valued.setdefault("password", urllib.parse.unquote(parts.password or ""))
        valued.setdefault("user", urllib.parse.unquote(parts.username or ""))
        valued.setdefault("number", parts.path.strip("/") or "0")
    port, number = valued.get("port", "6379"), valued.get("number", "0")
    if not port.isdigit() or not 0 < int(port[:8]) < 65536:
        raise _Bad("Invalid server port.")
    found.host = valued.get("host", found.host)
    found.port = int(port)
    found.number = int(number) if number.isdigit() and len(number) < 9 else 0
    found.password = valued.get("password", "") or secret
    found.user = valued.get("user", "")


class _Client:
    """A connection to a server."""

    def __init__(self, call: Call, options: _Options) -> None:
        self._call = call
        self.options = options
        self._stream: sockets.Stream | None = None
        self._replies = resp.Replies()
        self.subscribed = False

    @property
    def place(self) -> str:
        """Where it is connected to, as a prompt shows it."""
        if self._stream is None:
            return "not connected"
        number = f"[{self.options.number}]" if self.options.number else ""
        return f"{self.options.host}:{self.options.port}{number}"

    async def connect(self) -> None:
        """Connect, say who one is, choose the database. _Bad."""
        options = self.options
        try:
            async with asyncio.timeout(_PATIENCE):
                address = await naming.address(self._call, options.host)
                self._stream = await self._call.net.connect(address, options.port)
        except OSError as error:
            where = f"{options.host}:{options.port}"
            raise _Bad(f"Could not connect to Redis at {where}: {_why(error)}") from error
        self._replies = resp.Replies()
        if options.password:
            user = [options.user.encode()] if options.user else []
            reply = await self.ask([b"AUTH", *user, encoded(options.password)])
            if isinstance(reply, Fault):
                await self._call.io.stderr.write(f"AUTH failed: {reply}\n".encode())
        if "three" in options.flags:
            await self.ask([b"HELLO", b"3"])
        if options.number:
            await self.ask([b"SELECT", b"%d" % options.number])

    async def ask(self, words: list[bytes]) -> Any:
        """Send a command; its reply. _Bad where the server is gone."""
        if self._stream is None:
            await self.connect()
        await self._send(resp.command(words))
        reply = await self.next()
        if words[0].upper() == b"SELECT" and reply == "OK" and len(words) > 1:
            self.options.number = int(words[1])
        return reply

    async def _send(self, data: bytes) -> None:
        assert self._stream is not None
        try:
            await self._stream.send(data)
        except OSError as error:
            self._stream = None
            raise _Bad(f"Error: {_why(error)}") from error

    async def next(self) -> Any:
        """The next reply, or message. _Bad."""
        while (found := self._parsed()) is None:
            try:
                data = b"" if self._stream is None else await self._stream.receive()
            except OSError as error:
                self._stream = None
                raise _Bad(f"Error: {_why(error)}") from error
            if not data:
                self._stream = None
                raise _Bad("Error: Server closed the connection")
            self._replies.feed(data)
        return found[0]

    def _parsed(self) -> tuple[Any] | None:
        try:
            return self._replies.next()
        except (resp.Malformed, ValueError) as bad:
            self._stream = None
            raise _Bad(f"Error: Protocol error, {bad}") from bad


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "Connection timed out"
    return error.strerror or str(error)


# ---- how replies look ----------------------------------------------------------------------------


def pretty(reply: Any, prefix: str = "") -> str:
    """A reply as a terminal shows it."""
    if isinstance(reply, Fault):
        return f"(error) {reply}\n"
    if isinstance(reply, Status):
        return f"{reply}\n"
    if reply is None:
        return "(nil)\n"
    if isinstance(reply, bool):
        return "(true)\n" if reply else "(false)\n"
    if isinstance(reply, int):
        return f"(integer) {reply}\n"
    if isinstance(reply, float):
        return f"(double) {decoded(resp.number(reply))}\n"
    if isinstance(reply, bytes):
        return quoted(reply) + "\n"
    return _several(reply, prefix)


def _several(reply: list[Any], prefix: str) -> str:
    if not reply:
        kinds = {Pairs: "(empty hash)", Members: "(empty set)", Push: "(empty push)"}
        return kinds.get(type(reply), "(empty array)") + "\n"
    width = len(str(len(reply)))
    sign = "#" if isinstance(reply, Pairs) else "~" if isinstance(reply, Members) else ")"
    made = ""
    for number, one in enumerate(reply, 1):
        head = f"{number:{width}d}{sign} "
        inner = prefix + " " * len(head)
        if isinstance(reply, Pairs):
            text = f"{pretty(one[0]).rstrip()} => {pretty(one[1], inner)}"
        else:
            text = pretty(one, inner)
        made += (prefix if number > 1 else "") + head + text
    return made


_SHOWN: Final = {0x5C: "\\\\", 0x22: '\\"', 10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b"}


def quoted(data: bytes) -> str:
    """A string as a terminal shows it."""
    shown = "".join(
        _SHOWN.get(one) or (chr(one) if 32 <= one < 127 else f"\\x{one:02x}") for one in data
    )
    return f'"{shown}"'


def raw(reply: Any) -> bytes:
    """A reply as it goes into a pipe, without the end of the line."""
    if isinstance(reply, Fault):
        return str(reply).encode() + b"\n"
    if reply is None:
        return b""
    if isinstance(reply, bool):
        return b"(true)" if reply else b"(false)"
    if isinstance(reply, float):
        return resp.number(reply)
    if isinstance(reply, (int, str)):
        return str(reply).encode()
    if isinstance(reply, bytes):
        return reply
    if isinstance(reply, Pairs):
        return b"\n".join(raw(name) + b" " + raw(value) for name, value in reply)
    return b"\n".join(map(raw, reply))


# ---- the program ---------------------------------------------------------------------------------


async def redis_cli(call: Call) -> int:
    """`redis-cli [-h HOST] [-p PORT] [-a PASSWORD] [-n DB] [--raw] [COMMAND WORD…]`."""
    try:
        options = _parsed(call)
        if options.flags & {"version", "help"}:
            text = "Usage: redis-cli [OPTIONS] [cmd [arg [arg ...]]]"
            text = f"redis-cli {version_of(call)}" if "version" in options.flags else text
            await call.out(text + "\n")
            return 0
        if "csv" in options.flags:
            raise _Bad("--csv is not emulated")
        if "password" in options.valued and not {"quiet"} & options.flags:
            await call.io.stderr.write(_UNSAID.encode())
        return await _Run(call, options).go()
    except _Bad as bad:
        await call.io.stderr.write(encoded(f"{bad}\n"))
        return 1


class _Run:
    """One run."""

    def __init__(self, call: Call, options: _Options) -> None:
        self._call = call
        self._client = _Client(call, options)
        self._tty = call.process.tty
        terminal = self._tty is not None and call.io.stdout is self._tty
        self._pretty = (terminal and "raw" not in options.flags) or "pretty" in options.flags

    async def go(self) -> int:
        """Do what is asked for; the exit code. _Bad."""
        options = self._client.options
        if "scan" in options.flags:
            await self._client.connect()
            return await self._scan(options.valued.get("pattern", "*"))
        words = [encoded(word) for word in options.words]
        if "last" in options.flags:
            words.append(await streams.everything(self._call.io.stdin, resp.MAX_BULK))
        if not words:
            return await self._interactive()
        await self._client.connect()
        times = options.valued.get("times", "1")
        left = -1 if times == "-1" else int(times) if times.isdigit() and len(times) < 10 else 1
        pause = _seconds(options.valued.get("interval", "0"))
        code = 0
        while left:
            code = await self._one(words)
            left -= 1
            await self._call.kernel.step()
            if left:
                await asyncio.sleep(pause)
        return code

    async def _one(self, words: list[bytes]) -> int:
        reply = await self._client.ask(words)
        await self._show(reply)
        if words[0].lower() in (b"subscribe", b"psubscribe", b"monitor") and not isinstance(
            reply, Fault
        ):
            while True:
                await self._show(await self._client.next())
        return int(isinstance(reply, Fault) and "exit" in self._client.options.flags)

    async def _show(self, reply: Any) -> None:
        if self._pretty:
            await self._call.out(pretty(_listed(reply)))
        else:
            await self._call.io.stdout.write(raw(reply) + b"\n")

    async def _scan(self, pattern: str) -> int:
        cursor = b"0"
        while True:
            reply = await self._client.ask([b"SCAN", cursor, b"MATCH", encoded(pattern)])
            if isinstance(reply, Fault):
                raise _Bad(f"ERROR: {reply}")
            cursor, keys = reply
            for key in keys:
                shown = encoded(quoted(key)) if self._pretty else key
                await self._call.io.stdout.write(shown + b"\n")
            if cursor == b"0":
                return 0

    async def _interactive(self) -> int:
        stdin, terminal = self._call.io.stdin, self._tty is not None
        try:
            await self._client.connect()
        except _Bad as bad:
            await self._call.io.stderr.write(encoded(f"{bad}\n"))
            if not terminal:
                return 1
        while True:
            if terminal:
                await self._call.out(f"{self._client.place}> ")
            line = await stdin.read_line()
            if not line:
                return 0
            if not await self._typed(line):
                return 0

    async def _typed(self, line: bytes) -> bool:
        try:
            words = resp.inline(line)
        except resp.Malformed:
            await self._call.out("Invalid argument(s)\n")
            return True
        if not words:
            return True
        name = words[0].lower()
        if name in (b"quit", b"exit"):
            return False
        if name == b"clear":
            await self._call.out("\x1b[H\x1b[2J")
            return True
        try:
            times = int(words.pop(0)) if words[0].isdigit() and len(words) > 1 else 1
            for _ in range(min(times, 1000)):
                await self._one(words)
        except _Bad as bad:
            await self._call.io.stderr.write(encoded(f"{bad}\n"))
        return True


def _listed(reply: Any) -> Any:
    """Verbatim text, such as INFO's, is shown as it is."""
    if isinstance(reply, bytes) and reply.startswith(b"# ") and b"\r\n" in reply:
        return Status(reply.decode(errors="replace").replace("\r\n", "\n"))
    return reply


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 <= found < 1e6 else 0.0
