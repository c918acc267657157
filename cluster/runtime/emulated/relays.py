"""socat: a relay between two addresses, the ambassador of many a pod.

`TCP-LISTEN:PORT[,fork]`, `TCP:HOST:PORT` and `STDIO` are emulated; another address says that it is
not.
"""

import asyncio
import contextlib
import datetime
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.aio import tasks
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.vos import accepting
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.sockets import Listener, Stream

_LISTEN: Final = ("tcp-listen", "tcp-l", "tcp4-listen", "tcp4-l", "tcp6-listen", "tcp6-l")
_CONNECT: Final = ("tcp", "tcp-connect", "tcp4", "tcp4-connect", "tcp6", "tcp6-connect")
_TERMINAL: Final = ("-", "stdio")
_HALF_CLOSED: Final = 0.5
"""socat's `-t`: how long one direction goes on after the other has ended, in seconds."""
_CHILDREN: Final = 100


class _Bad(Exception):
    """What socat says of an address, or of what cannot be opened."""


@dataclass(frozen=True, slots=True)
class _Address:
    """`listens` and `connects` by TCP, or neither: the terminal."""

    listens: bool = False
    connects: bool = False
    host: str = ""
    port: int = 0
    fork: bool = False


@dataclass(frozen=True, slots=True)
class _End:
    """One side of a relay that is open."""

    read: Callable[[], Awaitable[bytes]]
    write: Callable[[bytes], Awaitable[None]]
    end: Callable[[], None]
    close: Callable[[], None]


def _addresses(argv: Sequence[str]) -> list[str]:
    return [word for word in argv[1:] if word == "-" or not word.startswith("-")]


def _address(text: str) -> _Address:
    named, *options = text.split(",")
    kind, _, rest = named.partition(":")
    kind = kind.lower()
    if kind in _TERMINAL:
        return _Address()
    host, _, digits = rest.rpartition(":")
    if kind not in (*_LISTEN, *_CONNECT):
        raise _Bad(f'unknown device/address "{kind[:40]}" (kubemu emulates TCP and STDIO)')
    port = reaching.port(digits)
    if port is None or (kind in _CONNECT and not host):
        raise _Bad(f'{kind.upper()}: wrong number of parameters in "{named[:80]}"')
    fork = "fork" in (option.lower() for option in options)
    return _Address(kind in _LISTEN, kind in _CONNECT, host, port, fork)


def _sleeps(argv: Sequence[str]) -> bool:
    """Whether it only waits for who connects."""
    given = _addresses(argv)
    return len(given) == 2 and given[0].partition(":")[0].lower() in _LISTEN


@server(stop_code=143, when=_sleeps)
async def socat(call: Call) -> int:
    """`socat ADDRESS ADDRESS`."""
    given = _addresses(call.argv)
    try:
        if len(given) != 2:
            raise _Bad(f"exactly 2 addresses required (there are {len(given)})")
        first, second = _address(given[0]), _address(given[1])
        if first.listens and first.fork:
            return await _served(call, first, second)
        left = await _opened(call, first)
        try:
            await _relay(left, await _opened(call, second))
        finally:
            left.close()
    except _Bad as bad:
        await _say(call, str(bad))
        return 1
    return 0


async def _say(call: Call, text: str) -> None:
    now = datetime.datetime.fromtimestamp(call.kernel.clock.now(), datetime.UTC)
    line = f"{now:%Y/%m/%d %H:%M:%S} socat[{call.process.pid}] E {text}\n"
    await call.io.stderr.write(line.encode(errors="replace"))


async def _served(call: Call, first: _Address, second: _Address) -> int:
    async def handle(stream: Stream) -> None:
        try:
            await _relay(_of(stream), await _opened(call, second))
        except _Bad as bad:
            await _say(call, str(bad))

    await accepting.serve(_listening(call, first), handle, most=_CHILDREN)
    return 0


def _listening(call: Call, address: _Address) -> Listener:
    try:
        return call.net.listen(address.port)
    except OSError as error:
        where = f"{{AF=2 0.0.0.0:{address.port}}}"
        raise _Bad(f"bind(5, {where}, 16): {reaching.why(error)}") from error


async def _opened(call: Call, address: _Address) -> _End:
    if address.listens:
        listener = _listening(call, address)
        try:
            return _of(await listener.accept())
        finally:
            listener.close()
    if not address.connects:
        return _End(call.io.stdin.read, call.io.stdout.write, _nothing, _nothing)
    where = await reaching.address(call, address.host)
    if where is None:
        name = address.host[:255]
        raise _Bad(f'getaddrinfo("{name}", "NULL", {{1,0,1,6}}, {{}}): Name or service not known')
    try:
        return _of(await reaching.connect(call, where, address.port))
    except OSError as error:
        what = f"connect(5, AF=2 {where}:{address.port}, 16)"
        raise _Bad(f"{what}: {reaching.why(error)}") from error


def _of(stream: Stream) -> _End:
    return _End(stream.receive, stream.send, stream.end, stream.close)


def _nothing() -> None:
    """A terminal stays as it is."""


async def _relay(left: _End, right: _End) -> None:
    """Until both directions have ended, or one has for a while."""
    left_to_end = [left, right]
    changed = asyncio.Event()

    async def pump(source: _End, sink: _End) -> None:
        try:
            while data := await source.read():
                await sink.write(data)
            sink.end()
        except OSError:
            pass  # The other direction hears of it, or ends by itself.
        finally:
            left_to_end.remove(source)
            changed.set()

    try:
        async with tasks.Group("socat") as group:
            group.spawn(pump(left, right), "there")
            group.spawn(pump(right, left), "back")
            await changed.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HALF_CLOSED):
                    while left_to_end:
                        changed.clear()
                        await changed.wait()
            group.cancel()
    finally:
        right.close()


IMAGES: Final = (Image(names=("alpine/socat",), entrypoint=("socat",), programs={"socat": socat}),)
