"""Text to tree: recursive descent for operands, precedence climbing for operators.

Grammar: the CEL specification. Places that errors point to are those of cel-go: an operator's
sign, a call's parenthesis, a selection's dot.
"""

from typing import Final

from cluster.api.cel import lexer, macros, types
from cluster.api.cel.ast import (
    Call,
    Conditional,
    Construct,
    Entry,
    Expr,
    Ident,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Select,
)
from cluster.api.cel.faults import Fault
from cluster.api.cel.lexer import Token
from cluster.api.cel.values import INT_MAX

MAX_LENGTH: Final = 100_000
"""Characters of an expression (cel-go's limit)."""
MAX_DEPTH: Final = 250
TOO_DEEP: Final = f"expression recursion limit exceeded: {MAX_DEPTH}"

_OPERATORS: Final = {
    "||": (2, ""), "&&": (3, ""),
    "<": (4, "_<_"), "<=": (4, "_<=_"), ">": (4, "_>_"), ">=": (4, "_>=_"),
    "==": (4, "_==_"), "!=": (4, "_!=_"), "in": (4, "@in"),
    "+": (5, "_+_"), "-": (5, "_-_"), "*": (6, "_*_"), "/": (6, "_/_"), "%": (6, "_%_"),
}  # fmt: skip
_CONSTANTS: Final = {
    "true": (True, types.BOOL), "false": (False, types.BOOL), "null": (None, types.NULL),
}  # fmt: skip
_LITERALS: Final = {
    "int": types.INT, "uint": types.UINT, "double": types.DOUBLE, "string": types.STRING,
    "bytes": types.BYTES,
}  # fmt: skip
_RESERVED: Final = types.RESERVED - {"true", "false", "null", "in"}
_OPERAND: Final = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, "
    "STRING, BYTES, IDENTIFIER}"
)


