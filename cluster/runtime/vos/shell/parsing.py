"""Text to a tree. SyntaxError_ where it is none, Incomplete where more lines may make it one.

Bounded: by the length of the text, and in depth. Grammar: POSIX 2.10, with `[[`, `&>` and
`function`, as busybox has them; for bash also arrays, `((`, `for ((`, `<<<`, `<(`, `select`
and braces. Without `coproc`.
"""

from collections.abc import Iterator
from typing import Final

from cluster.runtime.vos.shell import braces, conditions, syntax
from cluster.runtime.vos.shell.words import Incomplete, Scanner, Wrong

MAX_SCRIPT: Final = 128 << 10
MAX_DEPTH: Final = 48
_ENDERS: Final = frozenset(("then", "elif", "else", "fi", "do", "done", "esac", "}"))
_RESERVED: Final = _ENDERS | {"if", "while", "until", "for", "in", "case", "{", "!"}
_ENDS: Final = (";;", ";&", ";;&")
"""What ends a branch of `case`."""
_STOPS: Final = (")", *_ENDS)
_DECLARING: Final = frozenset(("declare", "export", "local", "readonly", "typeset"))

__all__ = ["MAX_SCRIPT", "Incomplete", "Wrong", "lines", "parse"]


def parse(text: str, *, bash: bool = False) -> syntax.Sequence_:
    """The tree of a script. Wrong, Incomplete."""
    reading = lines(text, bash=bash)
    return syntax.Sequence_([item for line in reading for item in line.items])


def lines(text: str, *, bash: bool = False) -> Iterator[syntax.Sequence_]:
    """The trees of a script's commands, line by line: what is wrong with one is told when its turn
    comes, and those before it can have run by then, as a shell has it. Wrong, Incomplete.
    """
    if len(text) > MAX_SCRIPT:
        raise Wrong("script too long")
    parser = Parser(text, bash=bash)
    while (found := parser.line()) is not None:
        yield found
    parser.scan.finish()


