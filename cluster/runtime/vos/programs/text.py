"""Programs over lines of text: cat, head, tail, wc, sort, uniq, cut, tr, tee."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, Program, decoded
from cluster.runtime.vos.programs import descriptors, inputs, options, sorting

_POLL: Final = 1.0
_MAX_LINES: Final = 100_000


def _checked(body: Program) -> Program:
    """Tell of options that are not there."""

    async def run(call: Call) -> int:
        try:
            return await body(call)
        except options.Unknown as unknown:
            return await call.complain(str(unknown))

    run.__doc__ = body.__doc__
    return run


async def cat(call: Call) -> int:
    """`cat [-n] [FILE…]`."""
    found, names = options.split(call.argv, "nuv")
    number = 0
    async for _, reader in inputs.each(call, names):
        if "n" in found:
            async for line in inputs.lines(reader):
                number += 1
                await call.io.stdout.write(b"%6d\t" % number + line)
            continue
        while data := await reader.read():
            await call.kernel.step()
            await call.io.stdout.write(data)
    return inputs.missing(call, names)


def _count(argv: Sequence[str]) -> Sequence[str]:
    """`-5` is `-n 5`, but `-n -5` is itself."""
    return [
        f"-n{word[1:]}"
        if word[:1] == "-" and word[1:].isdigit() and argv[at - 1] not in ("-n", "-c")
        else word
        for at, word in enumerate(argv)
    ]


async def head(call: Call) -> int:
    """`head [-n LINES | -c BYTES] [FILE…]`."""
    found, names = options.split(_count(call.argv), "q", "nc")
    async for _, reader in inputs.each(call, names):
        if "c" in found:
            left = options.number(found["c"])
            while left and (data := await reader.read(left)):
                await call.io.stdout.write(data)
                left -= len(data)
            continue
        left = options.number(found.get("n", "10"))
        if found.get("n", "")[:1] == "-":
            kept = (await streams.everything(reader)).splitlines(keepends=True)
            await call.io.stdout.write(b"".join(kept[: max(len(kept) - left, 0)]))
            continue
        while left and (line := await reader.read_line()):
            await call.io.stdout.write(line)
            left -= 1
    return inputs.missing(call, names)


async def tail(call: Call) -> int:
    """`tail [-n [+]LINES | -c BYTES] [-f] [FILE…]`."""
    found, names = options.split(_count(call.argv), "fFq", "nc")
    wanted = found.get("n", "10")
    for name in [] if "c" in found else names or ["-"]:
        async for _, reader in inputs.each(call, [name]):
            kept = await streams.everything(reader)
            lines = kept.splitlines(keepends=True)
            start = options.number(wanted) - 1 if wanted[0] == "+" else None
            count = options.number(wanted)
            chosen = lines[start:] if start is not None else lines[len(lines) - count :]
            chosen = lines if start is None and count >= len(lines) else chosen
            await call.io.stdout.write(b"".join(chosen if count or start is not None else []))
    if "c" in found:
        size = options.number(found["c"])
        async for _, reader in inputs.each(call, names):
            kept = await streams.everything(reader)
            await call.io.stdout.write(kept[max(len(kept) - size, 0) :] if size else b"")
    if names and ("f" in found or "F" in found):
        await _follow(call, names)
    return inputs.missing(call, names)


async def _follow(call: Call, names: Sequence[str]) -> None:
    """Print what is added, for ever."""
    sizes = {name: len(_content(call, name)) for name in names}
    while True:
        await asyncio.sleep(_POLL)
        for name in names:
            data = _content(call, name)
            at = sizes[name] if sizes[name] <= len(data) else 0
            sizes[name] = len(data)
            if data[at:]:
                await call.io.stdout.write(data[at:])


def _content(call: Call, name: str) -> bytes:
    try:
        return call.files.read(call.path(name))
    except OSError:
        return b""


async def wc(call: Call) -> int:
    """`wc [-lwc] [FILE…]`."""
    found, names = options.split(call.argv, "lwcm")
    chosen = [place for place, letter in enumerate("lwc") if letter in found] or [0, 1, 2]
    totals, count = [0, 0, 0], 0
    async for name, reader in inputs.each(call, names):
        sums, inside = [0, 0, 0], False
        while data := await reader.read():
            await call.kernel.step()
            words = len(data.split())
            joined = inside and words and not data[:1].isspace()
            inside = not data[-1:].isspace()
            sums = [
                sums[0] + data.count(b"\n"),
                sums[1] + words - bool(joined),
                sums[2] + len(data),
            ]
        totals = [one + more for one, more in zip(totals, sums, strict=True)]
        count += 1
        await _counts(call, [sums[at] for at in chosen], name if names else "")
    if count > 1:
        await _counts(call, [totals[at] for at in chosen], "total")
    return inputs.missing(call, names)


async def _counts(call: Call, values: Sequence[int], name: str) -> None:
    shown = " ".join(f"{value}" if len(values) == 1 else f"{value:8d}" for value in values)
    await call.out(f"{shown}{' ' + name if name else ''}\n")


async def sort(call: Call) -> int:
    """`sort [-rnuhVfbM] [-t SEPARATOR] [-k FIRST[,LAST][nr]]… [-o FILE] [FILE…]`."""
    keys: list[str] = []
    argv = [call.argv[0]]
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if word[:2] == "-k":
            keys.append(word[2:] or (words.pop(0) if words else ""))
        else:
            argv.append(word)
    found, names = options.split(argv, "rnuhVfbMcsdgz", "toST")
    lines: list[bytes] = []
    async for _, reader in inputs.each(call, names):
        lines += await streams.lines(reader)
    if len(lines) > _MAX_LINES:
        return await call.complain("out of memory", 2)
    made = sorting.ordered(lines, found, keys)
    if "c" in found:
        return int(made != lines)
    data = b"".join(line + b"\n" for line in made)
    if "o" in found:
        try:
            call.files.put(call.path(found["o"]), data)
        except OSError as error:
            return await call.complain(f"{found['o']}: {error.strerror}", 2)
    else:
        await call.io.stdout.write(data)
    return inputs.missing(call, names)


async def uniq(call: Call) -> int:
    """`uniq [-cdui] [FILE]`."""
    found, names = options.split(call.argv, "cdui")
    async for _, reader in inputs.each(call, names[:1]):
        last: bytes | None = None
        count = 0
        for line in [*await streams.lines(reader), None]:
            if line == last or ("i" in found and line and last and line.lower() == last.lower()):
                count += 1
                continue
            hidden = ("d" in found and count < 2) or ("u" in found and count > 1)
            if last is not None and not hidden:
                prefix = b"%7d " % count if "c" in found else b""
                await call.io.stdout.write(prefix + last + b"\n")
            last, count = line, 1
    return inputs.missing(call, names)


async def cut(call: Call) -> int:
    """`cut -d SEPARATOR -f FIELDS | -c PLACES [FILE…]`."""
    found, names = options.split(call.argv, "s", "dfc")
    ranges = _ranges(found.get("f") or found.get("c") or "")
    separator = found.get("d", "\t")[:1] or "\t"
    async for _, reader in inputs.each(call, names):
        async for line in inputs.lines(reader):
            text = decoded(line.removesuffix(b"\n"))
            fields = list(text) if "c" in found else text.split(separator)
            chosen = [one for at, one in enumerate(fields, 1) if any(at in each for each in ranges)]
            if "f" in found and len(fields) == 1:
                chosen = [] if "s" in found else fields
            await call.out(("" if "c" in found else separator).join(chosen) + "\n")
    return inputs.missing(call, names)


def _ranges(text: str) -> list[range]:
    made: list[range] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = options.number(first or "1")
        end = options.number(last) if last else 1 << 40 if dash else start
        made.append(range(start, end + 1))
    return made


async def tr(call: Call) -> int:
    """`tr [-cds] SET1 [SET2]`, with ranges, classes and `\\n`."""
    found, rest = options.split(call.argv, "cCds")
    if not rest or (len(rest) < 2 and not {"d", "s"} & set(found)):
        return await call.complain("usage: tr [-cds] SET1 [SET2]")
    source = _letters(rest[0])
    others = bool({"c", "C"} & set(found))
    target = _letters(rest[1]) if len(rest) > 1 else ""
    padded = target + target[-1:] * max(0, len(source) - len(target))
    table = dict(zip(source, padded, strict=False)) if target and "d" not in found else {}
    squeezed = set(target or source) if "s" in found else set()
    last = ""
    while data := await call.io.stdin.read():
        await call.kernel.step()
        made: list[str] = []
        for letter in decoded(data):
            inside = (letter in source) != others
            if inside and "d" in found:
                continue
            new = letter
            if inside and target:
                new = target[-1] if others else table.get(letter, letter)
            squeeze = new in squeezed or (others and "s" in found and not target and inside)
            if not (squeeze and new == last):
                made.append(new)
            last = new
        await call.out("".join(made))
    return 0


_CLASSES: Final = {
    "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "[:lower:]": "abcdefghijklmnopqrstuvwxyz",
    "[:digit:]": "0123456789", "[:space:]": " \t\n\r\f\v", "[:blank:]": " \t",
    "[:alpha:]": "A-Za-z", "[:alnum:]": "A-Za-z0-9", "[:punct:]": "!-/:-@\\[-`{-~",
    "[:xdigit:]": "0-9A-Fa-f", "[:print:]": " -~", "[:graph:]": "!-~", "[:cntrl:]": "\0-\x1f\x7f",
}  # fmt: skip


_OCTAL: Final = re.compile(r"\\([0-7]{1,3})")


def _letters(text: str) -> str:
    for name, letters in _CLASSES.items():
        text = text.replace(name, letters)
    text = _OCTAL.sub(lambda found: chr(int(found[1], 8) & 0xFF), text)
    for name, letter in (
        ("n", "\n"),
        ("t", "\t"),
        ("r", "\r"),
        ("\\", "\\"),
        ("[", "["),
        ("]", "]"),
    ):
        text = text.replace("\\" + name, letter)
    made, at = "", 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            last = min(ord(text[at + 2]), ord(text[at]) + 255)
            made += "".join(map(chr, range(ord(text[at]), last + 1)))
            at += 3
        else:
            made += text[at]
            at += 1
    return made[:1024]


async def tee(call: Call) -> int:
    """`tee [-a] FILE…`."""
    found, names = options.split(call.argv, "a")
    opened: dict[str, streams.Writer] = {}
    code = 0
    for name in names:
        try:
            opened[name] = descriptors.writer(call, call.path(name), append="a" in found)
        except OSError as error:
            code = await call.complain(f"{name}: {error.strerror}")
    while data := await call.io.stdin.read():
        for name, file in list(opened.items()):
            try:
                await file.write(data)
            except OSError as error:
                del opened[name]
                code = await call.complain(f"{name}: {error.strerror}")
        await call.io.stdout.write(data)
    return code


PROGRAMS: Final[dict[str, Program]] = {
    name: _checked(body)
    for name, body in {
        "cat": cat, "cut": cut, "head": head, "sort": sort, "tail": tail, "tee": tee,
        "tr": tr, "uniq": uniq, "wc": wc,
    }.items()
}  # fmt: skip
