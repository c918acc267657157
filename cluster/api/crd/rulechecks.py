"""x-kubernetes-validations in a definition: they must compile, and compare what can be compared.

Words: apiextensions-apiserver pkg/apis/apiextensions/validation and pkg/apiserver/schema/cel.
"""

from collections.abc import Iterator

from cluster.api import causes, cel, errors
from cluster.api.cel import program, types
from cluster.api.crd import rules
from cluster.api.crd.structure import Rule, Schema

Causes = Iterator[errors.Cause]


def check(root: Schema, path: str) -> list[errors.Cause]:
    """What is wrong with the rules of the schema at `path`."""
    return [*_node(root, path, "", resource=True)]


def _node(node: Schema, path: str, uncorrelatable: str, *, resource: bool = False) -> Causes:
    """`uncorrelatable` is the first node above whose parts cannot be told from their old ones."""
    if node.rules:
        own = rules.declared(node, resource=resource)
        for index, rule in enumerate(node.rules):
            where = f"{path}.x-kubernetes-validations[{index}]"
            if own is None:
                why = "failed to retrieve type information for x-kubernetes-validations"
                yield causes.invalid(where, rule.raw, f"internal error: {why}")
            else:
                yield from _rule(rule, own, where, uncorrelatable)
    below = uncorrelatable or (path if node.map_type == "atomic" else "")
    for name, inner in node.properties.items():
        yield from _node(inner, f"{path}.properties[{name}]", below)
    if node.element is not None:
        yield from _node(node.element, f"{path}.additionalProperties", below)
    if node.items is not None:
        below = uncorrelatable or (path if node.list_type != "map" else "")
        yield from _node(node.items, f"{path}.items", below)


def _rule(rule: Rule, own: types.Type, where: str, uncorrelatable: str) -> Causes:
    environment = rules.environment(rule, own)
    try:
        compiled = cel.compile(rule.rule, environment)
    except cel.CompileError as error:
        yield causes.invalid(f"{where}.rule", rule.raw, str(error))
        return
    if not program.result_is(compiled, types.BOOL):
        yield causes.invalid(f"{where}.rule", rule.raw, "cel expression must evaluate to a bool")
    if rule.message_expression:
        yield from _message(rule, environment, f"{where}.messageExpression")
    transition = "oldSelf" in compiled.variables
    if transition and uncorrelatable:
        why = "oldSelf cannot be used on the uncorrelatable portion of the schema within"
        yield causes.invalid(f"{where}.rule", rule.rule, f"{why} {uncorrelatable}")
    if not transition and rule.optional_old_self is not None:
        why = "may not be set if oldSelf is not used in rule"
        yield causes.invalid(f"{where}.optionalOldSelf", rule.optional_old_self, why)


def _message(rule: Rule, environment: cel.Environment, where: str) -> Causes:
    try:
        compiled = cel.compile(rule.message_expression, environment)
    except cel.CompileError as error:
        yield causes.invalid(where, rule.raw, f"messageExpression {error}")
        return
    if not program.result_is(compiled, types.STRING):
        yield causes.invalid(where, rule.raw, "messageExpression must evaluate to a string")
