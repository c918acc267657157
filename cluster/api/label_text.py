"""The text form of label selectors: lexer, parser and the requirement they produce.

Grammar and messages: k8s.io/apimachinery/pkg/labels/selector.go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cluster.api import causes, errors, metadata


class Malformed(ValueError):
    """The text is not a label selector; the message is Kubernetes' own."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one key. Operators: = == != in notin exists ! gt lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, mapping: Mapping[str, str]) -> bool:
        """Whether the mapping meets this requirement."""
        found = mapping.get(self.key)
        match self.operator:
            case "=" | "==":
                return found == self.values[0]
            case "!=":
                return found != self.values[0]
            case "in":
                return found in self.values
            case "notin":
                return found not in self.values
            case "exists":
                return found is not None
            case "!":
                return found is None
            case _:
                return self._compares(found)

    def _compares(self, found: str | None) -> bool:
        if found is None or not _INTEGER.fullmatch(found):
            return False
        limit = int(self.values[0])
        return int(found) > limit if self.operator == "gt" else int(found) < limit

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_TOKENS: Final = re.compile(r"[ \t\r\n]*([()]|,|![=]?|==?|[<>]|[^ \t\r\n(),!=<>]+)?")
_SPECIAL: Final = {"(", ")", ",", "!", "!=", "=", "==", "<", ">"}
_BINARY: Final = {
    "=": "=",
    "==": "==",
    "!=": "!=",
    "in": "in",
    "notin": "notin",
    ">": "gt",
    "<": "lt",
}
_EXPECTED: Final = "in, notin, =, ==, !=, gt, lt"


def parse(text: str) -> tuple[Requirement, ...]:
    """The requirements of a selector text, in the order of their keys. Malformed."""
    parser = _Parser(_tokens(text))
    found: list[Requirement] = []
    while not parser.done:
        if not parser.at_name() and parser.peek != "!":
            raise Malformed(f"found '{parser.peek}', expected: !, identifier, or 'end of string'")
        try:
            found.append(parser.requirement())
        except Malformed as error:
            raise Malformed(f"unable to parse requirement: {error}") from None
        parser.comma_or_end()
    return tuple(sorted(found, key=lambda requirement: requirement.key))


def checked(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    """A requirement whose key and values are what they may be. Malformed."""
    for complaint in metadata.qualified_name(key):
        raise Malformed(_told(causes.invalid("key", key, complaint)))
    if operator in ("in", "notin") and not values:
        detail = "for 'in', 'notin' operators, values set can't be empty"
        raise Malformed(_told(causes.invalid("values", [], detail)))
    if operator in ("exists", "!") and values:
        detail = "values set must be empty for exists and does not exist"
        raise Malformed(_told(causes.invalid("values", list(values), detail)))
    if operator in ("gt", "lt") and not _INTEGER.fullmatch(values[0]):
        detail = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise Malformed(_told(causes.invalid("values[0]", values[0], detail)))
    for index, value in enumerate(values):
        for complaint in metadata.label_value(value):
            raise Malformed(_told(causes.invalid(f"values[{index}][{key}]", value, complaint)))
    return Requirement(key, operator, values)


def _told(cause: errors.Cause) -> str:
    return f"{cause.field}: {cause.message}"


def _tokens(text: str) -> list[str]:
    found = [match[1] for match in _TOKENS.finditer(text)]
    return [token for token in found if token]


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._tokens)

    @property
    def peek(self) -> str:
        return "" if self.done else self._tokens[self._at]

    def take(self) -> str:
        token = self.peek
        self._at += 1
        return token

    def at_name(self) -> bool:
        return not self.done and self.peek not in _SPECIAL

    def requirement(self) -> Requirement:
        absent = self.peek == "!"
        if absent:
            self.take()
        if not self.at_name():
            raise Malformed(f"found '{self.peek}', expected: identifier")
        key = self.take()
        if absent:
            return checked(key, "!", ())
        if self.done or self.peek == ",":
            return checked(key, "exists", ())
        operator = _BINARY.get(self.peek)
        if operator is None:
            raise Malformed(f"found '{self.peek}', expected: {_EXPECTED}")
        self.take()
        values = self._set() if operator in ("in", "notin") else (self._value(),)
        return checked(key, operator, tuple(sorted(values)))

    def comma_or_end(self) -> None:
        if self.done:
            return
        if self.peek != ",":
            raise Malformed(f"found '{self.peek}', expected: ',' or 'end of string'")
        self.take()
        if not self.at_name() and self.peek != "!":
            raise Malformed(f"found '{self.peek}', expected: identifier after ','")

    def _value(self) -> str:
        if self.done or self.peek == ",":
            return ""
        if not self.at_name():
            raise Malformed(f"found '{self.peek}', expected: identifier")
        return self.take()

    def _set(self) -> tuple[str, ...]:
        if self.peek != "(":
            raise Malformed(f"found '{self.peek}' expected: '('")
        self.take()
        values = [self._value() if self.peek != ")" else ""]
        while self.peek == ",":
            self.take()
            values.append("" if self.peek == ")" else self._value())
        if self.peek != ")":
            raise Malformed(f"found '{self.peek}', expected: ',', or ')'")
        self.take()
        return tuple(dict.fromkeys(values))
