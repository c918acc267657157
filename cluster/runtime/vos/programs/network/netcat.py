"""`nc` and `telnet`: bytes between the terminal and a connection."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from cluster.aio import tasks
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.sockets import Datagrams, Endpoint, Listener, Stream

_USAGE: Final = "nc [-46klnuvz] [-w SECS] [-p PORT] [-s ADDR] [HOST] [PORT]"
_MAX_PORTS: Final = 1000
_FOREVER: Final = 1e9
_QUIET: Final = 0.2
"""Seconds without input after which none is expected any more."""


async def nc(call: Call) -> int:
    """`nc HOST PORT`, `nc -l -p PORT`; `-k` keeps listening, `-z` only tries, `-u` is UDP."""
    try:
        flags, rest = options.split(call.argv, "46klnuvzq", "wpse")
    except options.Unknown as unknown:
        return await call.complain(f"{unknown}\n\nUsage: {_USAGE}")
    if "e" in flags:
        return await call.complain("-e is not built")
    limit = flags.get("w", "0")
    if not limit.isdigit() or len(limit) > 8:
        return await call.complain(f"invalid number '{limit[:40]}'")
    if "l" in flags:
        words = [flags["p"]] if "p" in flags else rest[-1:]
        where = flags.get("s") or (rest[0] if len(rest) > 1 or ("p" in flags and rest) else "")
        number = reaching.port(words[0]) if words else None
        if number is None:
            return await call.complain("bad or missing local port")
        return await _listen(call, where, number, flags, float(limit))
    ports = _ports(rest[1]) if len(rest) == 2 else None
    if ports is None:
        return await call.complain(f"bad usage\n\nUsage: {_USAGE}")
    return await _connect(call, rest[0], ports, flags, float(limit))


def _ports(text: str) -> range | None:
    """A port, or `FIRST-LAST`."""
    first, dash, last = text.partition("-")
    begin, end = reaching.port(first), reaching.port(last if dash else first)
    if begin is None or end is None or not begin <= end < begin + _MAX_PORTS:
        return None
    return range(begin, end + 1)


async def _connect(call: Call, host: str, ports: range, flags: dict[str, str], limit: float) -> int:
    family = 4 if "4" in flags else 6 if "6" in flags else 0
    where = await reaching.address(call, host, family)
    if where is None:
        return await call.complain(f"bad address '{host[:255]}'")
    code = 1
    for number in ports:
        await call.kernel.step()
        shown = f"{host} ({Endpoint(where, number)})"
        if "u" in flags:
            return await _talk_datagrams(call, Endpoint(where, number), flags, limit)
        try:
            stream = await reaching.connect(call, where, number, limit)
        except OSError as error:
            await call.complain(f"{shown}: {reaching.why(error)}")
            continue
        if "v" in flags or "z" in flags:
            await call.io.stderr.write(f"{shown} open\n".encode() if "v" in flags else b"")
        if "z" in flags:
            stream.close()
            code = 0
            continue
        return await _talk(call, stream, limit)
    return code


async def _listen(call: Call, where: str, number: int, flags: dict[str, str], limit: float) -> int:
    try:
        if "u" in flags:
            return await _hear(call, call.net.datagrams(number, where), limit)
        listener = call.net.listen(number, where)
    except OSError as error:
        return await call.complain(f"bind: {reaching.why(error)}")
    try:
        if "v" in flags:
            line = f"listening on {Endpoint(where or '0.0.0.0', number)} ...\n"
            await call.io.stderr.write(line.encode())
        while True:
            stream = await _accepted(listener, limit)
            if "v" in flags:
                line = f"connect to {stream.local} from {stream.peer} ({stream.peer})\n"
                await call.io.stderr.write(line.encode())
            code = await _talk(call, stream, 0.0)
            if "k" not in flags:
                return code
    except TimeoutError:
        return await call.complain("timed out")
    finally:
        listener.close()


async def _accepted(listener: Listener, limit: float) -> Stream:
    async with asyncio.timeout(limit or _FOREVER):
        return await listener.accept()


async def _talk(call: Call, stream: Stream, limit: float) -> int:
    """Until the other end has said all, and what is there for it is sent; `limit` is how long both
    may be silent, 0: for ever.
    """
    sending = _Sending(call, stream)
    try:
        return await _both(_print(call, stream, limit, sending), sending.run())
    except TimeoutError:
        return 1
    except OSError as error:
        return await call.complain(reaching.why(error))
    finally:
        stream.close()


async def _both(first: Coroutine[Any, Any, int], beside: Coroutine[Any, Any, None]) -> int:
    """Run two coroutines until the first ends; its result."""
    result = 1
    async with tasks.Group("nc") as group:
        group.spawn(beside, "input")
        try:
            result = await first
        finally:
            group.cancel()
    return result


async def _print(call: Call, stream: Stream, limit: float, sending: "_Sending") -> int:
    while True:
        try:
            data = await _received(stream, limit)
        except TimeoutError:
            if not sending.moved_within(limit):
                raise
            continue
        if not data:
            await sending.rest(limit)
            return 0
        await call.io.stdout.write(data)


async def _received(stream: Stream, limit: float) -> bytes:
    async with asyncio.timeout(limit or _FOREVER):
        return await stream.receive()


class _Sending:
    """What goes from the terminal to a connection."""

    def __init__(self, call: Call, stream: Stream) -> None:
        self._call = call
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._moved = self._loop.time()
        self._reads = self._done = False

    async def run(self) -> None:
        """Send all that there is."""
        try:
            while data := await self._read():
                await self._stream.send(data)
                self._moved = self._loop.time()
            self._stream.end()
        except OSError:
            return  # Who reads hears of it.
        finally:
            self._done = True

    async def _read(self) -> bytes:
        self._reads = True
        data = await self._call.io.stdin.read()
        self._reads = False
        return data

    def moved_within(self, seconds: float) -> bool:
        """Whether something went out of late, and more may."""
        return not self._done and self._loop.time() - self._moved < seconds

    async def rest(self, limit: float) -> None:
        """The other end says no more, and may still listen: send what is there. Who is at a
        terminal and types nothing has no more to say.
        """
        while not self._done:
            if not self.moved_within(_QUIET if self._reads else limit or _FOREVER):
                return
            await asyncio.sleep(_QUIET / 4)


async def _talk_datagrams(call: Call, to: Endpoint, flags: dict[str, str], limit: float) -> int:
    sock = call.net.datagrams()
    if "z" in flags:
        # As with any UDP: silence means that it is open.
        return await _try_datagram(call, sock, to)

    async def send() -> None:
        while data := await call.io.stdin.read():
            sock.send(data, to)

    async def hear() -> int:
        return await _hear(call, sock, limit)

    try:
        return await _both(hear(), send())
    except OSError as error:
        return await call.complain(reaching.why(error))
    finally:
        sock.close()


async def _try_datagram(call: Call, sock: Datagrams, to: Endpoint) -> int:
    try:
        sock.send(b"", to)
        async with asyncio.timeout(1.0):
            await sock.receive()
    except TimeoutError:
        return 0
    except OSError as error:
        return await call.complain(f"{to}: {reaching.why(error)}")
    finally:
        sock.close()
    return 0


async def _hear(call: Call, sock: Datagrams, limit: float) -> int:
    try:
        while True:
            async with asyncio.timeout(limit or _FOREVER):
                data, _ = await sock.receive()
            await call.io.stdout.write(data)
    except TimeoutError:
        return 0
    finally:
        sock.close()


async def telnet(call: Call) -> int:
    """`telnet HOST [PORT]`."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    number = reaching.port(words[1]) if len(words) > 1 else 23
    if not words or number is None:
        return await call.complain("usage: telnet HOST [PORT]")
    where = await reaching.address(call, words[0])
    if where is None:
        return await call.complain(f"bad address '{words[0][:255]}'")
    try:
        stream = await reaching.connect(call, where, number)
    except OSError as error:
        return await call.complain(f"can't connect to remote host ({where}): {reaching.why(error)}")
    await call.out(f"Connected to {words[0]}\n")
    code = await _talk(call, stream, 0.0)
    await call.io.stderr.write(b"Connection closed by foreign host\n")
    return code
