"""awk's own functions."""

import datetime
import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.vos.kernel import decoded, encoded
from cluster.runtime.vos.programs.awk import values
from cluster.runtime.vos.programs.awk.syntax import Node, Wrong
from cluster.runtime.vos.programs.awk.values import Input, Value

if TYPE_CHECKING:
    from cluster.runtime.vos.programs.awk.running import Machine


def chance(seed: float) -> random.Random:
    """What `rand` draws from: the same for the same seed, as awk has it."""
    return random.Random(seed)  # noqa: S311


def calculated(sign: str, one: float, other: float) -> float:
    """`one sign other`."""
    try:
        if sign == "+":
            return one + other
        if sign == "-":
            return one - other
        if sign == "*":
            return one * other
        if sign == "/":
            return one / other
        if sign == "%":
            return math.fmod(one, other)
        found = one**other
    except (OverflowError, ValueError, ZeroDivisionError):
        return math.inf
    return math.nan if isinstance(found, complex) else float(found)


def call(machine: "Machine", name: str, args: tuple[Node, ...]) -> Value:
    """Call a function. Wrong."""
    known = _BY_NODE.get(name)
    if known is not None:
        return known(machine, args)
    given = [machine.value(one) for one in args]
    if name in _MATHS:
        return _maths(name, [values.number(one) for one in given])
    try:
        return _BY_VALUE[name](machine, *given)
    except TypeError:
        raise Wrong(f"{len(given)} is invalid as number of arguments for {name}") from None


_MATHS: Final[dict[str, Callable[..., float]]] = {
    "sin": math.sin, "cos": math.cos, "atan2": math.atan2, "exp": math.exp, "log": math.log,
    "sqrt": math.sqrt, "int": math.trunc,
}  # fmt: skip


def _maths(name: str, given: list[float]) -> float:
    try:
        return float(_MATHS[name](*given))
    except OverflowError:
        return math.inf
    except ValueError:
        return -math.inf if name == "log" and given == [0.0] else math.nan
    except TypeError:
        raise Wrong(f"{len(given)} is invalid as number of arguments for {name}") from None


# ---- those that look at names and patterns -------------------------------------------------------


def _length(machine: "Machine", args: tuple[Node, ...]) -> Value:
    if args and args[0].kind == "name":
        name = args[0].parts[0]
        if isinstance(machine.variables.get(name), dict):
            return float(len(machine.array(name)))
    shown = machine.value(args[0]) if args else machine.field(0)
    return float(len(values.text(shown, machine.form)))


def _split(machine: "Machine", args: tuple[Node, ...]) -> Value:
    if len(args) < 2 or args[1].kind != "name":
        raise Wrong("split: second argument is not an array")
    separator = machine.source(args[2]) if len(args) > 2 else machine.string("FS")
    text = values.text(machine.value(args[0]), machine.form)
    if len(args) > 2 and args[2].kind == "regex" and separator == " ":
        separator = "[ ]"
    parts = values.split(text, separator)
    array = machine.array(args[1].parts[0])
    array.clear()
    array.update({str(at): Input(part) for at, part in enumerate(parts, 1)})
    return float(len(parts))


def _substitute(machine: "Machine", args: tuple[Node, ...], *, every: bool) -> Value:
    if len(args) < 2:
        raise Wrong("sub: not enough arguments")
    place = args[2] if len(args) > 2 else Node("field", (Node("constant", (0.0,)),))
    pattern = values.pattern(machine.source(args[0]))
    template = values.text(machine.value(args[1]), machine.form)
    data = encoded(values.text(machine.value(place), machine.form))
    made = bytearray()
    at = count = 0
    for found in pattern.finditer(data):
        if count and found.end() == at:
            continue  # nothing, right behind the last one
        count += 1
        made += data[at : found.start()] + _replaced(template, found)
        at = found.end()
        if not every:
            break
        if len(made) > values.MAX_STRING:
            raise Wrong("out of memory")
    if count:
        machine.assign(place, decoded(bytes(made) + data[at:]))
    return float(count)


