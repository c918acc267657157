"""Dockerfiles: from text to instructions with their lines. Pure.

Source: docs.docker.com/reference/dockerfile (parser directives, escapes, here-documents).
"""

import difflib
import re
from dataclasses import dataclass, field
from typing import Final

from cluster.images import faults

KNOWN: Final = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip
_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_HEREDOC: Final = re.compile(r"(?<!\S)<<(-?)(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\2(?!\S)")
_FLAG: Final = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)")
_MAX: Final = 1 << 20


class BuildError(faults.Fault):
    """A Dockerfile cannot be built; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: its name, its text, and whether variables in it are replaced."""

    name: str
    text: str
    expands: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `rest` is what follows its name and flags."""

    name: str
    flags: tuple[tuple[str, str], ...]
    rest: str
    line: int
    heredocs: tuple[Heredoc, ...] = ()

    @property
    def text(self) -> str:
        """As history has it."""
        flags = [f"--{key}={value}" if value else f"--{key}" for key, value in self.flags]
        return " ".join([self.name, *flags, self.rest]).strip()


@dataclass(slots=True)
class Dockerfile:
    """A Dockerfile: `file` is its name in messages."""

    file: str
    escape: str = "\\"
    instructions: list[Instruction] = field(default_factory=list)

    def error(self, line: int, why: str) -> BuildError:
        """What is wrong in a line."""
        return BuildError(f"{self.file}:{line}: dockerfile parse error on line {line}: {why}")


def parse(text: str, file: str) -> Dockerfile:
    """Read a Dockerfile. BuildError."""
    found = Dockerfile(file)
    if len(text) > _MAX:
        raise BuildError(f"{file}: a Dockerfile has {_MAX} characters at most")
    lines = text.removeprefix("\ufeff").splitlines()
    at = _directives(lines, found)
    while at < len(lines):
        at = _instruction(lines, at, found)
    if not found.instructions:
        raise BuildError(f"{file}: the Dockerfile cannot be empty: file with no instructions")
    return found


def _directives(lines: list[str], found: Dockerfile) -> int:
    """Read parser directives; the line after them."""
    for at, line in enumerate(lines):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            return at
        if directive[1].lower() == "escape":
            if directive[2] not in ("\\", "`"):
                raise found.error(at + 1, f"invalid ESCAPE '{directive[2]}'. Must be ` or \\")
            found.escape = directive[2]
    return len(lines)


def _instruction(lines: list[str], at: int, found: Dockerfile) -> int:
    """Read one instruction, if there is one; the line after it."""
    if _is_nothing(lines[at]):
        return at + 1
    start = at + 1
    parts: list[str] = []
    while at < len(lines):
        line = lines[at]
        at += 1
        if parts and _is_nothing(line):
            continue
        stripped = line.rstrip()
        if not stripped.endswith(found.escape):
            parts.append(line)
            break
        parts.append(stripped[:-1])
    text = "".join(parts).strip()
    name, _, rest = _split(text)
    upper = name.upper()
    if upper not in KNOWN:
        near = difflib.get_close_matches(upper, KNOWN, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise found.error(start, f"unknown instruction: {name}{hint}")
    flags, rest = _flags(rest) if upper != "CMD" else ((), rest)
    heredocs, at = (
        _heredocs(lines, at, rest, found) if upper in ("COPY", "ADD", "RUN") else ((), at)
    )
    if not rest and upper not in ("CMD", "ENTRYPOINT"):
        raise found.error(start, f"{upper} requires at least one argument")
    found.instructions.append(Instruction(upper, flags, rest, start, heredocs))
    return at


def _is_nothing(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


def _split(text: str) -> tuple[str, str, str]:
    match = re.match(r"(\S+)(\s*)(.*)", text, re.DOTALL)
    return (match[1], match[2], match[3].strip()) if match else ("", "", "")


def _flags(rest: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags = []
    while match := _FLAG.match(rest):
        flags.append((match[1], match[2] or ""))
        rest = rest[match.end() :]
    return tuple(flags), rest


def _heredocs(
    lines: list[str], at: int, rest: str, found: Dockerfile
) -> tuple[tuple[Heredoc, ...], int]:
    documents = []
    for match in _HEREDOC.finditer(rest):
        strip, quoted, name = bool(match[1]), bool(match[2]), match[3]
        content = []
        begun = at
        while at < len(lines) and (lines[at].lstrip("\t") if strip else lines[at]) != name:
            content.append(lines[at].lstrip("\t") if strip else lines[at])
            at += 1
        if at == len(lines):
            raise found.error(begun, f"unterminated heredoc: {name}")
        at += 1
        documents.append(Heredoc(name, "".join(f"{line}\n" for line in content), not quoted))
    return tuple(documents), at
