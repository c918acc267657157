"""`gzip`, `gunzip`, `zcat`."""

import zlib
from typing import Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, Program
from cluster.runtime.vos.programs import inputs, options

_MOST: Final = 32 << 20


def _packed(data: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(47)
    made = unpacker.decompress(data, _MOST)
    if unpacker.unconsumed_tail:
        raise streams.TooMuch
    if not unpacker.eof:
        raise zlib.error("unexpected end of file")
    return made


async def gzip(call: Call) -> int:
    """`gzip [-cdfk1-9] [FILE…]`, `gunzip`, `zcat`."""
    name = call.argv[0].rpartition("/")[2]
    try:
        found, names = options.split(call.argv, "cdfkqvnt123456789")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    unpack = "d" in found or name in ("gunzip", "zcat")
    level = next((int(one) for one in found if one.isdigit()), 6)
    code = 0
    for one in names or ["-"]:
        try:
            data = await streams.everything(inputs.opened(call, one), _MOST)
            made = _unpacked(data) if unpack else _packed(data, level)
            if one == "-" or "c" in found or name == "zcat":
                await call.io.stdout.write(made)
                continue
            if unpack and not one.endswith(".gz"):
                code = await call.complain(f"{one}: unknown suffix - ignored")
                continue
            path = call.path(one)
            call.files.put(path.removesuffix(".gz") if unpack else path + ".gz", made)
            if "k" not in found:
                call.files.remove(path)
        except OSError as error:
            code = await call.complain(f"{one}: {error.strerror}")
        except zlib.error:
            code = await call.complain(f"{one}: invalid magic" if one != "-" else "invalid magic")
    return code


PROGRAMS: Final[dict[str, Program]] = dict.fromkeys(("gzip", "gunzip", "zcat"), gzip)
