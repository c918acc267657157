"""What a word of a command is: `type`, `command`; and bash's `printf -v`."""

from collections.abc import Sequence
from typing import Final

from cluster.runtime.vos.kernel import Io, decoded, encoded
from cluster.runtime.vos.shell.expansion import MAX_WORD
from cluster.runtime.vos.shell.running import Shell
from cluster.runtime.vos.streams import Collected

_KEYWORDS: Final = frozenset(
    ("if", "then", "elif", "else", "fi", "do", "done", "case", "esac", "while", "until", "for",
     "in", "{", "}", "!", "[[", "]]", "function")
)  # fmt: skip
_NOT_FOUND: Final = 127


def _kind(shell: Shell, name: str) -> str:
    """What a name is, in the words of `type -t`; "" where it is nothing."""
    if name in _KEYWORDS or (shell.state.bash and name == "select"):
        return "keyword"
    if name in shell.state.functions:
        return "function"
    if name in shell.builtins:
        return "builtin"
    return "file" if shell.kernel.find(name) is not None else ""


def _place(name: str) -> str:
    return name if "/" in name else f"/bin/{name}"


def _told(name: str, kind: str) -> str:
    if kind == "file":
        return f"{name} is {_place(name)}"
    return f"{name} is a {'' if kind == 'function' else 'shell '}{kind}"


async def type_(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`type NAME…`, in bash also with `-t`, `-p`, `-P`, `-a` and `-f`."""
    names = list(words[1:])
    flags = ""
    while shell.state.bash and names and names[0][:1] == "-" and len(names[0]) > 1:
        flags += names.pop(0)[1:]
    code = 0
    for name in names:
        kind = _kind(shell, name)
        if not kind or ("P" in flags and shell.kernel.find(name) is None):
            code = 1 if shell.state.bash else _NOT_FOUND
            if not set(flags) & set("tpP"):
                before = f"{shell.state.name}: type: " if shell.state.bash else ""
                await io.stderr.write(encoded(f"{before}{name}: not found\n"))
        elif "t" in flags:
            await io.stdout.write(encoded(kind + "\n"))
        elif "P" in flags or "p" in flags:
            shown = _place(name) + "\n" if kind == "file" or "P" in flags else ""
            await io.stdout.write(encoded(shown))
        else:
            await io.stdout.write(encoded(_told(name, kind) + "\n"))
    return code


async def command(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`command NAME [WORD…]`: never a function; `command -v NAME…`, `command -V NAME…`."""
    rest = list(words[1:])
    flag = rest.pop(0) if rest and rest[0] in ("-v", "-V", "-p") else ""
    if flag not in ("-v", "-V"):
        return await run_plain(shell, rest, io) if rest else 0
    code = 0
    for name in rest:
        kind = _kind(shell, name)
        if not kind:
            code = 1 if shell.state.bash else _NOT_FOUND
            if flag == "-V":
                await io.stderr.write(encoded(f"{name}: not found\n"))
            continue
        shown = _place(name) if kind == "file" else name
        await io.stdout.write(encoded((_told(name, kind) if flag == "-V" else shown) + "\n"))
    return code


async def run_plain(shell: Shell, words: Sequence[str], io: Io) -> int:
    """Run a builtin or a program, never a function."""
    found = shell.builtins.get(words[0])
    if found is not None:
        return await found(shell, words, io)
    return await shell.program(words, io, shell.state.environment())


async def printf(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`printf [-v NAME] FORMAT WORD…`; `-v` in bash."""
    environment = shell.state.environment()
    if not shell.state.bash or words[1:2] != ["-v"] or len(words) < 4:
        return await shell.program(words, io, environment)
    name, bracket, key = words[2].partition("[")
    if not name.isidentifier() or (bracket and key[-1:] != "]"):
        text = f"{shell.state.name}: printf: `{words[2][:200]}': not a valid identifier\n"
        await io.stderr.write(encoded(text))
        return 2
    made = Collected(MAX_WORD)
    code = await shell.program(["printf", *words[3:]], Io(io.stdin, made, io.stderr), environment)
    value = decoded(bytes(made.data))
    if bracket:
        shell.state.put_element(name, shell.state.key(name, key[:-1]), value)
    else:
        shell.state.put(name, value)
    return code
