"""Programs over lines of text: cat, head, tail, wc, grep, sort, uniq, cut, tr, tee."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from cluster.runtime.vos import filereading, streams
from cluster.runtime.vos.kernel import Call, Program, decoded, encoded
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.streams import Reader

_POLL: Final = 1.0
_MAX_LINES: Final = 100_000


def _opened(call: Call, name: str) -> Reader:
    """Whoever reads a file; `-` is stdin. OSError."""
    if name in ("-", "/dev/stdin"):
        return call.io.stdin
    path = call.path(name)
    return streams.NOTHING if path == "/dev/null" else filereading.opened(call.files, path)


async def _inputs(call: Call, names: Sequence[str]) -> AsyncIterator[tuple[str, Reader]]:
    """The files that were named, or stdin; those that cannot be read are told of."""
    for name in names or ["-"]:
        try:
            opened = _opened(call, name)
        except OSError as error:
            await call.complain(f"can't open '{name}': {error.strerror}")
            continue
        yield name, opened


def _missing(call: Call, names: Sequence[str]) -> int:
    return int(any(name != "-" and not call.files.exists(call.path(name)) for name in names))


async def _lines(reader: Reader) -> AsyncIterator[bytes]:
    while line := await reader.read_line():
        yield line


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
    async for _, reader in _inputs(call, names):
        if "n" in found:
            async for line in _lines(reader):
                number += 1
                await call.io.stdout.write(b"%6d\t" % number + line)
            continue
        while data := await reader.read():
            await call.kernel.step()
            await call.io.stdout.write(data)
    return _missing(call, names)


def _count(argv: Sequence[str]) -> Sequence[str]:
    """`-5` is `-n 5`."""
    return [f"-n{word[1:]}" if word[:1] == "-" and word[1:].isdigit() else word for word in argv]


async def head(call: Call) -> int:
    """`head [-n LINES | -c BYTES] [FILE…]`."""
    found, names = options.split(_count(call.argv), "q", "nc")
    async for _, reader in _inputs(call, names):
        if "c" in found:
            left = options.number(found["c"])
            while left and (data := await reader.read(left)):
                await call.io.stdout.write(data)
                left -= len(data)
            continue
        left = options.number(found.get("n", "10"))
        while left and (line := await reader.read_line()):
            await call.io.stdout.write(line)
            left -= 1
    return _missing(call, names)


async def tail(call: Call) -> int:
    """`tail [-n [+]LINES | -c BYTES] [-f] [FILE…]`."""
    found, names = options.split(_count(call.argv), "fFq", "nc")
    wanted = found.get("n", "10")
    for name in [] if "c" in found else names or ["-"]:
        async for _, reader in _inputs(call, [name]):
            kept = await streams.everything(reader)
            lines = kept.splitlines(keepends=True)
            start = options.number(wanted) - 1 if wanted[0] == "+" else None
            count = options.number(wanted)
            chosen = lines[start:] if start is not None else lines[len(lines) - count :]
            chosen = lines if start is None and count >= len(lines) else chosen
            await call.io.stdout.write(b"".join(chosen if count or start is not None else []))
    if "c" in found:
        size = options.number(found["c"])
        async for _, reader in _inputs(call, names):
            kept = await streams.everything(reader)
            await call.io.stdout.write(kept[max(len(kept) - size, 0) :] if size else b"")
    if names and ("f" in found or "F" in found):
        await _follow(call, names)
    return _missing(call, names)


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
    async for name, reader in _inputs(call, names):
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
    return _missing(call, names)


async def _counts(call: Call, values: Sequence[int], name: str) -> None:
    shown = " ".join(f"{value}" if len(values) == 1 else f"{value:8d}" for value in values)
    await call.out(f"{shown}{' ' + name if name else ''}\n")


async def grep(call: Call) -> int:
    """`grep [-FEivcnqlwxo] PATTERN [FILE…]`: plain text, `^`, `$`, and with -E `a|b`."""
    found, rest = options.split(call.argv, "FEivcnqlwxhHs", "e")
    if "e" not in found and not rest:
        return await call.complain("usage: grep PATTERN [FILE]...", 2)
    pattern = found["e"] if "e" in found else rest.pop(0)
    matcher = _matcher(pattern, found)
    if matcher is None:
        text = "regular expressions other than ^, $ and | are not built yet"
        return await call.complain(text, 2)
    hit = False
    async for name, reader in _inputs(call, rest):
        prefix = f"{name}:" if len(rest) > 1 and "h" not in found else ""
        count = await _grepped(call, reader, matcher, found, prefix)
        hit = hit or count > 0
        if hit and "q" in found:
            return 0
        if "c" in found:
            await call.out(f"{prefix}{count}\n")
        elif "l" in found and count:
            await call.out(f"{name}\n")
    return 2 if _missing(call, rest) else int(not hit)


async def _grepped(
    call: Call, reader: Reader, matcher: Callable[[str], bool], found: dict[str, str], prefix: str
) -> int:
    count = number = 0
    async for line in _lines(reader):
        number += 1
        await call.kernel.step()
        text = decoded(line.removesuffix(b"\n"))
        if matcher(text) == ("v" in found):
            continue
        count += 1
        if "q" in found:
            return count
        if "c" not in found and "l" not in found:
            await call.out(f"{prefix}{f'{number}:' if 'n' in found else ''}{text}\n")
    return count


def _matcher(pattern: str, found: dict[str, str]) -> Callable[[str], bool] | None:
    """What tells whether a line fits; None for a pattern that is not built."""
    fixed, small = "F" in found, "i" in found
    choices = pattern.split("|") if "E" in found and not fixed else pattern.split("\\|")
    tests: list[tuple[str, bool, bool]] = []
    for choice in choices:
        plain = pattern if fixed else choice
        start = not fixed and plain.startswith("^")
        plain = plain[1:] if start else plain
        end = not fixed and plain.endswith("$")
        plain = plain[:-1] if end else plain
        if not fixed:
            bare = plain.replace("\\.", "").replace("\\-", "").replace("\\/", "")
            if any(letter in bare for letter in "*[]\\."):
                return None
            if "E" in found and set(bare) & set("+?(){}"):
                return None
            plain = plain.replace("\\", "")
        whole = "x" in found
        tests.append((plain.lower() if small else plain, start or whole, end or whole))

    def fits(line: str) -> bool:
        text = line.lower() if small else line
        return any(_fits(text, *test, word="w" in found) for test in tests)

    return fits


def _fits(text: str, plain: str, start: bool, end: bool, *, word: bool) -> bool:
    if start and end:
        return text == plain
    if start:
        return text.startswith(plain)
    if end:
        return text.endswith(plain)
    if word:
        letters = "".join(one if one.isalnum() or one == "_" else " " for one in text)
        return f" {plain} " in f" {letters} "
    return plain in text


async def sort(call: Call) -> int:
    """`sort [-rnu] [FILE…]`."""
    found, names = options.split(call.argv, "rnuf", "kt")
    lines: list[bytes] = []
    async for _, reader in _inputs(call, names):
        lines += await streams.lines(reader)
    if len(lines) > _MAX_LINES:
        return await call.complain("out of memory", 2)
    key = _sort_key(found)
    lines.sort(key=key, reverse="r" in found)
    if "u" in found:
        lines = list(dict.fromkeys(lines))
    await call.io.stdout.write(b"".join(line + b"\n" for line in lines))
    return _missing(call, names)


def _sort_key(found: dict[str, str]) -> Callable[[bytes], tuple[float, bytes]]:
    column = options.number(found["k"].split(",")[0].rstrip("nr")) if "k" in found else 0
    separator = encoded(found["t"]) if "t" in found else None
    numeric = "n" in found or found.get("k", "").endswith("n")

    def key(line: bytes) -> tuple[float, bytes]:
        fields = line.split(separator) if column else [line]
        part = b" ".join(fields[column - 1 :]) if column else line
        return (_leading(part) if numeric else 0.0, part)

    return key


def _leading(text: bytes) -> float:
    digits = text.strip().split(b" ")[0][:20]
    try:
        return float(digits)
    except ValueError:
        return 0.0


async def uniq(call: Call) -> int:
    """`uniq [-cd] [FILE]`."""
    found, names = options.split(call.argv, "cdu")
    async for _, reader in _inputs(call, names[:1]):
        last: bytes | None = None
        count = 0
        for line in [*await streams.lines(reader), None]:
            if line == last:
                count += 1
                continue
            if last is not None and not ("d" in found and count < 2):
                prefix = b"%7d " % count if "c" in found else b""
                await call.io.stdout.write(prefix + last + b"\n")
            last, count = line, 1
    return _missing(call, names)


async def cut(call: Call) -> int:
    """`cut -d SEPARATOR -f FIELDS | -c PLACES [FILE…]`."""
    found, names = options.split(call.argv, "s", "dfc")
    ranges = _ranges(found.get("f") or found.get("c") or "")
    separator = found.get("d", "\t")[:1] or "\t"
    async for _, reader in _inputs(call, names):
        async for line in _lines(reader):
            text = decoded(line.removesuffix(b"\n"))
            fields = list(text) if "c" in found else text.split(separator)
            chosen = [one for at, one in enumerate(fields, 1) if any(at in each for each in ranges)]
            if "f" in found and len(fields) == 1:
                chosen = [] if "s" in found else fields
            await call.out(("" if "c" in found else separator).join(chosen) + "\n")
    return _missing(call, names)


def _ranges(text: str) -> list[range]:
    made: list[range] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = options.number(first or "1")
        end = options.number(last) if last else 1 << 40 if dash else start
        made.append(range(start, end + 1))
    return made


async def tr(call: Call) -> int:
    """`tr [-d] SET1 [SET2]`, with ranges and `\\n`."""
    found, rest = options.split(call.argv, "ds")
    if not rest:
        return await call.complain("usage: tr [-d] SET1 [SET2]")
    source = _letters(rest[0])
    if "d" in found:
        table: dict[int, str | None] = dict.fromkeys(map(ord, source))
    else:
        target = _letters(rest[1]) if len(rest) > 1 else source
        padded = target + (target[-1:] * max(0, len(source) - len(target)))
        table = {ord(one): other for one, other in zip(source, padded, strict=False)}
    while data := await call.io.stdin.read():
        await call.kernel.step()
        await call.out(decoded(data).translate(table))
    return 0


_CLASSES: Final = {
    "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "[:lower:]": "abcdefghijklmnopqrstuvwxyz",
    "[:digit:]": "0123456789", "[:space:]": " \t\n\r\f\v",
}  # fmt: skip


def _letters(text: str) -> str:
    for name, letters in _CLASSES.items():
        text = text.replace(name, letters)
    text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")
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
    opened = []
    for name in names:
        try:
            opened.append(call.files.create(call.path(name), append="a" in found))
        except OSError as error:
            await call.complain(f"{name}: {error.strerror}")
    while data := await call.io.stdin.read():
        for file in opened:
            call.files.write(file, data)
        await call.io.stdout.write(data)
    return int(len(opened) < len(names))


PROGRAMS: Final[dict[str, Program]] = {
    name: _checked(body)
    for name, body in {
        "cat": cat, "cut": cut, "grep": grep, "head": head, "sort": sort, "tail": tail, "tee": tee,
        "tr": tr, "uniq": uniq, "wc": wc,
    }.items()
}  # fmt: skip
