"""Macros: calls that the parser turns into loops, bindings and tests of presence.

The standard ones, those of two variables (cel-go's ext.TwoVarComprehensions), cel.bind and the
macros of optional values.
"""

from typing import Final

from cluster.api.cel.ast import Bind, Call, Expr, Ident, Loop, Select
from cluster.api.cel.faults import Fault

# How many variables and parts each takes, by the number of arguments.
_LOOPS: Final[dict[str, dict[int, tuple[int, int]]]] = {
    "all": {2: (1, 1), 3: (2, 1)},
    "exists": {2: (1, 1), 3: (2, 1)},
    "exists_one": {2: (1, 1), 3: (2, 1)},
    "existsOne": {2: (1, 1), 3: (2, 1)},
    "map": {2: (1, 1), 3: (1, 2)},
    "filter": {2: (1, 1)},
    "transformList": {3: (2, 1), 4: (2, 2)},
    "transformMap": {3: (2, 1), 4: (2, 2)},
    "transformMapEntry": {3: (2, 1), 4: (2, 2)},
}
_SIMPLE_NAME: Final = "argument must be a simple name"


def expanded(call: Call, faults: list[Fault]) -> Expr:
    """The call, or what the macro that it is stands for; wrong arguments go to `faults`."""
    if call.target is None:
        return _has(call, faults) if call.function == "has" and len(call.args) == 1 else call
    if call.function in _LOOPS:
        return _loop(call, call.target, faults)
    if call.function in ("optMap", "optFlatMap") and len(call.args) == 2:
        return _bind(
            call, call.target, call.args,
            f"{call.function}() variable name must be a simple identifier", faults,
        )  # fmt: skip
    if call.function == "bind" and len(call.args) == 3 and _is_cel(call.target):
        name, value, body = call.args
        said = "cel.bind() variable names must be simple identifiers"
        return _bind(call, value, [name, body], said, faults)
    return call


def _is_cel(target: Expr) -> bool:
    return isinstance(target, Ident) and target.name == "cel"


def _has(call: Call, faults: list[Fault]) -> Expr:
    operand = call.args[0]
    if not isinstance(operand, Select) or operand.optional or operand.test:
        faults.append(Fault(operand.offset, "invalid argument to has() macro"))
        return call
    operand.test = True
    operand.offset = call.offset
    return operand


def _loop(call: Call, target: Expr, faults: list[Fault]) -> Expr:
    shape = _LOOPS[call.function].get(len(call.args))
    if shape is None:
        return call
    count, _ = shape
    names: list[str] = []
    for item in call.args[:count]:
        if not isinstance(item, Ident):
            faults.append(Fault(item.offset, _SIMPLE_NAME))
            return call
        if item.name in names:
            faults.append(Fault(item.offset, f"duplicate variable name: {item.name}"))
        names.append(item.name)
    macro = "exists_one" if call.function == "existsOne" else call.function
    return Loop(call.offset, macro, target, names, call.args[count:])


def _bind(call: Call, value: Expr, rest: list[Expr], said: str, faults: list[Fault]) -> Expr:
    name, body = rest
    if not isinstance(name, Ident):
        faults.append(Fault(name.offset, said))
        return call
    return Bind(call.offset, call.function, name.name, value, body)
