"""Checksums, base64 and dumps of bytes."""

import base64 as base64s
import binascii
import hashlib
import zlib
from collections.abc import Callable
from typing import Any, Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, Program, decoded
from cluster.runtime.vos.programs import inputs, options

_MOST: Final = 64 << 20


def _sum(name: str) -> Program:
    make: Callable[[], Any] = getattr(hashlib, name)

    async def program(call: Call) -> int:
        """`NAMEsum [-c] [FILE…]`."""
        try:
            found, names = options.split(call.argv, "csbtw")
        except options.Unknown as unknown:
            return await call.complain(str(unknown))
        code = inputs.missing(call, names)
        if "c" in found:
            return await _checked(call, make, names, silent="s" in found)
        async for shown, reader in inputs.each(call, names):
            digest = make()
            while data := await reader.read():
                digest.update(data)
                await call.kernel.step()
            await call.out(f"{digest.hexdigest()}  {shown}\n")
        return code

    return program


async def _checked(call: Call, make: Callable[[], Any], names: list[str], *, silent: bool) -> int:
    failed = 0
    async for _, reader in inputs.each(call, names):
        for line in await streams.lines(reader):
            wanted, _, name = decoded(line).partition("  ")
            try:
                digest = make()
                digest.update(call.files.read(call.path(name)))
                good = digest.hexdigest() == wanted.lower()
            except OSError:
                good = False
            failed += not good
            if not silent:
                await call.out(f"{name}: {'OK' if good else 'FAILED'}\n")
    if failed and not silent:
        await call.complain(f"WARNING: {failed} computed checksums did NOT match")
    return int(failed > 0)


async def cksum(call: Call) -> int:
    """`cksum [FILE…]`: POSIX' CRC."""
    names = list(call.argv[1:])
    async for shown, reader in inputs.each(call, names):
        data = await streams.everything(reader, _MOST)
        size, value = len(data), 0
        length = b""
        while size:
            length += bytes([size & 0xFF])
            size >>= 8
        # zlib's CRC is the reflected one: reflect the bytes and the result.
        mirrored = (data + length).translate(_MIRROR)
        value = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
        await call.out(f"{int(f'{value:032b}'[::-1], 2) ^ 0xFFFFFFFF} {len(data)}"
                       f"{' ' + shown if names else ''}\n")  # fmt: skip
    return inputs.missing(call, names)


_MIRROR: Final = bytes(int(f"{one:08b}"[::-1], 2) for one in range(256))


async def base64(call: Call) -> int:
    """`base64 [-d] [-w COLUMNS] [FILE]`."""
    argv = ["-d" if word == "--decode" else word for word in call.argv]
    argv = [f"-w{word[7:]}" if word.startswith("--wrap=") else word for word in argv]
    try:
        found, names = options.split(argv, "di", "w")
        width = options.number(found.get("w", "76"))
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    async for _, reader in inputs.each(call, names[:1]):
        data = await streams.everything(reader, _MOST)
        if "d" in found:
            try:
                await call.io.stdout.write(base64s.b64decode(b"".join(data.split()), validate=True))
            except binascii.Error:
                return await call.complain("invalid input")
            continue
        text = base64s.b64encode(data)
        step = width or len(text) or 1
        lines = [text[at : at + step] for at in range(0, len(text), step)]
        await call.io.stdout.write(b"\n".join(lines) + (b"\n" if width and lines else b""))
    return inputs.missing(call, names)


async def od(call: Call) -> int:
    """`od [-c|-x|-b|-A n|-t x1] [FILE]`, `hexdump -C`, `xxd`."""
    name = call.argv[0].rpartition("/")[2]
    try:
        found, names = options.split(call.argv, "cxbCvp", "AtNnsl")
        most = options.number(found.get("N") or found.get("n") or found.get("l") or str(_MOST))
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    async for _, reader in inputs.each(call, names[:1]):
        plain = name == "xxd" and "p" in found
        at, width = 0, 30 if plain else 16
        while row := await _block(reader, min(width, most - at)):
            await call.kernel.step()
            await call.out((row.hex() if plain else _row(name, found, at, row)) + "\n")
            at += len(row)
        if name == "od" and found.get("A") != "n":
            await call.out(f"{at:07o}\n")
        elif name == "hexdump" and at:
            await call.out(f"{at:08x}\n" if "C" in found else f"{at:07x}\n")
    return inputs.missing(call, names)


async def _block(reader: streams.Reader, size: int) -> bytes:
    """So many bytes, less only at the end."""
    made = b""
    while len(made) < size and (data := await reader.read(size - len(made))):
        made += data
    return made


def _row(name: str, found: dict[str, str], at: int, row: bytes) -> str:
    shown = "".join(chr(one) if 32 <= one < 127 else "." for one in row)
    if name == "xxd":
        pairs = " ".join(row[start : start + 2].hex() for start in range(0, len(row), 2))
        return f"{at:08x}: {pairs:<39}  {shown}"
    if "C" in found:
        halves = f"{row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}"
        return f"{at:08x}  {halves}  |{shown}|"
    words = [int.from_bytes(row[start : start + 2], "little") for start in range(0, len(row), 2)]
    if name == "hexdump":
        return f"{at:07x} " + " ".join(f"{one:04x}" for one in words)
    place = "" if found.get("A") == "n" else f"{at:07o}"
    if "c" in found:
        return place + "".join(_letter(one) for one in row)
    if found.get("t", "").startswith("x1"):
        return place + "".join(f" {one:02x}" for one in row)
    if "b" in found:
        return place + "".join(f" {one:03o}" for one in row)
    return place + "".join(f" {one:04x}" if "x" in found else f" {one:06o}" for one in words)


_NAMED: Final = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f",
                 13: "\\r"}  # fmt: skip


def _letter(one: int) -> str:
    return f"{_NAMED.get(one) or (chr(one) if 32 <= one < 127 else f'{one:03o}'):>4}"


PROGRAMS: Final[dict[str, Program]] = {
    **{f"{name}sum": _sum(name) for name in ("md5", "sha1", "sha256", "sha512")},
    "cksum": cksum, "base64": base64, "od": od, "hexdump": od, "xxd": od,
}  # fmt: skip
