"""What programs read: files that are named, or stdin."""

from collections.abc import AsyncIterator, Sequence

from cluster.runtime.vos import devices, filereading, streams
from cluster.runtime.vos.credentials import READ
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs import descriptors
from cluster.runtime.vos.streams import Reader


def opened(call: Call, name: str) -> Reader:
    """Whoever reads a file; `-` is stdin. OSError."""
    if name == "-":
        return call.io.stdin
    path = call.path(name)
    stream = descriptors.reader(call, path)
    if stream is not None:
        return stream
    device = devices.opened(call.kernel, path) if path.startswith("/dev/") else None
    return filereading.opened(call.files, path) if device is None else device


async def each(call: Call, names: Sequence[str]) -> AsyncIterator[tuple[str, Reader]]:
    """The files that were named, or stdin; those that cannot be read are told of."""
    for name in names or ["-"]:
        try:
            reader = opened(call, name)
        except OSError as error:
            await call.complain(f"can't open '{name}': {error.strerror}")
            continue
        yield name, reader


def missing(call: Call, names: Sequence[str]) -> int:
    """1 where one of the files is not there, or cannot be read; 0 otherwise."""
    tree = call.files
    paths = [call.path(name) for name in names if name != "-"]
    return int(any(_misses(call, tree, path) for path in paths))


def _misses(call: Call, tree: FileSystem, path: str) -> bool:
    try:
        if descriptors.reader(call, path) is not None:
            return False
    except OSError:
        return True
    return tree.is_folder(path) or not tree.allows(path, READ)


async def lines(reader: Reader) -> AsyncIterator[bytes]:
    """The lines, with their ends."""
    while line := await reader.read_line():
        yield line


async def whole_lines(call: Call, reader: Reader, most: int = 1 << 20) -> AsyncIterator[bytes]:
    """Lines without their ends, however long (`most` bytes). TooMuch."""
    made = bytearray()
    while piece := await reader.read_line():
        made += piece
        if len(made) > most:
            raise streams.TooMuch
        if piece.endswith(b"\n"):
            yield bytes(made[:-1])
            made.clear()
        await call.kernel.step()
    if made:
        yield bytes(made)
