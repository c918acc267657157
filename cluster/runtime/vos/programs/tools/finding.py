"""`find` and `xargs`."""

import fnmatch
import posixpath
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from cluster.runtime.vos import files, streams
from cluster.runtime.vos.accounts import Accounts
from cluster.runtime.vos.kernel import Call, Program, decoded
from cluster.runtime.vos.programs import options, regular

_MOST: Final = 100_000
_LONGEST: Final = 128 << 10
Test = Callable[[str, files.Node], Awaitable[bool]]


async def run(call: Call, words: Sequence[str], io: Any = None) -> int:
    """Run a program by its name; 127, with a word, where there is none."""
    program = call.kernel.find(words[0])
    if program is None:
        await call.complain(f"{words[0]}: No such file or directory", 127)
        return 127
    return await program(Call(words, call.process, io or call.io, call.env, call.cwd))


class _Find:
    """One `find`: its tests as a tree of functions."""

    def __init__(self, call: Call, words: list[str]) -> None:
        self._call = call
        self._words = words
        self._at = 0
        self.acts = False
        self.depth = (0, 1 << 30)
        self.deep = False
        self.pruned: set[str] = set()
        self._gathered: list[tuple[list[str], list[str]]] = []

    def parse(self) -> Test:
        """options.Unknown."""
        found = self._either() if self._words else self._all([])
        if self._at < len(self._words):
            raise options.Unknown(f"paths must precede expression: {self._words[self._at]}")
        return found

    def _take(self) -> str:
        if self._at >= len(self._words):
            raise options.Unknown(f"{self._words[-1]} requires an argument")
        self._at += 1
        return self._words[self._at - 1]

    def _peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ")"

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek() in ("-o", "-or"):
            self._at += 1
            tests.append(self._both())
        if len(tests) == 1:
            return tests[0]

        async def any_of(path: str, node: files.Node) -> bool:
            for one in tests:
                if await one(path, node):
                    return True
            return False

        return any_of

    def _both(self) -> Test:
        tests: list[Test] = []
        while self._peek() not in ("-o", "-or", ")"):
            if self._peek() in ("-a", "-and"):
                self._at += 1
            else:
                tests.append(self._one())
        return self._all(tests)

    @staticmethod
    def _all(tests: Sequence[Test]) -> Test:
        async def every(path: str, node: files.Node) -> bool:
            for one in tests:
                if not await one(path, node):
                    return False
            return True

        return every

    def _one(self) -> Test:
        word = self._take()
        if word in ("!", "-not"):
            inner = self._one()

            async def negated(path: str, node: files.Node) -> bool:
                return not await inner(path, node)

            return negated
        if word == "(":
            found = self._either()
            if self._take() != ")":
                raise options.Unknown("missing )")
            return found
        return self._action(word) or self._plain(word)

    def _plain(self, word: str) -> Test:
        """Tests that look at the file alone."""
        if word in ("-maxdepth", "-mindepth"):
            depth = options.number(self._take())
            low, high = self.depth
            self.depth = (low, depth) if word == "-maxdepth" else (depth, high)
            return self._all([])
        if word == "-depth":
            self.deep = True
            return self._all([])
        if word in ("-xdev", "-mount", "-follow", "-noleaf"):
            return self._all([])
        maker = _TESTS.get(word)
        if maker is None:
            raise options.Unknown(f"unrecognized: {word}")
        check = maker(self._call, self._take() if word not in ("-empty",) else "")

        async def test(path: str, node: files.Node) -> bool:
            return check(path, node)

        return test

    def _action(self, word: str) -> Test | None:
        if word in ("-print", "-print0"):
            self.acts = True
            end = "\0" if word.endswith("0") else "\n"

            async def show(path: str, _node: files.Node) -> bool:
                await self._call.out(path + end)
                return True

            return show
        if word == "-prune":

            async def prune(path: str, _node: files.Node) -> bool:
                self.pruned.add(path)
                return True

            return prune
        if word == "-delete":
            self.acts = self.deep = True

            async def delete(path: str, node: files.Node) -> bool:
                place = self._call.path(path)
                if isinstance(node, files.Folder):
                    self._call.files.remove_folder(place)
                else:
                    self._call.files.remove(place)
                return True

            return delete
        return self._exec() if word in ("-exec", "-execdir") else None

    def _exec(self) -> Test:
        self.acts = True
        words: list[str] = []
        while (word := self._take()) not in (";", "+"):
            words.append(word)
        if not words:
            raise options.Unknown("-exec requires an argument")
        if word == "+":
            several = [one for one in words if one != "{}"]
            gathered: list[str] = []
            self._gathered.append((several, gathered))

            async def gather(path: str, _node: files.Node) -> bool:
                gathered.append(path)
                return True

            return gather

        async def execute(path: str, _node: files.Node) -> bool:
            return await run(self._call, [one.replace("{}", path) for one in words]) == 0

        return execute

    async def finish(self) -> None:
        """Run what was gathered for `-exec … +`."""
        for words, paths in self._gathered:
            if paths:
                await run(self._call, words + paths)


