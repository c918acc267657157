"""More programs over lines: tac, rev, nl, paste, comm, fold, expand, shuf, cmp, diff, strings."""

import difflib
import random
import re
from typing import Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, Program, decoded, encoded
from cluster.runtime.vos.programs import inputs, options

_MOST: Final = 100_000
_DIFF: Final = 5000


async def _all(call: Call, names: list[str]) -> list[str]:
    found: list[str] = []
    async for _, reader in inputs.each(call, names):
        found += [decoded(line) for line in await streams.lines(reader)]
        if len(found) > _MOST:
            raise streams.TooMuch
    return found


async def _print(call: Call, lines: list[str]) -> None:
    if lines:
        await call.out("\n".join(lines) + "\n")


async def tac(call: Call) -> int:
    """`tac [FILE…]`."""
    names = list(call.argv[1:])
    await _print(call, (await _all(call, names))[::-1])
    return inputs.missing(call, names)


async def rev(call: Call) -> int:
    """`rev [FILE…]`."""
    names = list(call.argv[1:])
    await _print(call, [line[::-1] for line in await _all(call, names)])
    return inputs.missing(call, names)


async def nl(call: Call) -> int:
    """`nl [-b a] [-w WIDTH] [-s TEXT] [FILE…]`."""
    found, names = options.split(call.argv, "", "bwsvi")
    width = min(options.number(found.get("w", "6")), 100)
    number = options.number(found.get("v", "1"))
    made: list[str] = []
    for line in await _all(call, names):
        if line or found.get("b") == "a":
            made.append(f"{number:{width}d}{found.get('s', chr(9))}{line}")
            number += 1
        else:
            made.append(" " * (width + 1))
    await _print(call, made)
    return inputs.missing(call, names)


async def paste(call: Call) -> int:
    """`paste [-s] [-d LIST] FILE…`."""
    found, names = options.split(call.argv, "s", "d")
    signs = found.get("d", "\t").replace("\\n", "\n").replace("\\t", "\t") or " "
    columns = [await _all(call, [name]) for name in names or ["-"]]
    if "s" in found:
        await _print(call, [_joined(column, signs) for column in columns])
        return inputs.missing(call, names)
    rows = max(map(len, columns), default=0)
    made = [
        _joined([one[row] if row < len(one) else "" for one in columns], signs)
        for row in range(rows)
    ]
    await _print(call, made)
    return inputs.missing(call, names)


def _joined(parts: list[str], signs: str) -> str:
    made = parts[0] if parts else ""
    for at, part in enumerate(parts[1:]):
        made += signs[at % len(signs)] + part
    return made


async def comm(call: Call) -> int:
    """`comm [-123] FILE FILE`."""
    found, names = options.split(call.argv, "123")
    if len(names) != 2:
        return await call.complain("usage: comm [-123] FILE1 FILE2")
    left, right = await _all(call, names[:1]), await _all(call, names[1:])
    at = to = 0
    made: list[str] = []
    while at < len(left) or to < len(right):
        if to >= len(right) or (at < len(left) and left[at] < right[to]):
            column, line, at = 1, left[at], at + 1
        elif at >= len(left) or right[to] < left[at]:
            column, line, to = 2, right[to], to + 1
        else:
            column, line, at, to = 3, left[at], at + 1, to + 1
        if str(column) not in found:
            made.append("\t" * sum(str(one) not in found for one in range(1, column)) + line)
    await _print(call, made)
    return inputs.missing(call, names)


async def fold(call: Call) -> int:
    """`fold [-s] [-w WIDTH] [FILE…]`."""
    found, names = options.split(call.argv, "sb", "w")
    width = max(options.number(found.get("w", "80")), 1)
    async for _, reader in inputs.each(call, names):
        rest = ""
        async for piece in inputs.lines(reader):
            await call.kernel.step()
            rest += decoded(piece)
            text, ends = rest.removesuffix("\n"), rest.endswith("\n")
            made, at = [], 0
            while len(text) - at > width:
                cut = text.rfind(" ", at, at + width) + 1 - at if "s" in found else 0
                made.append(text[at : at + (cut if cut > 0 else width)])
                at += len(made[-1])
            rest = text[at:]
            if ends:
                made.append(rest)
                rest = ""
            await _print(call, made)
        if rest:
            await call.out(rest)
    return inputs.missing(call, names)


