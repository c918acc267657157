"""JSONPath as kubectl has it, for printer columns, replicas and selectable fields.

Grammar: https://kubernetes.io/docs/reference/kubectl/jsonpath/ without templates: one expression
that begins with a dot or a bracket. Results come one at a time: who wants the first pays for it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

STEPS: Final = 100_000
"""Values that one evaluation may look at."""
LENGTH: Final = 4096
"""Characters of an expression."""


class Malformed(ValueError):
    """Text that is no JSONPath."""


@dataclass(slots=True)
class _Work:
    """The document's root, and how many values may still be looked at."""

    root: Any
    left: int = STEPS


_Step = Callable[[Any, _Work], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class JsonPath:
    """An expression, ready to be asked. `fields` is the plain path, None where it is not plain."""

    steps: tuple[_Step, ...]
    fields: tuple[str, ...] | None = field(default=None)

    def find(self, document: Any) -> Iterator[Any]:
        """What the expression selects, missing keys giving nothing; ends when it gets too much."""
        work = _Work(document)
        return _through(self.steps, document, work)

    def first(self, document: Any) -> Any:
        """The first result, None where there is none."""
        if self.fields is not None:
            for name in self.fields:
                document = document.get(name) if type(document) is dict else None
            return document
        return next(self.find(document), None)


def _through(steps: tuple[_Step, ...], value: Any, work: _Work) -> Iterator[Any]:
    if not steps:
        yield value
        return
    for found in steps[0](value, work):
        work.left -= 1
        if work.left < 0:
            return
        yield from _through(steps[1:], found, work)


@lru_cache(1024)
def parse(text: str) -> JsonPath:
    """The expression of a text: `.status.conditions[?(@.type=="Ready")].status`. Malformed."""
    if len(text) > LENGTH:
        raise Malformed("the expression is too long")
    reader = _Reader(text)
    steps, names = reader.steps("")
    plain = tuple(name for name in names if name is not None)
    return JsonPath(steps, plain if len(plain) == len(names) else None)


_NAME: Final = re.compile(r"(?:\\.|[^\s.\[\]{}()'\"|@,=<>!?*:\\])+")
_INDEX: Final = re.compile(r"\s*(-?\d+|\*)\s*")
_SLICE: Final = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?")
_QUOTED: Final = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_OPERATOR: Final = re.compile(r"\s*(==|!=|<=|>=|<|>)\s*")
_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d+)?")
_NEST: Final = 20


