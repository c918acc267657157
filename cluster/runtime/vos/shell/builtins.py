"""The commands that a shell carries out itself, for they change it. POSIX 2.14 and a few more."""

import asyncio
import contextlib
import dataclasses
import errno
import re
import signal as signals
from collections.abc import Sequence
from typing import Final

from cluster.runtime.vos import files, modes
from cluster.runtime.vos.credentials import SEARCH
from cluster.runtime.vos.kernel import Io, decoded, encoded
from cluster.runtime.vos.shell import declaring, naming
from cluster.runtime.vos.shell.running import Builtin, Shell
from cluster.runtime.vos.shell.state import Break, Exit, Return
from cluster.runtime.vos.shell.words import Wrong

_OPTIONS: Final = "efuxvnaChm"
_LONG: Final = {
    "errexit": "e",
    "nounset": "u",
    "xtrace": "x",
    "noglob": "f",
    "pipefail": "pipefail",
}


def _number(words: Sequence[str], default: int) -> int:
    if len(words) < 2:
        return default
    if not words[1].lstrip("-").isdigit() or len(words[1]) > 12:
        raise Wrong(f"Illegal number: {words[1][:40]}")
    return int(words[1])


async def exit_(shell: Shell, words: Sequence[str], _io: Io) -> int:
    """`exit [N]`."""
    raise Exit(_number(words, shell.state.status) & 0xFF)


async def return_(shell: Shell, words: Sequence[str], _io: Io) -> int:
    """`return [N]`."""
    raise Return(_number(words, shell.state.status) & 0xFF)


async def break_(shell: Shell, words: Sequence[str], _io: Io) -> int:
    """`break [N]`, `continue [N]`."""
    if shell.loops:
        raise Break(max(_number(words, 1), 1), again=words[0] == "continue")
    return 0


def _entered(tree: files.FileSystem, place: str) -> None:
    """OSError where one cannot go there."""
    found = tree.find(place)
    if not isinstance(found, files.Folder):
        raise files.error(errno.ENOTDIR, place)
    if not tree.who.may(found, SEARCH):
        raise files.error(errno.EACCES, place)


