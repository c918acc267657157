"""x-kubernetes-validations at work: CEL rules of a schema over an object and its old state.

Rules and words: apiextensions-apiserver pkg/apiserver/schema/cel/validation.go.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from cluster.api import causes, cel, errors
from cluster.api.cel import structural, types, values
from cluster.api.crd import checking
from cluster.api.crd.found import MISSING, NO_PATH, same
from cluster.api.crd.structure import Rule, Schema
from cluster.api.objects import Object

MESSAGE_LIMIT: Final = 5 << 10
"""Bytes of what a messageExpression gives: MaxEvaluatedMessageExpressionSizeBytes."""
_OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule, ready to run."""

    rule: Rule
    program: cel.Program
    message: cel.Program | None

    @property
    def transition(self) -> bool:
        """Whether it compares with the old state."""
        return "oldSelf" in self.program.variables


@dataclass(slots=True)
class _Work:
    """What an evaluation has found, and what it may still cost."""

    found: list[errors.Cause]
    budget: cel.Budget


class _Stop(Exception):
    """No further rules are run."""


_Nearest = tuple[Any, Any] | None
"""The nearest value above that could be compared with its old one, and that."""
_Visit = Callable[[Any, Any, str, _Nearest, _Work], None]


def declared(node: Schema, *, resource: bool = False) -> types.Type | None:
    """The type of a node as expressions see it; None for one that they do not see.

    `resource`: it is the root of a custom object.
    """
    return structural.from_schema(node.raw, root=resource or node.embedded)


def environment(rule: Rule, own: types.Type) -> cel.Environment:
    """What a rule over a value of a type may name."""
    old = types.optional_of(own) if rule.optional_old_self else own
    return cel.Environment({"self": own, "oldSelf": old})


def compile_rule(rule: Rule, own: types.Type) -> Compiled:
    """A rule over a value of a type. cel.CompileError."""
    names = environment(rule, own)
    message = cel.compile(rule.message_expression, names) if rule.message_expression else None
    return Compiled(rule, cel.compile(rule.rule, names), message)


def compiled(root: Schema) -> "Callable[[Object, Object | None], list[errors.Cause]] | None":
    """The rules of a schema; None where it has none.

    The schema has passed `rulechecks`; a rule that does not compile all the same is left out.
    """
    visit = _node(root, resource=True)
    if visit is None:
        return None

    def evaluate(new: Object, old: Object | None) -> list[errors.Cause]:
        work = _Work([], cel.Budget())
        with contextlib.suppress(_Stop):
            visit(new, MISSING if old is None else old, "", None, work)
        return work.found

    return evaluate


def _node(node: Schema, *, resource: bool = False) -> _Visit | None:
    rules = _rules(node, resource=resource)
    into_object, into_list = _object(node), _list(node)
    if not rules and into_object is None and into_list is None:
        return None
    kind = node.type

    def visit(value: Any, old: Any, path: str, nearest: _Nearest, work: _Work) -> None:
        if value is None:
            return
        for rule in rules:
            _apply(rule, _At(kind, value, old, path, nearest), work)
        here = (value, old) if old is not MISSING else nearest
        if type(value) is dict and into_object is not None:
            into_object(value, old, path, here, work)
        elif type(value) is list and into_list is not None:
            into_list(value, old, path, here, work)

    return visit


def _object(node: Schema) -> _Visit | None:
    inside = {name: one for name, inner in node.properties.items() if (one := _node(inner))}
    rest = _node(node.element) if node.element is not None else None
    if not inside and rest is None:
        return None
    known, granular = node.properties, node.map_type != "atomic"

    def visit(value: Any, old: Any, path: str, nearest: _Nearest, work: _Work) -> None:
        before = old if granular and type(old) is dict else {}
        for name, one in inside.items():
            if name in value:
                below = f"{path}.{name}" if path else name
                one(value[name], before.get(name, MISSING), below, nearest, work)
        if rest is not None:
            for key, item in value.items():
                if key not in known:
                    rest(item, before.get(key, MISSING), f"{path}[{key}]", nearest, work)

    return visit


def _list(node: Schema) -> _Visit | None:
    item = _node(node.items) if node.items is not None else None
    if item is None:
        return None
    keys = node.list_map_keys if node.list_type == "map" else ()

    def visit(value: Any, old: Any, path: str, nearest: _Nearest, work: _Work) -> None:
        known = checking.by_key(old, keys) if keys and type(old) is list else {}
        for index, one in enumerate(value):
            was = known.get(checking.map_key(one, keys), MISSING) if known else MISSING
            item(one, was, f"{path}[{index}]", nearest, work)

    return visit