class SyntaxFaults(Exception):
    """The text is no expression."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults


def parse(text: str) -> Expr:
    """The tree of an expression, macros expanded. SyntaxFaults."""
    if len(text) > MAX_LENGTH:
        said = f"expression code point size exceeds limit: size: {len(text)}, limit {MAX_LENGTH}"
        raise SyntaxFaults([Fault(0, said)])
    faults: list[Fault] = []
    reader = _Parser(lexer.tokens(text, faults), faults)
    try:
        tree = reader.whole()
    except _StopError:
        raise SyntaxFaults(faults) from None
    if faults:
        raise SyntaxFaults(faults)
    return tree


class _StopError(Exception):
    pass


class _Parser:
    def __init__(self, tokens: list[Token], faults: list[Fault]) -> None:
        self._tokens = tokens
        self._place = 0
        self._next = tokens[0]
        self._faults = faults
        self._depth = 0

    def whole(self) -> Expr:
        tree = self._expression()
        if self._next.kind != "end":
            word = "extraneous" if self._tokens[self._place + 1].kind == "end" else "mismatched"
            self._wrong(f"{word} input '{self._next.text}' expecting <EOF>")
        return tree

    # --- tokens ---

    def _advance(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._place += 1
            self._next = self._tokens[self._place]
        return token

    def _taken(self, sign: str) -> bool:
        if self._next.kind == "op" and self._next.text == sign:
            self._advance()
            return True
        return False

    def _expect(self, sign: str) -> Token:
        if self._next.kind == "op" and self._next.text == sign:
            return self._advance()
        return self._wrong(f"mismatched input '{self._next.text}' expecting '{sign}'")

    def _wrong(self, said: str) -> Token:
        self._faults.append(Fault(self._next.offset, f"Syntax error: {said}"))
        raise _StopError

    # --- operators ---

    def _expression(self, least: int = 0) -> Expr:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SyntaxFaults([Fault(0, TOO_DEEP)])
        left = self._operand()
        while (found := _OPERATORS.get(self._next.text)) is not None and found[0] > least:
            if self._next.kind not in ("op", "name"):
                break
            token = self._advance()
            right = self._expression(found[0])
            left = _joined(token, found[1], left, right)
        if least == 0 and self._next.text == "?" and self._next.kind == "op":
            left = self._conditional(left)
        self._depth -= 1
        return left

    def _conditional(self, test: Expr) -> Expr:
        offset = self._advance().offset
        # The middle is an "or", not another conditional without parentheses.
        yes = self._expression(1)
        self._expect(":")
        return Conditional(offset, test, yes, self._expression())

    # --- operands ---

    def _operand(self) -> Expr:
        token = self._next
        if token.kind == "op" and token.text in "!-":
            return self._negated(token)
        kind = token.kind
        if kind in _LITERALS:
            self._advance()
            if kind == "int" and token.value > INT_MAX:
                self._faults.append(Fault(token.offset, "invalid int literal"))
            found: Expr = Literal(token.offset, token.value, _LITERALS[kind])
        elif kind == "name" and token.text != "in":
            found = self._named()
        elif self._taken("("):
            found = self._expression()
            self._expect(")")
        elif self._taken("["):
            found = self._list(token.offset)
        elif self._taken("{"):
            found = MapOf(token.offset, self._entries(fields=False))
        elif self._taken("."):
            found = self._named()
        else:
            self._wrong(_unexpected(token))
        while self._next.kind == "op" and self._next.text in ".[{":
            if self._next.text == "{":
                name = _dotted(found)
                if name is None:
                    break
                offset = self._advance().offset
                found = Construct(offset, name, self._entries(fields=True))
            else:
                found = self._member(found)
        return found

    def _negated(self, token: Token) -> Expr:
        sign, count = token.text, 0
        while self._taken(sign):
            count += 1
        following = self._next
        if sign == "-" and following.kind in ("int", "double") and count % 2:
            # The sign belongs to the number, so that the least integer can be written.
            value = -following.value
            self._tokens[self._place] = self._next = following._replace(value=value)
            count -= 1
            place = self._place
            inner = self._operand()
            first = self._tokens[place]
            if isinstance(inner, Literal) and inner.offset == first.offset:
                inner.offset = token.offset
        else:
            inner = self._operand()
        if count % 2 == 0:
            return inner
        return Call(token.offset, "!_" if sign == "!" else "-_", None, [inner])

    def _named(self) -> Expr:
        token = self._advance()
        if token.kind != "name":
            self._place -= 1
            self._next = token
            self._wrong(_unexpected(token) if token.kind == "end" else "no viable alternative")
        name = token.text
        if name in _CONSTANTS:
            value, constant = _CONSTANTS[name]
            return Literal(token.offset, value, constant)
        if name in _RESERVED:
            self._faults.append(Fault(token.offset, f"reserved identifier: {name}"))
        if self._next.text == "(" and self._next.kind == "op":
            offset = self._advance().offset
            call = Call(offset, name, None, self._arguments())
            return macros.expanded(call, self._faults)
        return Ident(token.offset, name)

    def _member(self, operand: Expr) -> Expr:
        sign = self._advance()
        optional = self._taken("?")
        if sign.text == "[":
            index = self._expression()
            self._expect("]")
            name = "_[?_]" if optional else "_[_]"
            return Call(sign.offset, name, None, [operand, index])
        token = self._advance()
        if token.kind not in ("name", "quoted") or token.text in ("in", "true", "false", "null"):
            self._place -= token.kind != "end"
            self._next = token
            self._wrong(f"mismatched input '{token.text}' expecting IDENTIFIER")
        if not optional and token.kind == "name" and self._next.text == "(":
            offset = self._advance().offset
            call = Call(offset, token.text, operand, self._arguments())
            return macros.expanded(call, self._faults)
        return Select(sign.offset, operand, token.text.strip("`"), optional=optional)

    # --- what is between brackets ---

    def _arguments(self) -> list[Expr]:
        found: list[Expr] = []
        if self._taken(")"):
            return found
        found.append(self._expression())
        while self._taken(","):
            found.append(self._expression())
        self._expect(")")
        return found

    def _list(self, offset: int) -> Expr:
        elements: list[Expr] = []
        optional: list[int] = []
        while not self._taken("]"):
            if self._taken("?"):
                optional.append(len(elements))
            elements.append(self._expression())
            if not self._taken(","):
                self._expect("]")
                break
        return ListOf(offset, elements, frozenset(optional))

    def _entries(self, *, fields: bool) -> list[Entry]:
        found: list[Entry] = []
        while not self._taken("}"):
            optional = self._taken("?")
            key: Expr | str = self._field_name() if fields else self._expression()
            offset = self._expect(":").offset
            found.append(Entry(offset, key, self._expression(), optional=optional))
            if not self._taken(","):
                self._expect("}")
                break
        return found

    def _field_name(self) -> str:
        token = self._next
        if token.kind not in ("name", "quoted"):
            self._wrong(f"mismatched input '{token.text}' expecting IDENTIFIER")
        return self._advance().text.strip("`")


def _joined(token: Token, function: str, left: Expr, right: Expr) -> Expr:
    if function:
        return Call(token.offset, function, None, [left, right])
    every = token.text == "&&"
    if isinstance(left, Logic) and left.every == every:
        left.parts.append(right)
        left.offsets.append(token.offset)
        return left
    return Logic(every, [left, right], [token.offset])


def _unexpected(token: Token) -> str:
    word = "mismatched" if token.kind == "end" else "extraneous"
    return f"{word} input '{token.text}' expecting {_OPERAND}"


def _dotted(found: Expr) -> str | None:
    names: list[str] = []
    while isinstance(found, Select) and not found.optional and not found.test:
        names.append(found.field)
        found = found.operand
    if not isinstance(found, Ident):
        return None
    names.append(found.name)
    return ".".join(reversed(names))