def _named(_call: Call, pattern: str) -> Callable[[str, files.Node], bool]:
    fits = re.compile(fnmatch.translate(pattern[:1024])).match
    return lambda path, _node: fits(posixpath.basename(path.rstrip("/")) or "/") is not None


def _small_named(_call: Call, pattern: str) -> Callable[[str, files.Node], bool]:
    fits = re.compile(fnmatch.translate(pattern[:1024].lower())).match
    return lambda path, _node: fits(posixpath.basename(path.rstrip("/")).lower()) is not None


def _pathed(_call: Call, pattern: str) -> Callable[[str, files.Node], bool]:
    fits = re.compile(fnmatch.translate(pattern[:1024])).match
    return lambda path, _node: fits(path) is not None


def _regexed(_call: Call, pattern: str) -> Callable[[str, files.Node], bool]:
    try:
        found = regular.compiled(pattern, whole="x")
    except regular.Bad as bad:
        raise options.Unknown(str(bad)) from bad
    return lambda path, _node: found.search(path.encode(errors="replace")) is not None


def _leading(_call: Call, pattern: str) -> Callable[[str, files.Node], bool]:
    fits = re.compile(fnmatch.translate(pattern[:1024])).match
    return lambda _path, node: isinstance(node, files.Link) and fits(node.target) is not None


def _numbered(call: Call, text: str) -> Callable[[str, files.Node], bool]:
    fits = _compared(text)
    return lambda _path, node: fits(call.files.inode(node))


def _typed(_call: Call, letters: str) -> Callable[[str, files.Node], bool]:
    kinds = {"f": files.File, "d": files.Folder, "l": files.Link}
    wanted = tuple(kinds[one] for one in letters.split(",") if one in kinds)
    return lambda _path, node: isinstance(node, wanted)


def _compared(text: str) -> Callable[[float], bool]:
    """`5`, `+5`, `-5`."""
    value = options.number(text)
    if text[0] == "+":
        return lambda found: found > value
    if text[0] == "-":
        return lambda found: found < -value if value < 0 else found < value
    return lambda found: found == value


