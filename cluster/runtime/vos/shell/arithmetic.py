"""`$((…))`: C's integer expressions on 64 bits. Pure but for the variables that are assigned."""

import re
from collections.abc import Callable
from typing import Final

from cluster.runtime.vos.shell.words import Wrong

_TOKEN: Final = re.compile(
    r"\s*(0[xX][0-9a-fA-F]{1,16}|\d{1,2}#\w{1,64}|\d{1,19}|[A-Za-z_]\w*|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||"
    r"\+\+|--|,|\*\*|"
    r"[-+*/%&|^]=|[-+*/%&|^~!<>=?:()])"
)
_LEVELS: Final = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>"),
    ("+", "-"), ("*", "/", "%"),
    ("**",),
)  # fmt: skip
_MAX_DEPTH: Final = 30


class Arithmetic:
    """Evaluates one expression. `get` gives a variable's text, `put` sets it."""

    def __init__(
        self, text: str, get: Callable[[str], str], put: Callable[[str, str], None]
    ) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0
        self._get = get
        self._put = put

    def value(self) -> int:
        """The result. Wrong."""
        if not self._tokens:
            return 0
        found = self._list()
        if self._at < len(self._tokens):
            raise Wrong("arithmetic syntax error")
        return found

    def _list(self) -> int:
        found = self._choice()
        while self._next() == ",":
            self._at += 1
            found = self._choice()
        return found

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _choice(self) -> int:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Wrong("expression recursion level exceeded")
        token, after = self._next(), self._tokens[self._at + 1 : self._at + 2]
        if _named(token) and after and after[0].endswith("=") and after[0] not in _COMPARES:
            found = self._assignment(token, after[0])
        else:
            found = self._binary(0)
            if self._next() == "?":
                self._at += 1
                chosen = self._choice()
                self._expect(":")
                other = self._choice()
                found = chosen if found else other
        self._depth -= 1
        return found

    def _assignment(self, name: str, operator: str) -> int:
        self._at += 2
        right = self._choice()
        if operator != "=":
            right = _apply(operator[:-1], self._variable(name), right)
        self._put(name, str(right))
        return right

    def _binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (operator := self._next()) in _LEVELS[level]:
            self._at += 1
            # Powers are taken from the right.
            left = _apply(operator, left, self._binary(level + (operator != "**")))
        return left

    def _unary(self) -> int:
        signs: list[str] = []
        while self._next() in ("-", "+", "!", "~"):
            signs.append(self._next())
            self._at += 1
        found = self._primary()
        for sign in reversed(signs):
            found = {"-": -found, "+": found, "!": int(not found), "~": ~found}[sign]
        return _wrapped(found)

    def _primary(self) -> int:
        token = self._next()
        self._at += 1
        if token == "(":
            found = self._list()
            self._expect(")")
            return found
        if token in ("++", "--") and _named(self._next()):
            self._at += 1
            return self._stepped(self._tokens[self._at - 1], token)
        if _named(token):
            value = self._variable(token)
            if self._next() in ("++", "--"):
                self._stepped(token, self._next())
                self._at += 1
            return value
        if token and token[0].isdigit():
            return _number(token)
        raise Wrong("arithmetic syntax error")

    def _stepped(self, name: str, operator: str) -> int:
        value = _wrapped(self._variable(name) + (1 if operator == "++" else -1))
        self._put(name, str(value))
        return value

    def _variable(self, name: str) -> int:
        text = self._get(name).strip() or "0"
        negative = text.startswith("-")
        if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}|\d{1,19}", text.lstrip("-")):
            raise Wrong(f"bad number: {text[:40]}")
        found = _number(text.lstrip("-"))
        return -found if negative else found

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise Wrong("arithmetic syntax error")
        self._at += 1


_COMPARES: Final = ("==", "<=", ">=", "!=")


def _named(token: str) -> bool:
    return bool(token) and (token[0].isalpha() or token[0] == "_")


def _number(text: str) -> int:
    if "#" in text:
        base, _, digits = text.partition("#")
        try:
            return _wrapped(int(digits, int(base)))
        except ValueError:
            raise Wrong("arithmetic syntax error") from None
    if text[:2] in ("0x", "0X"):
        return _wrapped(int(text, 16))
    if text[0] == "0" and len(text) > 1:
        if any(digit in "89" for digit in text):
            raise Wrong("arithmetic syntax error")
        return _wrapped(int(text, 8))
    return _wrapped(int(text))


def _apply(operator: str, left: int, right: int) -> int:
    if operator in ("/", "%"):
        if right == 0:
            raise Wrong("divide by zero")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return _wrapped(quotient if operator == "/" else left - quotient * right)
    if operator == "**":
        if right < 0:
            raise Wrong("exponent less than 0")
        return _wrapped(pow(left, right, 1 << 64))
    return _wrapped(int(_PLAIN[operator](left, right)))


_PLAIN: Final[dict[str, Callable[[int, int], int]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "||": lambda left, right: left != 0 or right != 0,
    "&&": lambda left, right: left != 0 and right != 0,
    "|": lambda left, right: left | right,
    "^": lambda left, right: left ^ right,
    "&": lambda left, right: left & right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<<": lambda left, right: left << (right & 63),
    ">>": lambda left, right: left >> (right & 63),
}


def _wrapped(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or len(found) > 1000:
            raise Wrong("arithmetic syntax error")
        found.append(token[1])
        at = token.end()
    return _told_apart(found)


def _told_apart(tokens: list[str]) -> list[str]:
    """`--` is a step beside a name, and two signs elsewhere: `5--3`."""
    found: list[str] = []
    for number, token in enumerate(tokens):
        before = found[-1] if found else ""
        operand = before == ")" or before[:1].isalnum() or before[:1] == "_"
        after = tokens[number + 1] if number + 1 < len(tokens) else ""
        step = _named(before) or (not operand and _named(after))
        found += [token] if token not in ("++", "--") or step else [token[0], token[0]]
    return found
