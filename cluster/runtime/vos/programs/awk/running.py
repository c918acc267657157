"""Runs awk programs. Statements are generators: each round of a loop gives way to others."""

import contextlib
import operator
from collections.abc import Callable, Generator
from typing import Final

from cluster.runtime.vos.kernel import decoded, encoded
from cluster.runtime.vos.programs.awk import builtins, values
from cluster.runtime.vos.programs.awk.state import Array, State
from cluster.runtime.vos.programs.awk.syntax import Node, Wrong
from cluster.runtime.vos.programs.awk.values import Input, Value

_MAX_DEPTH: Final = 40
_MAX_ITEMS: Final = 200_000
_FUNCTION_STEPS: Final = 200_000
"""Rounds of loops in a function, which cannot give way."""
Steps = Generator[None, None, None]
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Break(Exception):
    """`break`."""


class Continue(Exception):
    """`continue`."""


class Next(Exception):
    """`next`."""


class Exit(Exception):
    """`exit`."""


class Return(Exception):
    """`return`."""


class Machine(State):
    """Runs statements and expressions."""

    def _key(self, keys: tuple[Node, ...]) -> str:
        parts = [values.text(self.value(one), self.form) for one in keys]
        return self.string("SUBSEP").join(parts)

    # ---- rules -------------------------------------------------------------------------------

    def rules(self) -> Steps:
        """Run the rules over the present record."""
        for at, rule in enumerate(self.program.rules):
            if not self._chosen(at, rule.patterns):
                continue
            if rule.action is None:
                self.out.append(self.record + self.string("ORS"))
            else:
                yield from self.run(rule.action)

    def _chosen(self, at: int, patterns: tuple[Node, ...]) -> bool:
        if len(patterns) < 2:
            return not patterns or values.true(self.value(patterns[0]))
        if not self.inside[at] and not values.true(self.value(patterns[0])):
            return False
        self.inside[at] = not values.true(self.value(patterns[1]))
        return True

    # ---- statements --------------------------------------------------------------------------

    def run(self, node: Node) -> Steps:
        """Run a statement."""
        if node.kind not in _STATEMENTS:
            self.value(node)
            return
        made: Steps | None = getattr(self, "_" + node.kind)(*node.parts)
        if made is not None:
            yield from made

    def _block(self, statements: tuple[Node, ...]) -> Steps:
        for one in statements:
            if one.kind in _STATEMENTS:
                yield from self.run(one)
            else:
                self.value(one)

    def _if(self, test: Node, then: Node, other: Node | None) -> Steps:
        if values.true(self.value(test)):
            yield from self.run(then)
        elif other is not None:
            yield from self.run(other)

    def _while(self, test: Node, body: Node, *, first: bool = False) -> Steps:
        while first or values.true(self.value(test)):
            first = False
            yield
            try:
                yield from self.run(body)
            except Break:
                return
            except Continue:
                continue

    def _do(self, test: Node, body: Node) -> Steps:
        yield from self._while(test, body, first=True)

    def _for(self, start: Node | None, test: Node | None, step: Node | None, body: Node) -> Steps:
        if start is not None:
            yield from self.run(start)
        while test is None or values.true(self.value(test)):
            yield
            try:
                yield from self.run(body)
            except Break:
                return
            except Continue:
                pass
            if step is not None:
                yield from self.run(step)

    def _each(self, name: str, array: str, body: Node) -> Steps:
        for key in list(self.array(array)):
            yield
            self.put(name, Input(key))
            try:
                yield from self.run(body)
            except Break:
                return
            except Continue:
                continue

    def _break(self) -> None:
        raise Break

    def _continue(self) -> None:
        raise Continue

    def _next(self) -> None:
        raise Next

    def _nextfile(self) -> None:
        raise Wrong("nextfile is not emulated")

    def _exit(self, code: Node | None) -> None:
        if code is not None:
            self.code = int(values.number(self.value(code))) & 0xFF
        raise Exit

    def _return(self, value: Node | None) -> None:
        raise Return(None if value is None else self.value(value))

    def _delete(self, name: str, keys: tuple[Node, ...] | None) -> None:
        if keys is None:
            self.array(name).clear()
        else:
            self.array(name).pop(self._key(keys), None)

    def _print(self, parts: tuple[Node, ...], how: str, target: Node | None) -> None:
        form = self.string("OFMT")
        shown = [values.text(self.value(one), form) for one in parts] if parts else [self.record]
        self._write(self.string("OFS").join(shown) + self.string("ORS"), how, target)

    def _printf(self, parts: tuple[Node, ...], how: str, target: Node | None) -> None:
        form, *rest = (self.value(one) for one in parts)
        self._write(values.formatted(values.text(form, self.form), rest), how, target)

    def _write(self, text: str, how: str, target: Node | None) -> None:
        if target is None:
            self.out.append(text)
            return
        if how == "|":
            raise Wrong("commands in pipes are not emulated")
        name = values.text(self.value(target), self.form)
        if name in ("/dev/stdout", "-"):
            self.out.append(text)
        elif name == "/dev/stderr":
            self._errors(text)
        else:
            self._write_file(name, text, append=how == ">>")

    def _errors(self, text: str) -> None:
        self.errors.append(text)

    @property
    def errors(self) -> list[str]:
        """What is to go to stderr."""
        return self.files.setdefault("", [])

    def _write_file(self, name: str, text: str, *, append: bool) -> None:
        file = self.opened.get(name)
        try:
            if file is None:
                if len(self.opened) > 64:
                    raise Wrong("too many open files")
                file = self.call.files.create(self.call.path(name), append=append)
                self.opened[name] = file
            self.call.files.write(file, encoded(text))
        except OSError as error:
            raise Wrong(f"can't redirect to {name} ({error.strerror})") from error

    def close(self, name: str) -> None:
        """`close`: the next write begins anew, the next getline from the begin."""
        self.opened.pop(name, None)
        self.files.pop(name, None)

    # ---- expressions -------------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        """The value of an expression. Wrong."""
        found: Value = getattr(self, "_" + node.kind)(*node.parts)
        if isinstance(found, str) and len(found) > values.MAX_STRING:
            raise Wrong("out of memory")
        return found

    def _name(self, name: str) -> Value:
        return self.get(name)

    def _constant(self, value: Value) -> Value:
        return value

    def _regex(self, source: str) -> Value:
        return float(values.fits(source, self.record))

    def _field(self, number: Node) -> Value:
        return self.field(int(values.number(self.value(number))))

    def _item(self, name: str, keys: tuple[Node, ...]) -> Value:
        array, key = self.array(name), self._key(keys)
        if key not in array:
            if len(array) >= _MAX_ITEMS:
                raise Wrong("out of memory")
            array[key] = None
        return array[key]

    def _in(self, left: Node, array: str) -> Value:
        key = self._key(left.parts[0] if left.kind == "group" else (left,))
        return float(key in self.array(array))

    def _set(self, place: Node, value: Value) -> Value:
        if place.kind == "name":
            self.put(place.parts[0], value)
        elif place.kind == "field":
            self.put_field(int(values.number(self.value(place.parts[0]))), value)
        else:
            self._item(*place.parts)
            self.array(place.parts[0])[self._key(place.parts[1])] = value
        return value

    def assign(self, place: Node, value: Value) -> None:
        """Set what an expression names. Wrong."""
        if place.kind not in ("name", "field", "item"):
            raise Wrong("it cannot be assigned to")
        self._set(place, value)

    def _assign(self, sign: str, place: Node, source: Node) -> Value:
        value = self.value(source)
        if sign != "=":
            value = self._calculated(sign.replace("**", "^")[0], self.value(place), value)
        return self._set(place, value)

    def _number(self, sign: str, left: Node, right: Node) -> Value:
        return self._calculated(sign, self.value(left), self.value(right))

    def _calculated(self, sign: str, left: Value, right: Value) -> float:
        one, other = values.number(left), values.number(right)
        if sign in "/%" and other == 0:
            raise Wrong("division by zero" + (" in %" if sign == "%" else ""))
        return builtins.calculated(sign, one, other)

    def _unary(self, sign: str, operand: Node) -> Value:
        value = self.value(operand)
        if sign == "!":
            return float(not values.true(value))
        return -values.number(value) if sign == "-" else values.number(value)

    def _join(self, left: Node, right: Node) -> Value:
        form = self.form
        return values.text(self.value(left), form) + values.text(self.value(right), form)

    def _compare(self, sign: str, left: Node, right: Node) -> Value:
        order = values.compared(self.value(left), self.value(right), self.form)
        return float(_COMPARE[sign](order, 0))

    def source(self, node: Node) -> str:
        """A pattern: as it is written, or the string that an expression gives."""
        if node.kind == "regex":
            return str(node.parts[0])
        return values.text(self.value(node), self.form)

    def _match(self, left: Node, right: Node, negated: bool) -> Value:
        text = values.text(self.value(left), self.form)
        return float(values.fits(self.source(right), text) != negated)

    def _and(self, left: Node, right: Node) -> Value:
        return float(values.true(self.value(left)) and values.true(self.value(right)))

    def _or(self, left: Node, right: Node) -> Value:
        return float(values.true(self.value(left)) or values.true(self.value(right)))

    def _choice(self, test: Node, then: Node, other: Node) -> Value:
        return self.value(then if values.true(self.value(test)) else other)

    def _before(self, sign: str, place: Node) -> Value:
        return self._set(place, values.number(self.value(place)) + (1 if sign == "++" else -1))

    def _after(self, sign: str, place: Node) -> Value:
        old = values.number(self.value(place))
        self._set(place, old + (1 if sign == "++" else -1))
        return old

    def _group(self, _parts: tuple[Node, ...]) -> Value:
        raise Wrong("syntax error: a list of expressions is no value")

    def _paren(self, inner: Node) -> Value:
        return self.value(inner)

    def _builtin(self, name: str, args: tuple[Node, ...]) -> Value:
        return builtins.call(self, name, args)

    def _getline(self, place: Node | None, source: Node | None) -> Value:
        if source is not None:
            return self._getline_file(place, values.text(self.value(source), self.form))
        record = None if self.more is None else self.more()
        if record is None:
            return 0.0
        self.count()
        if place is None:
            self.take(record)
        else:
            self._set(place, Input(record))
        return 1.0

    def _getline_file(self, place: Node | None, name: str) -> Value:
        if name not in self.files:
            try:
                data = self.call.files.read(self.call.path(name))
            except OSError:
                return -1.0
            self.files[name] = decoded(data).splitlines()[::-1]
        if not self.files[name]:
            return 0.0
        record = self.files[name].pop()
        if place is None:
            self.take(record)
        else:
            self._set(place, Input(record))
        return 1.0

    def _call(self, name: str, args: tuple[Node, ...]) -> Value:
        function = self.program.functions.get(name)
        if function is None:
            raise Wrong(f"function '{name}' not defined")
        if len(self.locals) >= _MAX_DEPTH:
            raise Wrong("function calls are nested too deeply")
        scope: dict[str, Value | Array] = dict.fromkeys(function.params)
        for param, arg in zip(function.params, args, strict=False):
            scope[param] = self._argument(arg)
        self.locals.append(scope)
        try:
            with contextlib.closing(self.run(function.body)) as steps:
                for done, _ in enumerate(steps):
                    if done > _FUNCTION_STEPS:
                        raise Wrong(f"function '{name}' runs too long")
        except Return as returned:
            result: Value = returned.args[0]
            return result
        finally:
            self.locals.pop()
        return None

    def _argument(self, node: Node) -> Value | Array:
        """Arrays are handed over as they are; who was never used may become one."""
        if node.kind != "name":
            return self.value(node)
        found = self.scope(node.parts[0]).get(node.parts[0])
        if found is None and node.parts[0] not in self.variables:
            return None
        return found if isinstance(found, dict) else self.get(node.parts[0])


_STATEMENTS: Final = frozenset(
    ("block", "if", "while", "do", "for", "each", "break", "continue", "next", "nextfile", "exit",
     "return", "delete", "print", "printf")
)  # fmt: skip
