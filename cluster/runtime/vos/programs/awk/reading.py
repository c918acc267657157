"""Reading of awk programs: rules, functions and statements. POSIX.1-2017, awk, "Grammar"."""

from typing import Final

from cluster.runtime.vos.programs.awk.expressions import Expressions
from cluster.runtime.vos.programs.awk.syntax import Function, Node, Program, Rule, Wrong

_MAX_TEXT: Final = 64 << 10


def parse(text: str) -> Program:
    """The tree of a program. Wrong."""
    if len(text) > _MAX_TEXT:
        raise Wrong("the program is too long")
    return _Parser(text).program()


class _Parser(Expressions):
    """Reads a program."""

    def program(self) -> Program:
        begin: list[Node] = []
        end: list[Node] = []
        rules: list[Rule] = []
        functions: dict[str, Function] = {}
        self._lines()
        while self._token.kind != "end":
            if self._take("BEGIN"):
                begin.append(self._block())
            elif self._take("END"):
                end.append(self._block())
            elif self._take("function", "func"):
                made = self._function()
                functions[made.name] = made
            else:
                rules.append(self._rule())
            self._lines()
        return Program(begin, rules, end, functions)

    def _function(self) -> Function:
        name = self._next()
        if name.kind != "name":
            raise Wrong(f"syntax error at function {name.text!r}")
        self._need("(")
        params: list[str] = []
        while not self._is(")"):
            params.append(self._next().text)
            if not self._take(","):
                break
            self._newlines()
        self._need(")")
        self._newlines()
        return Function(name.text, params, self._block())

    def _rule(self) -> Rule:
        patterns: list[Node] = []
        if not self._is("{"):
            patterns.append(self._expression())
            if self._take(","):
                self._newlines()
                patterns.append(self._expression())
        action = self._block() if self._is("{") else None
        return Rule(tuple(patterns), action)

    def _block(self) -> Node:
        self._need("{")
        made: list[Node] = []
        self._lines()
        while not self._is("}"):
            made.append(self._statement())
            self._lines()
        self._need("}")
        return Node("block", (tuple(made),))

    def _statement(self) -> Node:
        self._deeper()
        try:
            if self._is("{"):
                return self._block()
            if self._token.kind == "word":
                made = self._keyword()
                if made is not None:
                    return made
            made = self._simple()
            self._ended()
            return made
        finally:
            self._depth -= 1

    def _ended(self) -> None:
        if not self._take(";", "\n") and not self._is("}") and self._token.kind != "end":
            raise Wrong(f"syntax error at {self._token.text!r}")

    def _body(self) -> Node:
        self._newlines()
        if self._take(";"):
            return Node("block", ((),))
        return self._statement()

    def _keyword(self) -> Node | None:
        if self._take("if"):
            return self._if()
        if self._take("while"):
            self._need("(")
            test = self._expression()
            self._need(")")
            return Node("while", (test, self._body()))
        if self._take("do"):
            body = self._body()
            self._lines()
            self._need("while")
            self._need("(")
            test = self._expression()
            self._need(")")
            return Node("do", (test, body))
        return self._for() if self._take("for") else None

    def _if(self) -> Node:
        self._need("(")
        test = self._expression()
        self._need(")")
        then = self._body()
        # An else may stand after the end of the line; the lines that are skipped end statements.
        self._lines()
        other = self._body() if self._take("else") else None
        return Node("if", (test, then, other))

    def _for(self) -> Node:
        self._need("(")
        first = None
        if not self._is(";"):
            first = self._simple()
            if first.kind == "in" and first.parts[0].kind == "name" and self._take(")"):
                return Node("each", (first.parts[0].parts[0], first.parts[1], self._body()))
        self._need(";")
        self._newlines()
        test = None if self._is(";") else self._expression()
        self._need(";")
        self._newlines()
        step = None if self._is(")") else self._simple()
        self._need(")")
        return Node("for", (first, test, step, self._body()))

    def _simple(self) -> Node:
        if self._is("print", "printf"):
            return self._print()
        for word in ("break", "continue", "next", "nextfile"):
            if self._take(word):
                return Node(word)
        for word in ("exit", "return"):
            if self._take(word):
                bare = self._is(";", "\n", "}") or self._token.kind == "end"
                return Node(word, (None if bare else self._expression(),))
        if self._take("delete"):
            name = self._next().text
            keys = self._keys() if self._take("[") else None
            return Node("delete", (name, keys))
        return self._expression()

    def _print(self) -> Node:
        kind = self._next().text
        values: list[Node] = []
        self._printing += 1
        try:
            while not (self._is(";", "\n", "}", ">", ">>", "|") or self._token.kind == "end"):
                values.append(self._expression())
                if not self._take(","):
                    break
                self._newlines()
        finally:
            self._printing -= 1
        if len(values) == 1 and values[0].kind == "group":
            values = list(values[0].parts[0])
        target = None
        how = self._token.text if self._is(">", ">>", "|") else ""
        if how:
            self._next()
            target = self._concatenation()
        if kind == "printf" and not values:
            raise Wrong("printf: no format")
        return Node(kind, (tuple(values), how, target))
