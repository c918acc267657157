"""Archives of tar as they flow by: headers and content, never a whole archive in memory."""

import io
import tarfile
import zlib
from collections.abc import AsyncIterator
from typing import Final

from cluster.runtime.vos.streams import Reader, Writer

_BLOCK: Final = tarfile.BLOCKSIZE
PIECE: Final = 1 << 17
_EXTENSIONS: Final = (b"x", b"g", b"L", b"K")
_MOST_HEADERS: Final = 1 << 20
"""Bytes of the extended headers of one member."""
_GZIP: Final = 31
"""zlib's word for gzip's header and trailer."""


class Source:
    """The bytes of an archive, unpacked where they are compressed by gzip."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._data = bytearray()
        self._packed: zlib._Decompress | None = None
        self._rest = b""
        self._begun = False

    async def exactly(self, size: int) -> bytes:
        """So many bytes. EOFError where there are fewer; tarfile.TarError, ValueError."""
        while len(self._data) < size:
            if not await self._more():
                raise EOFError("unexpected end of file")
        return self._taken(size)

    async def some(self, most: int) -> bytes:
        """At least one byte. EOFError."""
        if not self._data and not await self._more():
            raise EOFError("unexpected end of file")
        return self._taken(most)

    async def empty(self) -> bool:
        """Whether there is nothing at all."""
        return not self._data and not await self._more()

    async def drain(self) -> None:
        """Read what is left, and throw it away: its writer must not break."""
        self._data.clear()
        while await self._reader.read(PIECE):
            pass

    def _taken(self, size: int) -> bytes:
        data = bytes(self._data[:size])
        del self._data[:size]
        return data

    async def _more(self) -> bool:
        while True:
            data = self._rest or await self._reader.read(PIECE)
            self._rest = b""
            if not self._begun and data:
                while len(data) < 2 and (more := await self._reader.read(PIECE)):
                    data += more
                self._begun = True
                if data[:2] == b"\x1f\x8b":
                    self._packed = zlib.decompressobj(_GZIP)
            if not data:
                return False
            if self._packed is not None:
                data = self._unpacked(self._packed, data)
            self._data += data
            if data:
                return True

    def _unpacked(self, packed: "zlib._Decompress", data: bytes) -> bytes:
        try:
            found = packed.decompress(data, PIECE)
        except zlib.error as error:
            raise tarfile.ReadError(f"corrupted data: {error}") from None
        self._rest = packed.unconsumed_tail
        return found


async def members(source: Source) -> AsyncIterator[tarfile.TarInfo]:
    """The members, one after another; the content of each has to be read before the next.

    EOFError, tarfile.TarError, ValueError.
    """
    while True:
        headers = b""
        while True:
            block = await source.exactly(_BLOCK)
            if not headers and not block.strip(b"\0"):
                await source.drain()
                return
            headers += block
            if block[156:157] not in _EXTENSIONS:
                break
            size = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size
            if not 0 <= size <= _MOST_HEADERS - len(headers):
                raise tarfile.HeaderError("a header is too large")
            headers += await source.exactly(_padded(size))
        with tarfile.open(fileobj=io.BytesIO(headers), mode="r:") as archive:
            member = archive.next()
        if member is None:
            raise tarfile.HeaderError("a header without a member")
        yield member


async def content(source: Source, member: tarfile.TarInfo) -> AsyncIterator[bytes]:
    """The content of a member, in pieces; to be read to its end. EOFError."""
    left = member.size if member.isreg() else 0
    padding = _padded(left) - left
    while left > 0:
        data = await source.some(min(left, PIECE))
        left -= len(data)
        yield data
    await source.exactly(padding)


class Sink:
    """Where an archive goes, packed by gzip if that is wanted."""

    def __init__(self, writer: Writer, *, packed: bool) -> None:
        self._writer = writer
        self._packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP) if packed else None
        self._written = 0

    async def begin(self, member: tarfile.TarInfo) -> None:
        """The header of a member; its content follows."""
        await self.write(member.tobuf(tarfile.PAX_FORMAT))

    async def write(self, data: bytes) -> None:
        """Bytes of the archive."""
        self._written += len(data)
        packed = data if self._packer is None else self._packer.compress(data)
        if packed:
            await self._writer.write(packed)

    async def pad(self, size: int) -> None:
        """What is missing after content of this size."""
        await self.write(bytes(_padded(size) - size))

    async def end(self) -> None:
        """The end of the archive."""
        await self.write(bytes(2 * _BLOCK))
        await self.write(bytes(-self._written % tarfile.RECORDSIZE))
        if self._packer is not None:
            await self._writer.write(self._packer.flush())


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
