"""Builtins about variables that bash has beside POSIX': `declare`, `mapfile`, `let`; `getopts`."""

from collections.abc import Sequence

from cluster.runtime.vos.kernel import Io, decoded, encoded
from cluster.runtime.vos.shell.running import Builtin, Shell
from cluster.runtime.vos.shell.words import Wrong


async def declare(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`declare`, `typeset` and `local [-aAirx] [NAME…]`; values are set by whoever calls."""
    state = shell.state
    flags = "".join(word[1:] for word in words[1:] if word.startswith("-"))
    for word in words[1:]:
        if word[:1] in "-+":
            continue
        name, equals, value = word.partition("=")
        if not name.isidentifier():
            text = f"{state.name}: {words[0]}: `{word}': not a valid identifier\n"
            await io.stderr.write(encoded(text))
            return 1
        if "g" not in flags and (words[0] == "local" or state.in_function):
            state.localize(name)
        if "a" in flags or "A" in flags:
            state.declare(name, keyed="A" in flags)
        if equals:
            state.put(name, value)
        if "x" in flags:
            state.export(name)
        if "p" in flags:
            for _, found in state.elements(name):
                await io.stdout.write(encoded(f'declare -- {name}="{found}"\n'))
    return 0


async def mapfile(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`mapfile [-t] [NAME]`: the lines of stdin."""
    names = [word for word in words[1:] if not word.startswith("-")]
    name = names[-1] if names else "MAPFILE"
    shell.state.clear(name)
    number = 0
    while line := await io.stdin.read_line():
        text = decoded(line)
        shell.state.put_element(name, number, text.rstrip("\n") if "-t" in words else text)
        number += 1
    return 0


async def let(shell: Shell, words: Sequence[str], _io: Io) -> int:
    """`let EXPRESSION…`."""
    value = 0
    for word in words[1:]:
        value = await shell.expand.calculated(word)
    return int(value == 0)


async def shopt(_shell: Shell, _words: Sequence[str], _io: Io) -> int:
    """`shopt`: its options change nothing that is emulated."""
    return 0


async def getopts(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`getopts OPTIONS NAME [WORD…]`: one option more, in NAME and OPTARG. POSIX."""
    if len(words) < 3:
        await io.stderr.write(encoded(f"{shell.state.name}: getopts: usage: getopts var arg\n"))
        return 2
    state, options = shell.state, words[1]
    given = list(words[3:]) if len(words) > 3 else state.positional
    place, within = _place(shell)
    word = given[place - 1] if place <= len(given) else ""
    if len(word) < 2 or word[0] != "-" or word == "--":
        _leave(shell, words[2], "?", place + (word == "--"), 0)
        return 1
    letter, rest = word[within], word[within + 1 :]
    known = letter != ":" and letter in options
    wants = known and options[options.index(letter) + 1 :][:1] == ":"
    missing = wants and not rest and place >= len(given)
    state.unset("OPTARG")
    if not known or missing:
        await _complain(shell, options, letter, "No arg for" if missing else "Illegal option", io)
    elif wants:
        state.put("OPTARG", rest or given[place])
    shown = letter if known and not missing else ":" if missing and options[0] == ":" else "?"
    after = place + 1 + int(wants and not rest and not missing)
    _leave(shell, words[2], shown, place if rest and not wants else after,
           within + 1 if rest and not wants else 0)  # fmt: skip
    return 0


async def _complain(shell: Shell, options: str, letter: str, why: str, io: Io) -> None:
    if options.startswith(":"):
        shell.state.put("OPTARG", letter)
        return
    text = f"{shell.state.name}: {why} -{letter}{' option' if why.startswith('No') else ''}\n"
    await io.stderr.write(encoded(text))


def _place(shell: Shell) -> tuple[int, int]:
    """Which word is next, from 1 on, and which letter of it."""
    text = shell.state.element("OPTIND", 0) or "1"
    if not text.isdigit() or not 0 < int(text[:6]) < 100_000:
        raise Wrong(f"OPTIND: bad number: {text[:40]}")
    number = int(text)
    last, letter = shell.options_at
    return number, letter if last == number and letter else 1


def _leave(shell: Shell, name: str, value: str, place: int, letter: int) -> None:
    shell.options_at = (place, letter)
    shell.state.put("OPTIND", str(place))
    shell.state.put(name, value)


BUILTINS: dict[str, Builtin] = {
    "declare": declare, "getopts": getopts, "let": let, "local": declare, "mapfile": mapfile,
    "readarray": mapfile, "shopt": shopt, "typeset": declare,
}  # fmt: skip
