"""`expr` and `factor`."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from cluster.runtime.vos.kernel import Call, Program, decoded, encoded
from cluster.runtime.vos.programs import regular


class _Bad(Exception):
    """No expression; the message says why."""


_LEVELS: Final = (("|",), ("&",), ("<", "<=", "=", "==", "!=", ">=", ">"), ("+", "-"),
                  ("*", "/", "%"), (":",))  # fmt: skip
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, "=": operator.eq, "==": operator.eq, "!=": operator.ne,
    ">=": operator.ge, ">": operator.gt,
}  # fmt: skip
_DEEPEST: Final = 50


class _Expression:
    """Evaluates words."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0

    def value(self) -> str:
        found = self._level(0)
        if self._at < len(self._words):
            raise _Bad("syntax error")
        return found

    def _level(self, level: int) -> str:
        if level == len(_LEVELS):
            return self._one()
        left = self._level(level + 1)
        while self._at < len(self._words) and self._words[self._at] in _LEVELS[level]:
            sign = self._words[self._at]
            self._at += 1
            left = _applied(sign, left, self._level(level + 1))
        return left

    def _one(self) -> str:
        if self._at >= len(self._words):
            raise _Bad("syntax error")
        word = self._words[self._at]
        self._at += 1
        if word == "(":
            self._depth += 1
            if self._depth > _DEEPEST:
                raise _Bad("too deep")
            found = self._level(0)
            if self._at >= len(self._words) or self._words[self._at] != ")":
                raise _Bad("syntax error")
            self._at += 1
            return found
        left = len(self._words) - self._at
        if word == "length" and left:
            return str(len(self._one()))
        if word == "substr" and left > 2:
            text, start, size = self._one(), _number(self._one()), _number(self._one())
            return text[start - 1 : start - 1 + size] if start > 0 and size > 0 else ""
        if word == "index" and left > 1:
            text, letters = self._one(), self._one()
            return str(next((at for at, one in enumerate(text, 1) if one in letters), 0))
        if word == "match" and left > 1:
            return _applied(":", self._one(), self._one())
        return word


def _number(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise _Bad("non-numeric argument")
    return int(text)


def _false(text: str) -> bool:
    return text == "" or re.fullmatch(r"-?0+", text) is not None


def _applied(sign: str, left: str, right: str) -> str:
    if sign == "|":
        return right if _false(left) else left
    if sign == "&":
        return "0" if _false(left) or _false(right) else left
    if sign == ":":
        return _matched(left, right)
    if sign in _COMPARE:
        whole = all(re.fullmatch(r"-?\d{1,18}", one) for one in (left, right))
        pair = (int(left), int(right)) if whole else (left, right)
        return str(int(_COMPARE[sign](*pair)))
    one, other = _number(left), _number(right)
    if sign in "/%":
        if other == 0:
            raise _Bad("division by zero")
        quotient = abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1)
        return str(quotient if sign == "/" else one - quotient * other)
    return str(one + other if sign == "+" else one - other if sign == "-" else one * other)


def _matched(text: str, pattern: str) -> str:
    try:
        found = regular.compiled(pattern)
    except regular.Bad as bad:
        raise _Bad(str(bad)) from bad
    hit = found.match(encoded(text))
    if found.groups:
        return decoded(hit.group(1) or b"") if hit else ""
    return str(len(decoded(hit.group())) if hit else 0)


async def expr(call: Call) -> int:
    """`expr EXPRESSION`."""
    if len(call.argv) < 2:
        return await call.complain("too few arguments", 2)
    try:
        found = _Expression(call.argv[1:]).value()
    except _Bad as bad:
        return await call.complain(str(bad), 2)
    await call.out(found + "\n")
    return int(_false(found))


async def factor(call: Call) -> int:
    """`factor NUMBER…`."""
    for word in call.argv[1:]:
        if not re.fullmatch(r"\d{1,15}", word):
            return await call.complain(f"invalid number '{word[:40]}'")
        left, divisor, made = int(word), 2, ""
        while divisor * divisor <= left:
            if left % divisor:
                divisor += 1 if divisor == 2 else 2
                if divisor % 512 < 2:
                    await call.kernel.step()
                continue
            made += f" {divisor}"
            left //= divisor
        await call.out(f"{word}:{made}{f' {left}' if left > 1 else ''}\n")
    return 0


PROGRAMS: Final[dict[str, Program]] = {"expr": expr, "factor": factor}
