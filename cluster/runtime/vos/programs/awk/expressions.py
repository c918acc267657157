"""Expressions of awk programs, by precedence, the loosest first. POSIX.1-2017, awk, "Grammar"."""

from typing import Final

from cluster.runtime.vos.programs.awk.syntax import Node, Wrong
from cluster.runtime.vos.programs.awk.tokens import Tokens, unescaped

_MAX_DEPTH: Final = 60
_ASSIGN: Final = ("=", "+=", "-=", "*=", "/=", "%=", "^=", "**=")


class Expressions(Tokens):
    """Reads expressions. While `print` is read, `>` and `|` do not belong to them."""

    def __init__(self, text: str) -> None:
        self._depth = 0
        self._printing = 0
        super().__init__(text)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Wrong("the program is nested too deeply")

    def _expression(self) -> Node:
        self._deeper()
        try:
            left = self._choice()
            if self._is(*_ASSIGN) and left.kind in ("name", "field", "item"):
                operator = self._next().text
                self._newlines()
                return Node("assign", (operator, left, self._expression()))
            return left
        finally:
            self._depth -= 1

    def _choice(self) -> Node:
        test = self._either()
        if not self._take("?"):
            return test
        self._newlines()
        then = self._expression()
        self._newlines()
        self._need(":")
        self._newlines()
        return Node("choice", (test, then, self._expression()))

    def _either(self) -> Node:
        left = self._both()
        while self._take("||"):
            self._newlines()
            left = Node("or", (left, self._both()))
        return left

    def _both(self) -> Node:
        left = self._membership()
        while self._take("&&"):
            self._newlines()
            left = Node("and", (left, self._membership()))
        return left

    def _membership(self) -> Node:
        left = self._match()
        while self._take("in"):
            left = Node("in", (left, self._next().text))
        return left

    def _match(self) -> Node:
        left = self._comparison()
        while self._is("~", "!~"):
            operator = self._next().text
            left = Node("match", (left, self._comparison(), operator == "!~"))
        return left

    def _comparison(self) -> Node:
        left = self._concatenation()
        operators = ("<", "<=", "==", "!=", ">=") + (() if self._printing else (">",))
        if self._is(*operators):
            operator = self._next().text
            left = Node("compare", (operator, left, self._concatenation()))
        while not self._printing and self._is("|"):
            self._next()
            self._need("getline")
            raise Wrong("commands in pipes are not emulated")
        return left

    def _concatenation(self) -> Node:
        left = self._sum()
        while self._continues():
            left = Node("join", (left, self._sum()))
        return left

    def _continues(self) -> bool:
        """Whether another operand follows without an operator."""
        token = self._token
        if token.kind in ("number", "string", "name", "builtin"):
            return True
        return token.kind == "operator" and token.text in ("(", "$", "++", "--")

    def _sum(self) -> Node:
        left = self._product()
        while self._is("+", "-"):
            operator = self._next().text
            left = Node("number", (operator, left, self._product()))
        return left

    def _product(self) -> Node:
        left = self._unary()
        while self._is("*", "/", "%"):
            operator = self._next().text
            left = Node("number", (operator, left, self._unary()))
        return left

    def _unary(self) -> Node:
        self._deeper()
        try:
            if self._is("!", "-", "+"):
                operator = self._next().text
                return Node("unary", (operator, self._unary()))
            return self._power()
        finally:
            self._depth -= 1

    def _power(self) -> Node:
        left = self._postfix()
        if self._take("^", "**"):
            return Node("number", ("^", left, self._unary()))
        return left

    def _postfix(self) -> Node:
        if self._is("++", "--"):
            operator = self._next().text
            return Node("before", (operator, self._place()))
        left = self._primary()
        if self._is("++", "--") and left.kind in ("name", "field", "item"):
            return Node("after", (self._next().text, left))
        return left

    def _place(self) -> Node:
        made = self._primary()
        if made.kind not in ("name", "field", "item"):
            raise Wrong("syntax error: only variables can be counted up and down")
        return made

    def _primary(self) -> Node:
        token = self._token
        if token.kind == "number":
            self._next()
            text = token.text
            value = int(text, 16) if text[:2].lower() == "0x" else float(text)
            return Node("constant", (float(value),))
        if token.kind == "string":
            self._next()
            return Node("constant", (unescaped(token.text[1:-1]),))
        if token.kind == "regex":
            self._next()
            return Node("regex", (token.text,))
        if token.kind == "builtin":
            return self._builtin()
        if token.kind == "name":
            return self._name()
        return self._punctuated()

    def _punctuated(self) -> Node:
        if self._take("$"):
            if self._is("++", "--"):
                return Node("field", (self._postfix(),))
            return Node("field", (self._unary() if self._is("-", "+", "!") else self._primary(),))
        if self._take("getline"):
            return self._getline()
        if self._take("("):
            printing, self._printing = self._printing, 0
            values = [self._expression()]
            while self._take(","):
                self._newlines()
                values.append(self._expression())
            self._need(")")
            self._printing = printing
            if len(values) == 1:
                return Node("paren", (values[0],))
            if self._take("in"):
                return Node("in", (Node("group", (tuple(values),)), self._next().text))
            return Node("group", (tuple(values),))
        shown = self._token.text or "end of program"
        raise Wrong(f"syntax error at {shown!r}")

    def _getline(self) -> Node:
        place = None
        if self._token.kind == "name" or self._is("$"):
            place = self._primary()
        source = None
        if self._take("<"):
            source = self._primary()
        return Node("getline", (place, source))

    def _name(self) -> Node:
        token = self._next()
        if token.tight:
            return Node("call", (token.text, self._arguments()))
        if self._take("["):
            return Node("item", (token.text, self._keys()))
        return Node("name", (token.text,))

    def _builtin(self) -> Node:
        token = self._next()
        if token.text == "length" and not self._is("("):
            return Node("builtin", ("length", ()))
        return Node("builtin", (token.text, self._arguments()))

    def _arguments(self) -> tuple[Node, ...]:
        self._need("(")
        printing, self._printing = self._printing, 0
        made: list[Node] = []
        self._newlines()
        while not self._is(")"):
            made.append(self._expression())
            self._newlines()
            if not self._take(","):
                break
            self._newlines()
        self._need(")")
        self._printing = printing
        return tuple(made)

    def _keys(self) -> tuple[Node, ...]:
        made = [self._expression()]
        while self._take(","):
            made.append(self._expression())
        self._need("]")
        return tuple(made)