def _rules(node: Schema, *, resource: bool) -> list[Compiled]:
    own = declared(node, resource=resource) if node.rules else None
    found = []
    if own is None:
        return []
    for rule in node.rules:
        with contextlib.suppress(cel.CompileError):
            found.append(compile_rule(rule, own))
    return found


@dataclass(frozen=True, slots=True)
class _At:
    """A value, what it replaces, and where: `kind` is its type in the schema."""

    kind: str
    value: Any
    old: Any
    path: str
    nearest: _Nearest

    @property
    def where(self) -> str:
        """The path, as causes name it."""
        return self.path or NO_PATH

    @property
    def unchanged(self) -> bool:
        """Whether it, or what it is part of, is as it was before."""
        before = (self.value, self.old) if self.old is not MISSING else self.nearest
        return before is not None and same(before[1], before[0])


def _apply(one: Compiled, at: _At, work: _Work) -> None:
    rule = one.rule
    if one.transition and at.old is MISSING and not rule.optional_old_self:
        return
    if work.budget.left <= 0:
        _stop(at, _OUT_OF_BUDGET, work)
    bindings = _bindings(rule, at.value, at.old)
    try:
        result = one.program.run(bindings, budget=work.budget)
    except cel.CostExceeded as error:
        why = "no further validation rules will be run due to call cost exceeds limit for rule: "
        _stop(at, f"'{error}': {why}{_named(rule)}", work)
    except cel.EvaluationError as error:
        if work.budget.exhausted:
            _stop(at, _OUT_OF_BUDGET, work)
        work.found.append(causes.invalid(at.where, at.kind, _told(error, rule)))
        return
    if work.budget.exhausted:
        _stop(at, _OUT_OF_BUDGET, work)
    if result is True or (not one.transition and at.unchanged):
        return  # it holds, or did not hold before either: ratcheting
    work.found.append(_cause(rule, at, _message(one, bindings, at, work)))


def _bindings(rule: Rule, value: Any, old: Any) -> dict[str, Any]:
    if rule.optional_old_self:
        was = values.NONE if old is MISSING else values.Optional(old)
        return {"self": value, "oldSelf": was}
    return {"self": value} if old is MISSING else {"self": value, "oldSelf": old}


def _stop(at: _At, why: str, work: _Work) -> NoReturn:
    work.found.append(causes.invalid(at.where, at.kind, why))
    raise _Stop


def _told(error: cel.EvaluationError, rule: Rule) -> str:
    if str(error).startswith("no such overload"):
        why = "call arguments did not match a supported operator, function or macro signature for "
        return f"'{error}': {why}rule: {_named(rule)}"
    return f"{error} evaluating rule: {_named(rule)}"


def _named(rule: Rule) -> str:
    return (rule.message or rule.rule).strip()


def _cause(rule: Rule, at: _At, detail: str) -> errors.Cause:
    field, kind = at.path, at.kind
    if rule.field_path:
        text = rule.field_path.strip()
        field += text if text.startswith("[") else f".{text.removeprefix('.')}"
    field = field.removeprefix(".") or NO_PATH
    if rule.reason == "FieldValueForbidden":
        return causes.forbidden(field, detail)
    if rule.reason == "FieldValueRequired":
        return causes.required(field, detail)
    if rule.reason == "FieldValueDuplicate":
        return causes.duplicate(field, kind)
    return causes.invalid(field, kind, detail)


def _message(one: Compiled, bindings: dict[str, Any], at: _At, work: _Work) -> str:
    """What the user is told; a messageExpression that fails leaves it to the message."""
    rule = one.rule
    if one.message is not None:
        text = None
        try:
            text = one.message.run(bindings, budget=work.budget)
        except cel.CostExceeded:
            why = "no further validation rules will be run due to call cost exceeds limit for "
            shown = causes.quoted(rule.message_expression)
            _stop(at, f"{why}messageExpression: {shown}", work)
        except cel.EvaluationError:
            pass
        if work.budget.exhausted:
            why = "messageExpression evaluation failed due to running out of cost budget, no "
            _stop(at, f"{why}further validation rules will be run", work)
        trimmed = text.strip() if isinstance(text, str) else ""
        if trimmed and len(trimmed.encode()) <= MESSAGE_LIMIT and "\n" not in trimmed:
            return trimmed
    return rule.message.strip() if rule.message else f"failed rule: {_named(rule)}"
