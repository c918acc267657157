"""Patterns of names: those of COPY (Go's filepath.Match) and of .dockerignore (with `**`). Pure."""

import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if pattern.startswith("/", at):
                at += 1
                out += "(?:.*/)?"
            else:
                out += ".*"
            continue
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out += re.escape(pattern[at])
        elif char == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            inside = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[{inside}]"
            at = end
        else:
            out += re.escape(char)
        at += 1
    try:
        return re.compile(out, re.DOTALL)
    except re.error:
        raise ValueError(f"syntax error in pattern {pattern!r}") from None


def has_wildcard(text: str) -> bool:
    """Whether a source names more than one file."""
    return any(char in text for char in "*?[")


def matches(pattern: str, path: str) -> bool:
    """Whether a path without a leading slash fits. ValueError for what is no pattern."""
    return _compiled(pattern).fullmatch(path) is not None


class Ignore:
    """A .dockerignore: later lines win over earlier ones, `!` brings back."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._rules: list[tuple[str, bool]] = []
        for line in lines:
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            back = text.startswith("!")
            cleaned = posixpath.normpath(text.removeprefix("!").strip()).lstrip("/")
            if cleaned not in ("", "."):
                _compiled(cleaned)
                self._rules.append((cleaned, back))

    @property
    def brings_back(self) -> bool:
        """Whether something inside a directory that is ignored may not be."""
        return any(back for _, back in self._rules)

    def ignores(self, path: str) -> bool:
        """Whether a path without a leading slash is left out."""
        parts = path.split("/")
        parents = ["/".join(parts[:number]) for number in range(1, len(parts) + 1)]
        ignored = False
        for pattern, back in self._rules:
            if back == ignored and any(matches(pattern, parent) for parent in parents):
                ignored = not back
        return ignored
