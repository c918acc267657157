"""`grep`, `egrep`, `fgrep`: lines that fit patterns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.runtime.vos import files
from cluster.runtime.vos.kernel import Call, Program, encoded
from cluster.runtime.vos.programs import inputs, options, regular
from cluster.runtime.vos.streams import Reader

_LONG: Final = {
    "--color=auto": "", "--color=never": "", "--color=always": "", "--color": "",
    "--line-buffered": "", "--ignore-case": "-i", "--invert-match": "-v", "--count": "-c",
    "--quiet": "-q", "--silent": "-q", "--only-matching": "-o", "--recursive": "-r",
    "--extended-regexp": "-E", "--fixed-strings": "-F", "--line-number": "-n",
    "--word-regexp": "-w", "--files-with-matches": "-l", "--no-messages": "-s",
    "--perl-regexp": "-P", "--text": "-a",
}  # fmt: skip


@dataclass(slots=True)
class _Search:
    """What is sought, and how it is shown."""

    pattern: Any
    found: dict[str, str]
    named: bool
    after: int = 0
    before: int = 0
    most: int = 1 << 60


def _plain(argv: Sequence[str]) -> list[str]:
    """Long options as short ones. Unknown."""
    made = [argv[0]]
    for at, word in enumerate(argv[1:], 1):
        if word == "--":
            return made + list(argv[at:])
        name, equals, value = word.partition("=")
        if name in ("--include", "--exclude", "--exclude-dir"):
            raise options.Unknown(f"unrecognized option: {name}")
        if word in _LONG:
            made += [_LONG[word]] if _LONG[word] else []
        elif name in ("--max-count", "--regexp", "--after-context", "--before-context") and equals:
            letters = {"--max-count": "m", "--regexp": "e", "--after-context": "A",
                       "--before-context": "B"}  # fmt: skip
            made += ["-" + letters[name], value]
        else:
            made.append(word)
    return made


async def grep(call: Call) -> int:
    """`grep [-EFPivcnqlLwxohHsr] [-m MOST] [-A|-B|-C LINES] [-e PATTERN] [-f FILE] [FILE…]`."""
    try:
        patterns, argv = _patterns(call, _plain(call.argv))
        found, rest = options.split(argv, "EFPivcnqlLwxohHsraIRz", "mABC")
    except options.Unknown as unknown:
        return await call.complain(str(unknown), 2)
    except OSError as error:
        return await call.complain(f"{error.filename}: {error.strerror}", 2)
    if not patterns:
        if not rest:
            return await call.complain("usage: grep [OPTION]... PATTERN [FILE]...", 2)
        patterns = [rest.pop(0)]
    name = call.argv[0].rpartition("/")[2]
    try:
        pattern = regular.compiled(
            _joined(patterns, extended=bool({"E", "P"} & set(found)) or name == "egrep"),
            extended=bool({"E", "P"} & set(found)) or name == "egrep",
            fixed="F" in found or name == "fgrep",
            small="i" in found,
            whole="x" if "x" in found else "w" if "w" in found else "",
        )
        search = _search(pattern, found, rest)
    except (regular.Bad, options.Unknown) as bad:
        return await call.complain(str(bad), 2)
    return await _all(call, search, rest)


def _joined(patterns: Sequence[str], *, extended: bool) -> str:
    several = "\n".join(patterns)
    return several.replace("\n", "|") if extended else several


def _patterns(call: Call, argv: list[str]) -> tuple[list[str], list[str]]:
    """Patterns of -e and -f, and the other words."""
    found: list[str] = []
    made: list[str] = argv[:1]
    words = argv[1:]
    while words:
        word = words.pop(0)
        if word == "--":
            return found, [*made, word, *words]
        letters = word[1:] if word[:1] == "-" else ""
        at = min((letters.find(one) for one in "ef" if one in letters), default=-1)
        if at < 0 or set(letters[:at]) & set("mABC"):
            made.append(word)
            if letters and letters[-1] in "mABC" and words:
                made.append(words.pop(0))
            continue
        if at:
            made.append("-" + letters[:at])
        value = letters[at + 1 :] or (words.pop(0) if words else "")
        if letters[at] == "e":
            found.append(value)
        else:
            text = call.files.read(call.path(value)).decode("utf-8", "replace")
            found += text.splitlines() or [r"\(.\)^"]
    return found, made


def _search(pattern: Any, found: dict[str, str], names: Sequence[str]) -> _Search:
    both = found.get("C", "0")
    several = len(names) > 1 or "r" in found or "R" in found
    return _Search(
        pattern, found, ("H" in found or several) and "h" not in found,
        options.number(found.get("A", both)), options.number(found.get("B", both)),
        options.number(found["m"]) if "m" in found else 1 << 60,
    )  # fmt: skip


async def _all(call: Call, search: _Search, rest: list[str]) -> int:
    recursive = "r" in search.found or "R" in search.found
    names = [one for name in rest or ["."] for one in _below(call, name)] if recursive else rest
    hit = missed = False
    for name in names or ["-"]:
        try:
            reader = inputs.opened(call, name)
            count = await _one(call, search, reader, "(standard input)" if name == "-" else name)
        except OSError as error:
            missed = True
            if "s" not in search.found:
                await call.complain(f"{name}: {error.strerror}")
            continue
        hit = hit or bool(count)
        if hit and "q" in search.found:
            return 0
    return 2 if missed else int(not hit)


def _below(call: Call, name: str) -> list[str]:
    """The files under a directory, by name."""
    path = call.path(name)
    if not call.files.is_folder(path):
        return [name]
    found: list[str] = []
    for one in call.files.names(path):
        inner = f"{name.rstrip('/')}/{one}"
        node = call.files.find(call.path(inner), follow=False)
        if isinstance(node, files.Folder):
            found += _below(call, inner)
        elif isinstance(node, files.File):
            found.append(inner)
    return found


async def _one(call: Call, search: _Search, reader: Reader, name: str) -> int:
    """Search one file; how many lines fit. OSError."""
    found = search.found
    count = number = 0
    shown = _Lines(call, search, f"{name}:" if search.named else "")
    quiet = bool({"q", "l", "L", "c"} & set(found))
    while line := await reader.read_line():
        number += 1
        await call.kernel.step()
        text = line.removesuffix(b"\n")
        if (search.pattern.search(text) is None) != ("v" in found):
            await shown.passed(number, text, quiet=quiet)
            continue
        count += 1
        if "q" in found or "l" in found:
            break
        if not quiet:
            await shown.hit(number, text)
        if count >= search.most:
            break
    if "c" in found:
        await call.out(f"{shown.prefix}{count}\n")
    elif ("l" in found and count) or ("L" in found and not count):
        await call.out(f"{name}\n")
    return count if "L" not in found else int(not count)


class _Lines:
    """Shows lines, with those around them."""

    def __init__(self, call: Call, search: _Search, prefix: str) -> None:
        self._call = call
        self._search = search
        self.prefix = prefix
        self._before: list[tuple[int, bytes]] = []
        self._after = 0
        self._last = 0

    async def passed(self, number: int, text: bytes, *, quiet: bool) -> None:
        """A line that does not fit."""
        if quiet:
            return
        if self._after:
            self._after -= 1
            await self._show(number, text, "-")
        elif self._search.before:
            self._before = [*self._before, (number, text)][-min(self._search.before, 1000) :]

    async def hit(self, number: int, text: bytes) -> None:
        """A line that does."""
        if "o" in self._search.found:
            if "v" not in self._search.found:
                await self._parts(number, text)
            return
        for each in self._before:
            await self._show(*each, "-")
        self._before = []
        await self._show(number, text, ":")
        self._after = self._search.after

    async def _parts(self, number: int, text: bytes) -> None:
        for part in self._search.pattern.finditer(text):
            if part.group():
                await self._show(number, part.group(), ":")

    async def _show(self, number: int, text: bytes, sign: str) -> None:
        around = self._search.after or self._search.before
        if around and self._last and number > self._last + 1:
            await self._call.out("--\n")
        self._last = number
        prefix = self.prefix.removesuffix(":") + sign if self.prefix else ""
        prefix += f"{number}{sign}" if "n" in self._search.found else ""
        await self._call.io.stdout.write(encoded(prefix) + text + b"\n")


PROGRAMS: Final[dict[str, Program]] = dict.fromkeys(("grep", "egrep", "fgrep"), grep)
