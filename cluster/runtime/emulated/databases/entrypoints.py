"""What the images' entrypoints demand of the environment, and how a server is run."""

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from cluster.runtime.vos import accepting
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream

Handle = Callable[[Stream], Awaitable[None]]


def given(env: Mapping[str, str], *names: str) -> str:
    """The first of these variables that is set, or whose `_FILE` is."""
    for name in names:
        value = env.get(name) or env.get(f"{name}_FILE")
        if value:
            return value
    return ""


def secret(call: Call, *names: str) -> str:
    """The value of a variable, or what is in the file that its `_FILE` names."""
    for name in names:
        if call.env.get(name):
            return call.env[name]
        path = call.env.get(f"{name}_FILE")
        if path:
            try:
                return call.files.read(call.path(path)).decode(errors="replace").rstrip("\n")
            except OSError:
                continue
    return ""


def moment(call: Call, form: str = "%Y-%m-%d %H:%M:%S.%f") -> str:
    """The time, for a line of a log."""
    return datetime.datetime.fromtimestamp(call.kernel.clock.now(), datetime.UTC).strftime(form)


async def serve(
    call: Call, port: int, handle: Handle, ready: Sequence[str], *, most: int = 100
) -> int:
    """Listen, say so, and serve `most` clients at once until the process is ended."""
    try:
        listener = call.net.listen(port)
    except OSError as error:
        return await call.complain(f"could not bind 0.0.0.0:{port}: {error.strerror}")
    await call.out("".join(f"{line}\n" for line in ready))
    await accepting.serve(listener, handle, most=most)
    return 0


_LARGEST: Final = 1 << 30


class Reader:
    """Reads exact numbers of bytes, `most` at once."""

    def __init__(self, stream: Stream, most: int = 64 << 10) -> None:
        self._stream = stream
        self._data = bytearray()
        self._most = most

    async def exactly(self, size: int) -> bytes:
        """So many bytes. ConnectionResetError where they do not come, or are too many."""
        if size < 0 or size > self._most:
            raise ConnectionResetError
        while len(self._data) < size:
            more = await self._stream.receive()
            if not more:
                raise ConnectionResetError
            self._data += more
        found = bytes(self._data[:size])
        del self._data[:size]
        return found

    async def body(self, size: int) -> bytes:
        """The first bytes of so many, of which no more are kept than are looked at; the rest is
        read and forgotten. ConnectionResetError as above, and for more than a gigabyte.
        """
        if size < 0 or size > _LARGEST:
            raise ConnectionResetError
        found = await self.exactly(min(size, self._most))
        left = size - len(found)
        while left > 0:
            left -= len(await self.exactly(min(left, self._most)))
        return found

    async def line(self) -> bytes:
        """A line without its end. ConnectionResetError as above."""
        while (end := self._data.find(b"\n")) < 0:
            if len(self._data) > 8192:
                raise ConnectionResetError
            more = await self._stream.receive()
            if not more:
                raise ConnectionResetError
            self._data += more
        found = bytes(self._data[:end])
        del self._data[: end + 1]
        return found.removesuffix(b"\r")


async def command(call: Call, words: Sequence[str]) -> int:
    """What an entrypoint ends with where another program is wanted than its server: `exec "$@"`."""
    program = call.kernel.find(words[0])
    if program is None:
        name = call.argv[0].rpartition("/")[2]
        await call.io.stderr.write(f"{name}: exec: {words[0]}: not found\n".encode())
        return 127
    return await program(Call(words, call.process, call.io, call.env, call.cwd))
