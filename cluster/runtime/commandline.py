"""The few command lines that the sim driver understands, until images are programs.

A command line becomes a course: how long it runs and how it ends. What is not understood is
nobody's error: the container then runs as a server.
"""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_SHELLS: Final = ("sh", "bash", "ash", "dash")
_QUIET: Final = ("echo", "printf", "date", "hostname", "env", "pwd", "whoami", "id", "uname")
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MAX_TOKENS: Final = 512


@dataclass(frozen=True, slots=True)
class Course:
    """How a command runs: for `seconds` (inf: until it is stopped), then exits with `code`.

    None of these heeds SIGTERM as the first process of a container: the kernel drops signals that
    such a process has no handler for.
    """

    seconds: float
    code: int


class _NotUnderstood(Exception):
    """A word that is not known here."""


@dataclass(slots=True)
class _State:
    seconds: float = 0.0
    code: int = 0
    ended: bool = False


def course(argv: Sequence[str]) -> Course | None:
    """The course of a command line; None where it is not understood."""
    return _course(tuple(argv))


@lru_cache(1024)
def _course(argv: tuple[str, ...]) -> Course | None:
    state = _State()
    try:
        _run(list(argv), state)
    except _NotUnderstood:
        return None
    return Course(state.seconds, state.code)


def _run(words: list[str], state: _State) -> None:
    """Run one simple command."""
    if not words:
        raise _NotUnderstood
    program = words[0].rpartition("/")[2]
    if program in ("true", ":"):
        state.code = 0
    elif program == "false":
        state.code = 1
    elif program == "exit":
        _exit(words[1:], state)
    elif program == "sleep":
        _sleep(words[1:], state)
    elif program in _QUIET:
        state.code = 0
    elif program == "exec":
        _run(words[1:], state)
        state.ended = True
    elif program in _SHELLS and len(words) >= 3 and words[1] in ("-c", "-ec", "-ce", "-cx", "-xc"):
        _script(words[2], state)
    else:
        raise _NotUnderstood


def _exit(arguments: list[str], state: _State) -> None:
    if arguments:
        if not arguments[0].isdigit():
            raise _NotUnderstood
        state.code = int(arguments[0]) & 0xFF
    state.ended = True


def _sleep(arguments: list[str], state: _State) -> None:
    if not arguments:
        raise _NotUnderstood
    for text in arguments:
        state.seconds += _seconds(text)
    state.code = 0
    if math.isinf(state.seconds):
        state.ended = True


def _seconds(text: str) -> float:
    if text in ("infinity", "inf"):
        return math.inf
    unit = 1.0
    if text and text[-1] in _UNITS:
        unit, text = _UNITS[text[-1]], text[:-1]
    try:
        found = float(text) * unit
    except ValueError as error:
        raise _NotUnderstood from error
    if found < 0 or math.isnan(found):
        raise _NotUnderstood
    return found


def _script(text: str, state: _State) -> None:
    """Run a shell script: simple commands joined by `;`, newline, `&&`, `||`; endless loops."""
    inner = _State(state.seconds)
    words: list[str] = []
    joint = ";"
    tokens = _tokens(text)
    for at, token in enumerate(tokens):
        if token == "while" and not words:
            _endless(tokens[at:])
            if _applies(joint, inner.code):
                inner.seconds, inner.ended = math.inf, True
            break
        if token not in (";", "&&", "||"):
            words.append(token)
            continue
        _step(words, joint, inner)
        if inner.ended:
            break
        words, joint = [], token
    else:
        _step(words, joint, inner)
    state.seconds, state.code = inner.seconds, inner.code
    if math.isinf(state.seconds):
        state.ended = True


def _step(words: list[str], joint: str, state: _State) -> None:
    plain = _without_redirections(words)
    if plain and not state.ended and _applies(joint, state.code):
        _run(plain, state)
    elif plain:
        _run(list(plain), _State())  # what is skipped must be understood as well


def _applies(joint: str, code: int) -> bool:
    return joint == ";" or (joint == "&&") == (code == 0)


def _endless(tokens: list[str]) -> None:
    """Accept `while true; do …; done` whose body only waits and prints."""
    if len(tokens) < 5 or tokens[1] not in ("true", ":", "1") or tokens[2:4] != [";", "do"]:
        raise _NotUnderstood
    if "done" not in tokens:
        raise _NotUnderstood
    body: list[str] = []
    for token in tokens[4 : tokens.index("done")]:
        if token in (";", "&&", "||"):
            if body and _without_redirections(body):
                _run(_without_redirections(body), _State())
            body = []
        else:
            body.append(token)
        if token in ("break", "exit", "exec"):
            raise _NotUnderstood


def _without_redirections(words: list[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in (">", ">>", "<", ">&"):
            if kept and kept[-1] in ("1", "2"):
                kept.pop()
            skip = True
        else:
            kept.append(word)
    return kept


def _tokens(text: str) -> list[str]:
    """Shell words, with newlines as `;`. _NotUnderstood for what a shell alone could tell."""
    if "$(" in text or "`" in text or "\\\n" in text:
        raise _NotUnderstood
    lexer = shlex.shlex(text.strip().replace("\n", " ; "), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    try:
        found = list(lexer)
    except ValueError as error:
        raise _NotUnderstood from error
    if len(found) > _MAX_TOKENS or any(token in ("|", "&", "<<", ";;") for token in found):
        raise _NotUnderstood
    return found
