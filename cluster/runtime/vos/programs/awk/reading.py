"""Reading of awk programs: tokens, then a tree by precedence. POSIX.1-2017, awk, "Grammar"."""

import re
from typing import Final, NamedTuple

from cluster.runtime.vos.programs.awk.syntax import Function, Node, Program, Rule, Wrong

_MAX_DEPTH: Final = 60
_MAX_TEXT: Final = 64 << 10
_TOKEN: Final = re.compile(
    r"""(?P<space>(?:[ \t\r]|\\\r?\n|\#[^\n]*)+)
    |(?P<newline>\n)
    |(?P<number>0[xX][0-9a-fA-F]{1,16}|(?:\d{1,300}\.?\d{0,300}|\.\d{1,300})(?:[eE][-+]?\d{1,4})?)
    |(?P<string>"(?:[^"\\\n]|\\.|\\\n)*")
    |(?P<name>[A-Za-z_]\w*)
    |(?P<operator>\*\*=|\*\*|\+\+|--|\+=|-=|\*=|/=|%=|\^=|==|<=|>=|!=|!~|>>|&&|\|\||[-+*/%^!<>|?:~$=,;(){}[\]])
    """,
    re.VERBOSE,
)
_WORDS: Final = frozenset(
    ("BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue",
     "next", "nextfile", "exit", "return", "delete", "in", "getline", "print", "printf")
)  # fmt: skip
BUILTINS: Final = frozenset(
    ("length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "sin", "cos", "atan2",
     "exp", "log", "sqrt", "int", "rand", "srand", "tolower", "toupper", "system", "close",
     "fflush", "strftime", "systime")
)  # fmt: skip
_ASSIGN: Final = ("=", "+=", "-=", "*=", "/=", "%=", "^=", "**=")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class Token(NamedTuple):
    """A token: what it is, and its text."""

    kind: str
    text: str
    tight: bool = False
    """Of a name: whether a `(` follows without a blank."""


def parse(text: str) -> Program:
    """The tree of a program. Wrong."""
    if len(text) > _MAX_TEXT:
        raise Wrong("the program is too long")
    return _Parser(text).program()


class _Parser:
    """Reads tokens as it needs them: whether `/` divides depends on what stands before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._plain_in = True
        self._printing = 0
        self._token = self._scan(expression=True)

    # ---- tokens ------------------------------------------------------------------------------

    def _scan(self, *, expression: bool) -> Token:
        """The next token; `expression`: one may begin here, so `/` begins a pattern."""
        while self._at < len(self._text):
            if expression and self._text[self._at] == "/":
                return self._regex()
            found = _TOKEN.match(self._text, self._at)
            if found is None:
                raise Wrong(f"syntax error at {self._text[self._at : self._at + 20]!r}")
            self._at = found.end()
            kind = found.lastgroup or ""
            if kind == "space":
                continue
            text = found[0]
            if kind == "name":
                kind = "word" if text in _WORDS else "builtin" if text in BUILTINS else "name"
                return Token(kind, text, self._text[self._at : self._at + 1] == "(")
            return Token("operator" if kind == "newline" else kind, text)
        return Token("end", "")

    def _regex(self) -> Token:
        at = self._at + 1
        bracket = False
        while at < len(self._text) and (self._text[at] != "/" or bracket):
            letter = self._text[at]
            if letter == "\n":
                break
            if letter == "[" and not bracket:
                bracket = True
                at += 1 if self._text[at + 1 : at + 2] in ("]", "^") else 0
            elif letter == "]":
                bracket = False
            at += 2 if letter == "\\" else 1
        if self._text[at : at + 1] != "/":
            raise Wrong("unterminated regexp")
        text = self._text[self._at + 1 : at].replace("\\/", "/")
        self._at = at + 1
        return Token("regex", text)

    def _next(self) -> Token:
        token = self._token
        ends = token.kind in ("number", "string", "name", "regex", "builtin") or token.text in (
            ")", "]", "++", "--", "$",
        )  # fmt: skip
        self._token = self._scan(expression=not ends)
        return token

    def _is(self, *texts: str) -> bool:
        return self._token.kind in ("operator", "word") and self._token.text in texts

    def _take(self, *texts: str) -> bool:
        if self._is(*texts):
            self._next()
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            shown = self._token.text or "end of program"
            raise Wrong(f"syntax error: expected {text!r} but found {shown!r}")

    def _lines(self) -> None:
        while self._take("\n", ";"):
            pass

    def _newlines(self) -> None:
        while self._take("\n"):
            pass

    # ---- program and statements --------------------------------------------------------------

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

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Wrong("the program is nested too deeply")

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

    def _keys(self) -> tuple[Node, ...]:
        made = [self._expression()]
        while self._take(","):
            made.append(self._expression())
        self._need("]")
        return tuple(made)

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

    # ---- expressions, from the loosest binding to the tightest -------------------------------

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
            return Node("constant", (_unescaped(token.text[1:-1]),))
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


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        if code == "\n":
            return ""
        known = _ESCAPES.get(code)
        if known is not None:
            return known
        return code if code in ('"', "\\", "/") else "\\" + code

    return re.sub(r"\\([0-7]{1,3}|.|\n)", one, text)
