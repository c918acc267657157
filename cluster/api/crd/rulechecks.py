"""x-kubernetes-validations in a definition: they must compile, and compare what can be compared.

Words: apiextensions-apiserver pkg/apis/apiextensions/validation and pkg/apiserver/schema/cel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cluster.api import causes, cel, errors
from cluster.api.cel import costs, program, types
from cluster.api.crd import rules
from cluster.api.crd.structure import Rule, Schema

Causes = Iterator[errors.Cause]

_LARGEST: Final = 2**64 - 1
_HINT: Final = (
    "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, "
    "maps, and strings are declared"
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node is: `uncorrelatable` is the first node above whose parts cannot be told from
    their old ones, `count` how many values it may have in an object, None if nothing bounds it.
    """

    uncorrelatable: str = ""
    count: int | None = 1

    def below(self, uncorrelatable: str = "", most: int | None = 1) -> "_Place":
        """Where a part of the node is, of which each value has `most`."""
        count = None if self.count is None or most is None else self.count * max(most, 0)
        return _Place(self.uncorrelatable or uncorrelatable, count)


class _Costs:
    """What the rules of a schema are estimated to cost together, and where that comes from."""

    def __init__(self) -> None:
        self.total = 0
        self.places: list[tuple[int, str]] = []

    def add(self, cost: int, where: str) -> None:
        self.total = min(self.total + cost, _LARGEST)
        self.places = sorted([*self.places, (cost, where)], key=lambda one: -one[0])[:4]

    def check(self, path: str) -> Causes:
        """Whether they are too much together."""
        if self.total <= costs.CRD_ESTIMATE_LIMIT:
            return
        why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3"
        for _, where in self.places:
            yield causes.forbidden(where, f"{why} schema")
        name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        yield causes.forbidden(path, _exceeds(name, self.total, costs.CRD_ESTIMATE_LIMIT))


def check(root: Schema, path: str) -> list[errors.Cause]:
    """What is wrong with the rules of the schema at `path`."""
    spent = _Costs()
    found = [*_node(root, path, _Place(), spent, resource=True)]
    return [*found, *spent.check(path)]


def _node(
    node: Schema, path: str, place: _Place, spent: _Costs, *, resource: bool = False
) -> Causes:
    if node.rules:
        own = rules.declared(node, resource=resource)
        for index, rule in enumerate(node.rules):
            where = f"{path}.x-kubernetes-validations[{index}]"
            if own is None:
                why = "failed to retrieve type information for x-kubernetes-validations"
                yield causes.invalid(where, rule.raw, f"internal error: {why}")
            else:
                yield from _rule(rule, own, where, place, spent)
    below = place.below(path if node.map_type == "atomic" else "")
    for name, inner in node.properties.items():
        yield from _node(inner, f"{path}.properties[{name}]", below, spent)
    if node.element is not None:
        many = place.below(path if node.map_type == "atomic" else "", node.max_properties)
        yield from _node(node.element, f"{path}.additionalProperties", many, spent)
    if node.items is not None:
        many = place.below(path if node.list_type != "map" else "", node.max_items)
        yield from _node(node.items, f"{path}.items", many, spent)


def _rule(rule: Rule, own: types.Type, where: str, place: _Place, spent: _Costs) -> Causes:
    environment = rules.environment(rule, own)
    try:
        compiled = cel.compile(rule.rule, environment)
    except cel.CompileError as error:
        yield causes.invalid(f"{where}.rule", rule.raw, str(error))
        return
    if not program.result_is(compiled, types.BOOL):
        yield causes.invalid(f"{where}.rule", rule.raw, "cel expression must evaluate to a bool")
    most = costs.estimate(compiled).most
    times = types.MAX_REQUEST // (own.smallest + 1) if place.count is None else place.count
    yield from _cost("estimated rule cost", most * times, f"{where}.rule", spent)
    if rule.message_expression:
        yield from _message(rule, environment, f"{where}.messageExpression", spent)
    transition = "oldSelf" in compiled.variables
    if transition and place.uncorrelatable:
        why = "oldSelf cannot be used on the uncorrelatable portion of the schema within"
        yield causes.invalid(f"{where}.rule", rule.rule, f"{why} {place.uncorrelatable}")
    if not transition and rule.optional_old_self is not None:
        why = "may not be set if oldSelf is not used in rule"
        yield causes.invalid(f"{where}.optionalOldSelf", rule.optional_old_self, why)


def _cost(name: str, cost: int, where: str, spent: _Costs) -> Causes:
    spent.add(min(cost, _LARGEST), where)
    if cost > costs.ESTIMATE_LIMIT:
        yield causes.forbidden(where, _exceeds(name, cost, costs.ESTIMATE_LIMIT))


def _exceeds(name: str, cost: int, limit: int) -> str:
    factor = min(cost, _LARGEST) / limit
    if factor > 100:
        shown = "more than 100x"
    else:
        shown = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{name} exceeds budget by factor of {shown} ({_HINT})"


def _message(rule: Rule, environment: cel.Environment, where: str, spent: _Costs) -> Causes:
    try:
        compiled = cel.compile(rule.message_expression, environment)
    except cel.CompileError as error:
        yield causes.invalid(where, rule.raw, f"messageExpression {error}")
        return
    if not program.result_is(compiled, types.STRING):
        yield causes.invalid(where, rule.raw, "messageExpression must evaluate to a string")
    most = costs.estimate(compiled).most
    yield from _cost("estimated messageExpression cost", most, where, spent)