class _Reader:
    """Reads steps off a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def steps(self, until: str) -> tuple[tuple[_Step, ...], list[str | None]]:
        """The steps up to one of the characters `until`, and their names where they have one."""
        found: list[_Step] = []
        names: list[str | None] = []
        if self.text.startswith("$", self.at):
            self.at += 1
        while self.at < len(self.text) and self.text[self.at] not in until:
            if self.text.startswith("..", self.at):
                self.at += 2
                found.append(_descend)
                names.append(None)
                if not self.text.startswith("[", self.at):
                    self._named(found, names)
            elif self.text[self.at] == ".":
                self.at += 1
                if self.at < len(self.text) and self.text[self.at] != "[":
                    self._named(found, names)
            elif self.text[self.at] == "[":
                self.at += 1
                name, step = self._bracket()
                found.append(step)
                names.append(name)
            else:
                raise Malformed(f"unrecognized character in action: {self.text[self.at]!r}")
        return tuple(found), names

    def _named(self, found: list[_Step], names: list[str | None]) -> None:
        if self.text.startswith("*", self.at):
            self.at += 1
            found.append(_every)
            names.append(None)
            return
        name = self._match(_NAME)
        if name is None:
            raise Malformed("a name is missing")
        plain = re.sub(r"\\(.)", r"\1", name[0])
        found.append(_field(plain))
        names.append(plain)

    def _bracket(self) -> tuple[str | None, _Step]:
        if self.text.startswith("?(", self.at):
            self.at += 2
            step = self._filter()
            self._expect(")]")
            return None, step
        parts = [self._element()]
        while self.text.startswith(",", self.at):
            self.at += 1
            parts.append(self._element())
        self._expect("]")
        if len(parts) == 1:
            return parts[0]
        return None, _union([step for _, step in parts])

    def _element(self) -> tuple[str | None, _Step]:
        quoted = self._match(_QUOTED)
        if quoted is not None:
            name = _unquoted(quoted)
            return name, _field(name)
        cut = self._match(_SLICE)
        if cut is not None:
            return None, _slice(*(int(text) if text else None for text in cut.groups()))
        index = self._match(_INDEX)
        if index is None:
            raise Malformed("invalid array index")
        return None, _every if index[1] == "*" else _index(int(index[1]))

    def _filter(self) -> _Step:
        self.depth += 1
        if self.depth > _NEST:
            raise Malformed("filters are nested too deeply")
        left = self._operand()
        operator = self._match(_OPERATOR)
        right = self._operand() if operator is not None else None
        self.depth -= 1
        return _select(left, operator[1] if operator is not None else "exists", right)

    def _operand(self) -> "_Operand":
        self._match(re.compile(r"\s*"))
        quoted = self._match(_QUOTED)
        if quoted is not None:
            return _constant(_unquoted(quoted))
        if self.text.startswith(("@", "$"), self.at):
            of_root = self.text[self.at] == "$"
            self.at += 1
            steps, _ = self.steps("=!<>) ")
            return _selected(steps, of_root=of_root)
        number = self._match(_NUMBER)
        if number is not None:
            return _constant(float(number[0]) if number[1] else int(number[0]))
        word = self._match(_NAME)
        if word is None:
            raise Malformed("invalid filter")
        return _constant({"true": True, "false": False}.get(word[0], word[0]))

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _expect(self, text: str) -> None:
        if not self.text.startswith(text, self.at):
            raise Malformed("unterminated array" if text == "]" else "unterminated filter")
        self.at += len(text)


def _unquoted(quoted: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1] if quoted[1] is not None else quoted[2])


_Operand = Callable[[Any, _Work], list[Any]]


def _constant(value: Any) -> _Operand:
    return lambda item, work: [value]


def _selected(steps: tuple[_Step, ...], *, of_root: bool) -> _Operand:
    def operand(item: Any, work: _Work) -> list[Any]:
        first = next(_through(steps, work.root if of_root else item, work), None)
        return [] if first is None else [first]

    return operand


def _field(name: str) -> _Step:
    def step(value: Any, work: _Work) -> Iterator[Any]:
        if type(value) is dict and name in value:
            yield value[name]

    return step


def _every(value: Any, work: _Work) -> Iterator[Any]:
    if type(value) is list:
        yield from value
    elif type(value) is dict:
        yield from value.values()


def _descend(value: Any, work: _Work) -> Iterator[Any]:
    waiting = [value]
    while waiting and work.left > 0:
        item = waiting.pop()
        work.left -= 1
        yield item
        waiting += list(_every(item, work))[::-1]


def _index(index: int) -> _Step:
    def step(value: Any, work: _Work) -> Iterator[Any]:
        if type(value) is list and -len(value) <= index < len(value):
            yield value[index]

    return step


def _slice(start: int | None = None, end: int | None = None, by: int | None = None) -> _Step:
    def step(value: Any, work: _Work) -> Iterator[Any]:
        if type(value) is list and (by is None or by > 0):
            yield from value[start:end:by]

    return step


def _union(steps: list[_Step]) -> _Step:
    def step(value: Any, work: _Work) -> Iterator[Any]:
        for one in steps:
            yield from one(value, work)

    return step


def _select(left: _Operand, operator: str, right: _Operand | None) -> _Step:
    def step(value: Any, work: _Work) -> Iterator[Any]:
        for item in _every(value, work):
            work.left -= 1
            if work.left < 0:
                return
            a = left(item, work)
            if right is None:
                if a:
                    yield item
                continue
            b = right(item, work)
            if a and b and _holds(operator, a[0], b[0]):
                yield item

    return step


def _holds(operator: str, left: Any, right: Any) -> bool:
    if operator in ("==", "!="):
        alike = isinstance(left, bool) == isinstance(right, bool)
        return (alike and left == right) == (operator == "==")
    try:
        return bool(
            {
                "<": lambda: left < right, "<=": lambda: left <= right,
                ">": lambda: left > right, ">=": lambda: left >= right,
            }[operator]()
        )  # fmt: skip
    except TypeError:
        return False