async def expand(call: Call) -> int:
    """`expand [-t COLUMNS] [FILE…]`."""
    found, names = options.split(call.argv, "i", "t")
    size = max(min(options.number(found.get("t", "8")), 100), 1)
    await _print(call, [line.expandtabs(size) for line in await _all(call, names)])
    return inputs.missing(call, names)


async def shuf(call: Call) -> int:
    """`shuf [-n MOST] [-e WORD… | -i LOW-HIGH | FILE]`: the same order for the same moment."""
    found, names = options.split(call.argv, "e", "ni")
    bounds = re.fullmatch(r"(\d{1,9})-(\d{1,9})", found.get("i", ""))
    if bounds:
        low, high = int(bounds[1]), int(bounds[2])
        if high - low > _MOST:
            raise streams.TooMuch
        lines = [str(one) for one in range(low, high + 1)]
    else:
        lines = names if "e" in found else await _all(call, names)
    chance = random.Random(f"{call.kernel.hostname}/{call.kernel.clock.now()}")  # noqa: S311
    chance.shuffle(lines)
    await _print(call, lines[: options.number(found["n"])] if "n" in found else lines)
    return 0 if "e" in found else inputs.missing(call, names)


async def cmp(call: Call) -> int:
    """`cmp [-s] FILE FILE`."""
    found, names = options.split(call.argv, "sl")
    if len(names) != 2:
        return await call.complain("usage: cmp [-s] FILE1 FILE2", 2)
    one, other = [await streams.everything(inputs.opened(call, name)) for name in names]
    if one == other:
        return 0
    if "s" in found:
        return 1
    size = min(len(one), len(other))
    at = next((at for at in range(size) if one[at] != other[at]), size)
    if at == size:
        return await call.complain(f"EOF on {names[0] if len(one) < len(other) else names[1]}")
    line = one[:at].count(b"\n") + 1
    await call.out(f"{names[0]} {names[1]} differ: char {at + 1}, line {line}\n")
    return 1


async def diff(call: Call) -> int:
    """`diff [-uqbi] FILE FILE`: unified, as busybox prints it."""
    found, names = options.split(call.argv, "uqbirNswBad", "U")
    if len(names) != 2:
        return await call.complain("usage: diff FILE1 FILE2", 2)
    one, other = [decoded(await streams.everything(inputs.opened(call, name))) for name in names]
    if one == other:
        return 0
    if "q" in found:
        await call.out(f"Files {names[0]} and {names[1]} differ\n")
        return 1
    left, right = one.splitlines(keepends=True), other.splitlines(keepends=True)
    if len(left) + len(right) > _DIFF:
        return await call.complain("the files are too long", 2)
    made = difflib.unified_diff(left, right, names[0], names[1])
    for line in made:
        await call.kernel.step()
        await call.out(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return 1


async def strings(call: Call) -> int:
    """`strings [-n LEAST] [FILE…]`."""
    found, names = options.split(call.argv, "af", "n")
    least = max(min(options.number(found.get("n", "4")), 1000), 1)
    async for _, reader in inputs.each(call, names):
        data = await streams.everything(reader)
        for part in re.findall(rb"[\x20-\x7e\t]{%d,}" % least, data):
            await call.io.stdout.write(part + b"\n")
    return inputs.missing(call, names)


async def pager(call: Call) -> int:
    """`less`, `more`: everything at once."""
    names = [word for word in call.argv[1:] if not word.startswith(("-", "+"))]
    async for _, reader in inputs.each(call, names):
        while data := await reader.read():
            await call.io.stdout.write(data)
    return inputs.missing(call, names)


def _told(body: Program) -> Program:
    async def run(call: Call) -> int:
        try:
            return await body(call)
        except options.Unknown as unknown:
            return await call.complain(str(unknown))
        except OSError as error:
            await call.io.stderr.write(
                encoded(f"{call.argv[0]}: {error.filename}: {error.strerror}\n")
            )
            return 2

    return run


PROGRAMS: Final[dict[str, Program]] = {
    name: _told(body)
    for name, body in {
        "tac": tac, "rev": rev, "nl": nl, "paste": paste, "comm": comm, "fold": fold,
        "expand": expand, "shuf": shuf, "cmp": cmp, "diff": diff, "strings": strings,
        "less": pager, "more": pager,
    }.items()
}  # fmt: skip