class Parser:
    """Recursive descent over a `Scanner`."""

    def __init__(self, text: str, depth: int = 0, *, bash: bool = False) -> None:
        self.scan = Scanner(text, self._substitution, self._nested, bash=bash)
        self._bash = bash
        self._depth = depth

    def _substitution(self, text: str) -> syntax.Sequence_:
        inner = Parser(text, self._depth + 1, bash=self._bash)
        self._check(inner._depth)
        found = inner.sequence()
        if not inner.scan.at_end:
            raise Wrong(f'unexpected "{inner.scan.shown()}"')
        return found

    def _nested(self, scan: Scanner) -> syntax.Sequence_:
        """Commands up to a `)`, which is taken."""
        around, self.scan = self.scan, scan
        found = self.sequence()
        scan.expect(")")
        self.scan = around
        return found

    @staticmethod
    def _check(depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Wrong("nested too deeply")

    def line(self) -> syntax.Sequence_ | None:
        """Commands up to the end of a line, which is taken with its here-documents; None at the
        end. Wrong, Incomplete.
        """
        scan = self.scan
        scan.skip_lines()
        items: list[syntax.AndOr] = []
        while not scan.at_end:
            items.append(self._and_or())
            separator = self._separated(items[-1])
            if separator in (";", "&"):
                separator = scan.operator()
                if separator == "\n":
                    scan.take(separator)
            elif not separator and not scan.at_end:
                raise Wrong(f'unexpected "{scan.shown()}"')
            if separator == "\n":
                break
        return syntax.Sequence_(items) if items else None

    def sequence(self) -> syntax.Sequence_:
        """Commands until something ends them: the end, `)`, `;;`, or a word like `done`."""
        self._depth += 1
        self._check(self._depth)
        items: list[syntax.AndOr] = []
        scan = self.scan
        while True:
            scan.skip_lines()
            if scan.at_end or scan.operator() in _STOPS or scan.reserved() in _ENDERS:
                break
            item = self._and_or()
            items.append(item)
            if not self._separated(item):
                break
        self._depth -= 1
        return syntax.Sequence_(items)

    def _separated(self, item: syntax.AndOr) -> str:
        """Go past what separates a command from the next: `&`, `;` or a line end, else ""."""
        separator = self.scan.operator()
        if separator not in ("&", ";", "\n"):
            return ""
        item.background = separator == "&"
        self.scan.take(separator)
        return separator

    def _and_or(self) -> syntax.AndOr:
        steps = [("", self._pipeline())]
        while (operator := self.scan.operator()) in ("&&", "||"):
            self.scan.take(operator)
            self.scan.skip_lines()
            steps.append((operator, self._pipeline()))
        return syntax.AndOr(steps)

    def _pipeline(self) -> syntax.Pipeline:
        negated = False
        while self.scan.reserved() == "!":
            self.scan.take_word("!")
            negated = not negated
        commands = [self._command()]
        while self.scan.operator() == "|":
            self.scan.take("|")
            self.scan.skip_lines()
            commands.append(self._command())
        return syntax.Pipeline(commands, negated)

    def _command(self) -> syntax.Command:
        scan = self.scan
        word = scan.reserved()
        found = self._compound(word)
        if found is None:
            if word in _RESERVED:
                raise Wrong(f'unexpected "{word}"')
            if word == "function":
                scan.take_word(word)
            if (name := scan.function(bare=word == "function")) is not None:
                scan.skip_lines()
                return syntax.Function(name, self._command())
            return self._simple()
        redirects = self._redirects()
        return syntax.Redirected(found, redirects) if redirects else found

    def _compound(self, word: str) -> syntax.Command | None:
        """A compound command; None where a simple one or a function is next."""
        scan = self.scan
        if scan.operator() == "(":
            inner = scan.enclosed("((") if self._bash else None
            if inner is not None:
                return syntax.Calculation(inner)
            scan.take("(")
            return syntax.Block(self._until_operator(")"), subshell=True)
        if word == "{":
            scan.take_word("{")
            return syntax.Block(self._body("}"))
        if word == "if":
            return self._if()
        if word in ("while", "until"):
            return self._loop(word)
        if word == "for":
            return self._for()
        if word == "select" and self._bash:
            scan.take_word(word)
            return syntax.Select(*self._each())
        if word == "case":
            return self._case()
        if word == "[[":
            return conditions.read(scan)
        return None

    def _until_operator(self, ender: str) -> syntax.Sequence_:
        found = self.sequence()
        self.scan.expect(ender)
        if not found.items:
            raise Wrong(f'unexpected "{ender}"')
        return found

    def _body(self, *enders: str) -> syntax.Sequence_:
        """Commands up to one of these words, which is taken. Empty ones are wrong."""
        found = self.sequence()
        self._ended(enders)
        if not found.items:
            raise Wrong(f'unexpected "{enders[0]}"')
        return found

    def _ended(self, enders: tuple[str, ...]) -> str:
        word = self.scan.reserved()
        if word not in enders:
            if self.scan.at_end:
                raise Incomplete(f'unexpected end of file (expecting "{enders[0]}")')
            raise Wrong(f'unexpected "{self.scan.shown()}" (expecting "{enders[0]}")')
        self.scan.take_word(word)
        return word

    def _if(self) -> syntax.If:
        branches: list[tuple[syntax.Sequence_, syntax.Sequence_]] = []
        self.scan.take_word("if")
        while True:
            condition = self._body("then")
            body = self.sequence()
            ender = self._ended(("fi", "else", "elif"))
            branches.append((condition, body))
            if ender == "fi":
                return syntax.If(branches)
            if ender == "else":
                return syntax.If(branches, self._body("fi"))

    def _loop(self, word: str) -> syntax.Loop:
        self.scan.take_word(word)
        condition = self._body("do")
        return syntax.Loop(condition, self._body("done"), until=word == "until")

    def _for(self) -> syntax.For | syntax.Count:
        scan = self.scan
        scan.take_word("for")
        parts = scan.parted() if self._bash else None
        if parts is not None:
            return self._count(parts)
        return syntax.For(*self._each())

    def _each(self) -> tuple[str, list[syntax.Word] | None, syntax.Sequence_]:
        """`NAME [in WORDS]; do …; done`."""
        scan = self.scan
        name = (scan.word() or syntax.Word()).literal or ""
        if not name.isidentifier():
            raise Wrong("bad for loop variable")
        scan.skip_lines()
        words: list[syntax.Word] | None = None
        if scan.reserved() == "in":
            scan.take_word("in")
            words = []
            while (word := scan.word()) is not None:
                words += self._spread(word)
        if scan.operator() == ";":
            scan.take(";")
        scan.skip_lines()
        self._ended(("do",))
        return name, words, self._body("done")

    def _count(self, parts: list[syntax.Word]) -> syntax.Count:
        if len(parts) != 3:
            raise Wrong('unexpected "))"')
        if self.scan.operator() == ";":
            self.scan.take(";")
        self.scan.skip_lines()
        self._ended(("do",))
        return syntax.Count(parts[0], parts[1], parts[2], self._body("done"))

    def _spread(self, word: syntax.Word) -> list[syntax.Word]:
        return braces.spread(word) if self._bash else [word]

    def _case(self) -> syntax.Case:
        scan = self.scan
        scan.take_word("case")
        word = scan.word()
        scan.skip_lines()
        if word is None or scan.reserved() != "in":
            raise Wrong('unexpected word (expecting "in")')
        scan.take_word("in")
        branches: list[tuple[list[syntax.Word], syntax.Sequence_, str]] = []
        scan.skip_lines()
        while scan.reserved() != "esac":
            patterns, body = self._patterns(), self.sequence()
            ender = scan.operator()
            branches.append((patterns, body, ender))
            if ender in _ENDS:
                scan.take(ender)
                scan.skip_lines()
            elif scan.reserved() != "esac":
                raise (Incomplete if scan.at_end else Wrong)('unexpected end (expecting "esac")')
        scan.take_word("esac")
        return syntax.Case(word, branches)

    def _patterns(self) -> list[syntax.Word]:
        scan = self.scan
        if scan.operator() == "(":
            scan.take("(")
        found: list[syntax.Word] = []
        while True:
            pattern = scan.word()
            if pattern is None:
                raise (Incomplete if scan.at_end else Wrong)(f'unexpected "{scan.shown()}"')
            found.append(pattern)
            if scan.operator() != "|":
                break
            scan.take("|")
        scan.expect(")")
        return found

    def _simple(self) -> syntax.Simple:
        assignments: list[syntax.Assignment] = []
        declared: list[syntax.Assignment] = []
        words: list[syntax.Word] = []
        redirects: list[syntax.Redirect] = []
        while True:
            redirect = self.scan.redirect()
            if redirect is not None:
                redirects.append(redirect)
                continue
            target = declared if words and words[0].literal in _DECLARING else assignments
            if target is declared or not words:
                assignment = self.scan.assignment()
                if assignment is not None:
                    target.append(assignment)
                    continue
            word = self.scan.word()
            if word is None:
                break
            words += self._spread(word)
        if not (assignments or words or redirects):
            raise (Incomplete if self.scan.at_end else Wrong)(f'unexpected "{self.scan.shown()}"')
        return syntax.Simple(assignments, words, redirects, declared)

    def _redirects(self) -> list[syntax.Redirect]:
        found: list[syntax.Redirect] = []
        while (redirect := self.scan.redirect()) is not None:
            found.append(redirect)
        return found