def _sized(_call: Call, text: str) -> Callable[[str, files.Node], bool]:
    units = {"c": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30, "b": 512}
    unit = units.get(text[-1:], 0)
    fits = _compared(text[:-1] if unit else text)
    scale = unit or 512
    return lambda _path, node: isinstance(node, files.File) and fits(-(-node.size // scale))


def _aged(seconds: float) -> Callable[[Call, str], Callable[[str, files.Node], bool]]:
    def maker(call: Call, text: str) -> Callable[[str, files.Node], bool]:
        fits = _compared(text)
        return lambda _path, node: fits((call.kernel.clock.now() - node.mtime) // seconds)

    return maker


def _newer(call: Call, name: str) -> Callable[[str, files.Node], bool]:
    than = call.files.find(call.path(name)).mtime
    return lambda _path, node: node.mtime > than


def _empty(_call: Call, _text: str) -> Callable[[str, files.Node], bool]:
    return lambda _path, node: (
        not node.entries if isinstance(node, files.Folder)
        else isinstance(node, files.File) and not node.size
    )  # fmt: skip


def _permitted(_call: Call, text: str) -> Callable[[str, files.Node], bool]:
    plain = text.lstrip("-/+")
    if not re.fullmatch(r"[0-7]{1,4}", plain):
        raise options.Unknown(f"invalid mode '{text}'")
    bits = int(plain, 8)
    if text[0] == "-":
        return lambda _path, node: node.mode & bits == bits
    if text[0] in "/+":
        return lambda _path, node: bool(node.mode & bits)
    return lambda _path, node: node.mode & 0o7777 == bits


def _owned(call: Call, text: str) -> Callable[[str, files.Node], bool]:
    uid = Accounts(call.files).uid(text)
    if uid is None:
        raise options.Unknown(f"unknown user {text[:40]}")
    return lambda _path, node: node.uid == uid


def _grouped(call: Call, text: str) -> Callable[[str, files.Node], bool]:
    gid = Accounts(call.files).gid(text)
    if gid is None:
        raise options.Unknown(f"unknown group {text[:40]}")
    return lambda _path, node: node.gid == gid


_TESTS: Final[dict[str, Callable[[Call, str], Callable[[str, files.Node], bool]]]] = {
    "-name": _named, "-iname": _small_named, "-path": _pathed, "-wholename": _pathed,
    "-regex": _regexed, "-type": _typed, "-size": _sized, "-mtime": _aged(86400.0),
    "-mmin": _aged(60.0), "-newer": _newer, "-empty": _empty, "-perm": _permitted,
    "-user": _owned, "-group": _grouped, "-lname": _leading, "-inum": _numbered,
}  # fmt: skip


async def find(call: Call) -> int:
    """`find [PATH…] [TEST…]`."""
    words = list(call.argv[1:])
    if words[:1] in (["-L"], ["-P"], ["-H"]):
        words.pop(0)
    paths: list[str] = []
    while words and words[0][:1] not in ("-", "!", "("):
        paths.append(words.pop(0))
    made = _Find(call, words)
    code = 0
    try:
        test = made.parse()
        for path in paths or ["."]:
            try:
                async for name, node in _walk(call, made, path):
                    if await test(name, node) and not made.acts:
                        await call.out(name + "\n")
            except OSError as error:
                code = await call.complain(f"{error.filename or path}: {error.strerror}")
        await made.finish()
    except (options.Unknown, OSError) as bad:
        text = f"{bad.filename}: {bad.strerror}" if isinstance(bad, OSError) else str(bad)
        return await call.complain(text)
    return code


async def _walk(call: Call, made: _Find, path: str) -> AsyncIterator[tuple[str, files.Node]]:
    """A tree's files, in order. OSError for what is not there."""
    todo: list[tuple[str, int, bool]] = [(path, 0, False)]
    for _ in range(_MOST):
        if not todo:
            return
        name, depth, seen = todo.pop()
        await call.kernel.step()
        try:
            node = call.files.find(call.path(name), follow=False)
        except OSError:
            if depth:
                continue  # it went meanwhile
            raise
        folder = isinstance(node, files.Folder) and depth < made.depth[1]
        if folder and made.deep and not seen:
            todo.append((name, depth, True))
        elif made.depth[0] <= depth:
            yield name, node
        if folder and not seen and name not in made.pruned:
            inner = call.files.names(call.path(name))[::-1]
            todo += [(f"{name.rstrip('/')}/{one}", depth + 1, False) for one in inner]


async def xargs(call: Call) -> int:
    """`xargs [-0] [-n MOST] [-I TEXT] [-d CHAR] [-r] [-t] [PROGRAM WORD…]`."""
    flags: dict[str, str] = {}
    words = list(call.argv[1:])
    while words and words[0].startswith("-") and len(words[0]) > 1:
        word = words.pop(0)
        letter = word[1]
        if letter in "nIdPLsE":
            flags[letter] = word[2:] or (words.pop(0) if words else "")
        elif set(word[1:]) <= set("0rtxp"):
            flags.update(dict.fromkeys(word[1:], "1"))
        else:
            return await call.complain(f"unrecognized option: {word[1:]}")
    command = words or ["echo"]
    text = decoded(await streams.everything(call.io.stdin))
    found = _parts(text, flags)
    if not found and ("r" in flags or "I" in flags):
        return 0
    try:
        size = options.number(flags.get("n", flags.get("L", "0"))) or len(found) or 1
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    if "I" in flags:
        rounds = [[one.replace(flags["I"], part) for one in command] for part in found]
    else:
        rounds = [
            [*command, *part]
            for start in range(0, max(len(found), 1), size)
            for part in _short(found[start : start + size])
        ]
    code = 0
    for argv in rounds:
        await call.kernel.step()
        if "t" in flags:
            await call.io.stderr.write((" ".join(argv) + "\n").encode(errors="replace"))
        ended = await run(call, argv, _without_stdin(call))
        if ended in (126, 127):
            return ended
        code = 123 if ended else code
    return code


def _without_stdin(call: Call) -> Any:
    io = call.io
    return type(io)(streams.NOTHING, io.stdout, io.stderr, io.more)


def _short(parts: list[str]) -> list[list[str]]:
    made: list[list[str]] = [[]]
    size = 0
    for one in parts:
        size += len(one) + 1
        if size > _LONGEST:
            made.append([])
            size = len(one)
        made[-1].append(one)
    return made


def _parts(text: str, flags: dict[str, str]) -> list[str]:
    if "0" in flags or "d" in flags:
        sign = "\0" if "0" in flags else flags["d"].replace("\\n", "\n").replace("\\t", "\t")[:1]
        return [one for one in text.split(sign or "\n") if one]
    if "I" in flags:
        return [line.strip() for line in text.splitlines() if line.strip()]
    found = re.findall(r"""((?:"[^"\n]*"|'[^'\n]*'|\\.|[^\s"'\\])+)""", text)
    return [re.sub(r"""\\(.)|"([^"\n]*)"|'([^'\n]*)'""", r"\1\2\3", one) for one in found]


PROGRAMS: Final[dict[str, Program]] = {"find": find, "xargs": xargs}