def _replaced(template: str, found: Any) -> bytes:
    made = bytearray()
    at = 0
    while at < len(template):
        letter = template[at]
        follows = template[at + 1 : at + 2]
        if letter == "\\" and follows in ("&", "\\") and follows:
            made += follows.encode()
            at += 2
            continue
        made += found.group() if letter == "&" else encoded(letter)
        at += 1
    return bytes(made)


def _sub(machine: "Machine", args: tuple[Node, ...]) -> Value:
    return _substitute(machine, args, every=False)


def _gsub(machine: "Machine", args: tuple[Node, ...]) -> Value:
    return _substitute(machine, args, every=True)


def _match(machine: "Machine", args: tuple[Node, ...]) -> Value:
    if len(args) != 2:
        raise Wrong("match: two arguments are wanted")
    data = encoded(values.text(machine.value(args[0]), machine.form))
    found = values.pattern(machine.source(args[1])).search(data)
    start = len(decoded(data[: found.start()])) + 1 if found else 0
    machine.put("RSTART", float(start))
    machine.put("RLENGTH", float(len(decoded(found.group())) if found else -1))
    return float(start)


_BY_NODE: Final[dict[str, Callable[["Machine", tuple[Node, ...]], Value]]] = {
    "length": _length, "split": _split, "sub": _sub, "gsub": _gsub, "match": _match,
}  # fmt: skip


# ---- those that look at values -------------------------------------------------------------------


def _substr(machine: "Machine", text: Value, start: Value, size: Value = math.inf) -> Value:
    shown = values.text(text, machine.form)
    first = values.number(start)
    last = first + values.number(size)
    if not last > first:
        return ""
    begin = max(round(first) if math.isfinite(first) else 1, 1)
    end = min(round(last), len(shown) + 1) if math.isfinite(last) else len(shown) + 1
    return shown[begin - 1 : max(end - 1, 0)]


def _index(machine: "Machine", text: Value, part: Value) -> Value:
    form = machine.form
    sought = values.text(part, form)
    return float(values.text(text, form).find(sought) + 1) if sought else 0.0


def _sprintf(machine: "Machine", form: Value, *rest: Value) -> Value:
    return values.formatted(values.text(form, machine.form), list(rest))


def _lower(machine: "Machine", text: Value) -> Value:
    return values.text(text, machine.form).lower()


def _upper(machine: "Machine", text: Value) -> Value:
    return values.text(text, machine.form).upper()


def _rand(machine: "Machine") -> Value:
    return machine.chance.random()


def _srand(machine: "Machine", seed: Value = None) -> Value:
    old = machine.seed
    told = machine.call.kernel.clock.now() if seed is None else values.number(seed)
    machine.seed = float(int(told))
    machine.chance = chance(machine.seed)
    return old


def _system(_machine: "Machine", _command: Value) -> Value:
    raise Wrong("system() is not emulated")


def _close(machine: "Machine", name: Value) -> Value:
    machine.close(values.text(name, machine.form))
    return 0.0


def _flush(_machine: "Machine", *_names: Value) -> Value:
    return 0.0


def _systime(machine: "Machine") -> Value:
    return float(int(machine.call.kernel.clock.now()))


def _strftime(
    machine: "Machine", form: Value = "%a %b %e %H:%M:%S UTC %Y", at: Value = None
) -> Value:
    when = machine.call.kernel.clock.now() if at is None else values.number(at)
    try:
        moment = datetime.datetime.fromtimestamp(when, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.strftime(values.text(form)[:1000])


_BY_VALUE: Final[dict[str, Callable[..., Value]]] = {
    "substr": _substr, "index": _index, "sprintf": _sprintf, "tolower": _lower,
    "toupper": _upper, "rand": _rand, "srand": _srand, "system": _system, "close": _close,
    "fflush": _flush, "systime": _systime, "strftime": _strftime,
}  # fmt: skip