async def cd(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`cd [-L | -P] [DIR]`."""
    state = shell.state
    rest = [word for word in words[1:] if word not in ("-L", "-P", "--")]
    named = rest[0] if rest else state.get("HOME") or "/"
    if named == "-":
        named = state.get("OLDPWD") or state.cwd
    place = files.absolute(named, state.cwd)
    try:
        _entered(shell.process.files, place)
        if _physical(words):
            place = shell.process.files.true_path(place)
    except OSError as error:
        await _say(shell, io, f"cd: can't cd to {named}: {error.strerror}")
        return 2
    state.put("OLDPWD", state.cwd)
    state.cwd = shell.process.cwd = place
    state.put("PWD", place)
    return 0


async def export(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`export NAME[=VALUE]…`; `readonly` likewise."""
    state = shell.state
    if len(words) == 1 or words[1:] == ["-p"]:
        for name, value in sorted(state.environment().items()):
            await io.stdout.write(encoded(f"export {name}='{value}'\n"))
        return 0
    for word in words[1:]:
        if word.startswith("-"):
            continue
        name, equals, value = word.partition("=")
        if not name.isidentifier():
            await _say(shell, io, f"{words[0]}: {name}: bad variable name")
            return 2
        if equals:
            state.put(name, value)
        if words[0] == "export":
            state.export(name)
        elif words[0] == "readonly":
            state.protect(name)
    return 0


async def unset(shell: Shell, words: Sequence[str], _io: Io) -> int:
    """`unset [-f|-v] NAME…`."""
    for word in words[1:]:
        if words[1] == "-f":
            shell.state.functions.pop(word, None)
        elif word[-1:] == "]":
            name, _, key = word[:-1].partition("[")
            digits = key.lstrip("-").isdigit() and len(key) < 10
            if digits or shell.state.keyed(name):
                shell.state.unset_element(name, shell.state.key(name, key))
        elif word != "-v":
            shell.state.unset(word)
    return 0


async def set_(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`set [-eux] [-o NAME] [--] [WORD…]`."""
    state = shell.state
    rest = list(words[1:])
    if not rest:
        for name, value in state.variables():
            await io.stdout.write(encoded(f"{name}='{value}'\n"))
    while rest and rest[0][:1] in ("-", "+") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word == "--":
            state.positional = rest
            return 0
        for letter in word[1:]:
            named = _LONG.get(rest.pop(0), "?") if letter == "o" and rest else letter
            if named not in ("pipefail", *_OPTIONS):
                await _say(shell, io, f"set: illegal option {word}")
                return 2
            state.options[named] = word[0] == "-"
    state.options = {name: True for name, on in state.options.items() if on}
    if rest:
        state.positional = rest
    return 0


async def shift(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`shift [N]`."""
    count = _number(words, 1)
    if not 0 <= count <= len(shell.state.positional):
        await _say(shell, io, "shift: can't shift that many")
        return 1
    del shell.state.positional[:count]
    return 0


async def read(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`read [-rs] [-a ARRAY] [-p PROMPT] [-t SECONDS] NAME…`."""
    names, raw, seconds, array = [], False, None, ""
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word in ("-r", "-ra", "-rs", "-s"):
            raw = raw or "r" in word
            array = rest.pop(0) if word == "-ra" and rest else array
        elif word == "-a" and rest:
            array = rest.pop(0)
        elif word == "-p" and rest:
            await io.stderr.write(encoded(rest.pop(0)))
        elif word == "-t" and rest:
            seconds = float(_number(["", rest.pop(0)], 0))
        else:
            names.append(word)
    try:
        async with asyncio.timeout(seconds):
            line = await io.stdin.read_line()
    except TimeoutError:
        return 1
    text = decoded(line.removesuffix(b"\n"))
    text = text if raw else text.replace("\\", "")
    if array:
        _fill(shell, array, text)
    else:
        _assign(shell, names or ["REPLY"], text)
    return 0 if line.endswith(b"\n") else 1


def _fill(shell: Shell, name: str, text: str) -> None:
    shell.state.clear(name)
    separators = _separators(shell)
    fields = text.split() if separators == " \t\n" else re.split(f"[{re.escape(separators)}]", text)
    for number, field in enumerate(fields if separators else [text]):
        shell.state.put_element(name, number, field)


def _separators(shell: Shell) -> str:
    found = shell.state.element("IFS", 0)
    return " \t\n" if found is None else found


def _assign(shell: Shell, names: Sequence[str], text: str) -> None:
    separators = _separators(shell)
    rest = text.strip(" \t") if separators else text
    for name in names[:-1]:
        at = next((at for at, one in enumerate(rest) if one in separators), len(rest))
        shell.state.put(name, rest[:at])
        rest = rest[at + 1 :].lstrip(" \t")
    shell.state.put(names[-1], rest)


async def eval_(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`eval WORD…`."""
    return await shell.run(" ".join(words[1:]), io)


async def dot(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`. FILE`."""
    if len(words) < 2:
        return 0
    try:
        text = shell.process.files.read(files.absolute(words[1], shell.state.cwd))
    except OSError as error:
        await _say(shell, io, f".: can't open '{words[1]}': {error.strerror}")
        return 2
    return await shell.run(decoded(text), io)


async def exec_(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`exec [PROGRAM…]`: instead of the shell; without a program, redirections stay."""
    if len(words) == 1:
        now = shell.process.io
        now.stdin, now.stdout, now.stderr = io.stdin, io.stdout, io.stderr
        now.more.update(io.more)
        return 0
    raise Exit(await shell.program(words[1:], io, shell.state.environment()))


async def trap(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`trap [ACTION] SIGNAL…`."""
    rest = [word for word in words[1:] if word != "--"]
    if not rest:
        for number, text in sorted(shell.state.traps.items()):
            await io.stdout.write(encoded(f"trap -- '{text}' {_name(number)}\n"))
        return 0
    action = rest.pop(0) if len(rest) > 1 else "-"
    for word in rest:
        found = signal_number(word)
        if found is None:
            await _say(shell, io, f"trap: {word}: invalid signal specification")
            return 1
        _trap(shell, found, action)
    return 0


def _trap(shell: Shell, number: int, action: str) -> None:
    handlers = shell.process.handlers
    if action == "-":
        shell.state.traps.pop(number, None)
        handlers.pop(number, None)
        return
    shell.state.traps[number] = action
    if number:
        handlers[number] = shell.signalled


def signal_number(text: str) -> int | None:
    """`TERM`, `SIGTERM`, `15`; EXIT is 0. None for what is no signal."""
    if text.isdigit():
        return int(text) if len(text) < 3 and int(text) < 65 else None
    name = text.upper().removeprefix("SIG")
    if name == "EXIT":
        return 0
    found = signals.Signals.__members__.get(f"SIG{name}")
    return int(found) if found is not None else None


def _name(number: int) -> str:
    return signals.Signals(number).name.removeprefix("SIG") if number else "EXIT"


async def wait(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`wait [PID…]`; a signal with a trap ends it."""
    wanted = [int(word) for word in words[1:] if word.isdigit() and len(word) < 10]
    code = 0
    for pid in wanted or list(shell.jobs):
        job = shell.jobs.get(pid)
        if job is None:
            code = 127
            continue
        found = await shell.wait_or_signal(job)
        if found is None:
            number = shell.pending[0]
            await shell.run_traps(io)
            return 128 + number
        code = found if wanted else 0
        shell.jobs.pop(pid, None)
    return code


async def jobs(shell: Shell, _words: Sequence[str], io: Io) -> int:
    """`jobs`."""
    for number, job in enumerate(shell.jobs.values(), 1):
        state = "Running" if job.code is None else f"Done({job.code})"
        await io.stdout.write(encoded(f"[{number}]   {state:24}{' '.join(job.argv)}\n"))
    return 0


async def kill(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`kill [-SIGNAL] PID…`; `%1` is a job."""
    number: int | None = 15
    rest = list(words[1:])
    if rest and rest[0] == "-l":
        names = [one.name.removeprefix("SIG") for one in signals.Signals]
        await io.stdout.write(encoded(" ".join(names) + "\n"))
        return 0
    if rest and rest[0] == "-s" and len(rest) > 1:
        number = signal_number(rest[1])
        rest = rest[2:]
    elif rest and rest[0].startswith("-") and rest[0] != "--":
        number = signal_number(rest.pop(0)[1:])
    if number is None or not rest:
        await _say(shell, io, "kill: bad signal name" if number is None else "kill: you need to "
                   "specify whom to kill")  # fmt: skip
        return 1
    code = 0
    for word in rest:
        code |= await _kill_one(shell, word, number, io)
    return code


async def _kill_one(shell: Shell, word: str, number: int, io: Io) -> int:
    if word.startswith("%"):
        known = list(shell.jobs)
        word = str(known[int(word[1:]) - 1]) if word[1:] in map(str, range(1, 65)) else word
    if not word.isdigit() or len(word) > 9:
        await _say(shell, io, f"kill: invalid number '{word[:40]}'")
        return 1
    if not shell.kernel.signal(int(word), number):
        await _say(shell, io, f"kill: can't kill pid {word}: No such process")
        return 1
    # Its end is seen before the next command.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return 0


async def pwd(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`pwd [-L | -P]`: the way that was gone, or the directory's true path."""
    place = shell.state.cwd
    if _physical(words):
        with contextlib.suppress(OSError):
            place = shell.process.files.true_path(place)
    await io.stdout.write(encoded(place + "\n"))
    return 0


def _physical(words: Sequence[str]) -> bool:
    """Whether the last of `-L` and `-P` is the latter."""
    letters = [letter for word in words[1:] if word[:1] == "-" for letter in word if letter in "LP"]
    return letters[-1:] == ["P"]


async def true(_shell: Shell, _words: Sequence[str], _io: Io) -> int:
    """`:`, `true`."""
    return 0


async def umask(shell: Shell, words: Sequence[str], io: Io) -> int:
    """`umask [-S] [MODE]`."""
    process = shell.process
    old = process.who.umask
    named = [word for word in words[1:] if word != "-S"]
    if named:
        bits = modes.parsed(named[0], 0o777 & ~old, folder=False, octal=False)
        if re.fullmatch(r"[0-7]{1,4}", named[0]):
            fresh = int(named[0], 8) & 0o777
        elif bits is None:
            await _say(shell, io, f"umask: invalid mode '{named[0][:40]}'")
            return 1
        else:
            fresh = 0o777 & ~bits
        process.who = dataclasses.replace(process.who, umask=fresh)
    elif "-S" in words:
        await io.stdout.write(encoded(modes.symbolic(0o777 & ~old) + "\n"))
    else:
        await io.stdout.write(encoded(f"{old:04o}\n"))
    return 0


async def ulimit(_shell: Shell, words: Sequence[str], io: Io) -> int:
    """`ulimit [-HS] [-LETTER [LIMIT]]`: what containerd gives; a limit that is set changes nothing
    that is emulated.
    """
    letters = "".join(word[1:] for word in words[1:] if word.startswith("-"))
    if all(word.startswith("-") for word in words[1:]):
        limits = {"n": "1048576", "c": "0", "s": "8192"}
        found = next((limits[letter] for letter in letters if letter in limits), "unlimited")
        await io.stdout.write(encoded(found + "\n"))
    return 0


async def _say(shell: Shell, io: Io, text: str) -> None:
    with contextlib.suppress(OSError):
        await io.stderr.write(encoded(f"{shell.state.name}: {text}\n"))


BUILTINS: Final[dict[str, Builtin]] = {
    ":": true, "true": true, ".": dot, "source": dot, "break": break_, "continue": break_, "cd": cd,
    "command": naming.command, "eval": eval_, "exec": exec_, "exit": exit_, "export": export,
    "jobs": jobs, "kill": kill, "pwd": pwd, "read": read, "readonly": export,
    "printf": naming.printf, "return": return_, "set": set_, "shift": shift, "trap": trap,
    "type": naming.type_,
    "ulimit": ulimit, "umask": umask, "unset": unset, "hash": true, "wait": wait,
    **declaring.BUILTINS,
}  # fmt: skip
