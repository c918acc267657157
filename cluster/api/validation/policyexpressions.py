"""The expressions of admission policies: they must be there, and compile.

CEL is imported where there is an expression: few servers ever see one.
"""

import re
from typing import TYPE_CHECKING, Any, Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import admissionrules, values
from cluster.api.validation.values import Causes

if TYPE_CHECKING:
    from cluster.api.policies.expressions import Scope

_REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_MOST_ANNOTATIONS: Final = 20
_LONGEST_VALUE: Final = 5 << 10
"""maxAuditAnnotationValueExpressionLength: 5 KB."""
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_NEWLINES: Final = re.compile(r"[\n\r]")


def scope(spec: Object, *, patches: bool = False) -> "Scope":
    """What the expressions of a policy may name, before its variables."""
    from cluster.api.policies.expressions import Scope

    return Scope(
        params=spec.get("paramKind") is not None,
        patches=patches,
        composed=bool(spec.get("variables")),
    )


def variables(scope: "Scope", spec: Object) -> Causes:
    """What is wrong with the variables, which become known to `scope`."""
    from cluster.api.cel import types
    from cluster.api.policies import expressions

    told: Causes = []
    for index, each in enumerate(spec.get("variables") or ()):
        path = f"spec.variables[{index}]"
        name, text = each.get("name") or "", each.get("expression") or ""
        if not name.strip():
            told.append(causes.required(f"{path}.name", "name is not specified"))
        elif _IDENTIFIER.fullmatch(name) is None or name in types.RESERVED:
            told.append(causes.invalid(f"{path}.name", name, "name is not a valid CEL identifier"))
        if not text.strip():
            told.append(causes.required(f"{path}.expression", "expression is not specified"))
            continue
        kind = types.DYN
        try:
            kind = expressions.compiled(text, scope.environment(), expressions.ANY).type
        except expressions.Wrong as error:
            told.append(causes.invalid(f"{path}.expression", text, str(error)))
        scope.variables[name] = kind
    return told


def validation(scope: "Scope", check: Object, path: str) -> Causes:
    """What is wrong with one of spec.validations."""
    from cluster.api.policies import expressions

    text, message = check.get("expression") or "", check.get("message") or ""
    shown = check.get("messageExpression") or ""
    told: Causes = []
    if not text.strip():
        told.append(causes.required(f"{path}.expression", "expression is not specified"))
    else:
        told += _compiled(scope, f"{path}.expression", text, expressions.BOOL)
    if shown and not shown.strip():
        at, detail = f"{path}.messageExpression", "must be non-empty if specified"
        told.append(causes.invalid(at, shown, detail))
    elif shown:
        at = f"{path}.messageExpression"
        told += _compiled(scope, at, shown, expressions.TEXT, authorizer=False)
    if message and not message.strip():
        detail = "message must be non-empty if specified"
        told.append(causes.invalid(f"{path}.message", message, detail))
    elif _NEWLINES.search(message.strip()):
        detail = "message must not contain line breaks"
        told.append(causes.invalid(f"{path}.message", message, detail))
    return told + admissionrules.enumeration(f"{path}.reason", check.get("reason"), _REASONS)


def annotations(scope: "Scope", found: list[Any], policy: str) -> Causes:
    """What is wrong with spec.auditAnnotations of a policy of this name."""
    from cluster.api.policies import expressions

    path = "spec.auditAnnotations"
    told: Causes = []
    if len(found) > _MOST_ANNOTATIONS:
        detail = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        told.append(causes.invalid(path, found, detail))
    seen: dict[str, None] = {}
    for index, each in enumerate(found):
        key, text = each.get("key") or "", each.get("valueExpression") or ""
        where = f"{path}[{index}]"
        if policy:
            whole = f"{policy}/{key}"
            told += values.complaints(f"{where}.key", whole, metadata.qualified_name(whole))
        else:
            told.append(causes.invalid(f"{where}.key", key, "requires metadata.name be non-empty"))
        trimmed, at = text.strip(), f"{where}.valueExpression"
        if not trimmed:
            told.append(causes.required(at, "valueExpression is not specified"))
        elif len(trimmed.encode()) > _LONGEST_VALUE:
            detail = f"must not exceed {_LONGEST_VALUE} bytes in length"
            told.append(causes.required(at, detail))
        else:
            told += _compiled(scope, at, trimmed, expressions.TEXT_OR_NULL, shown=text)
        if key in seen:
            told.append(causes.duplicate(f"{where}.key", key))
        seen[key] = None
    return told


def mutation(scope: "Scope", kind: str, holder: Object, path: str) -> Causes:
    """What is wrong with the expression of a mutation."""
    from cluster.api.policies import expressions

    text = (holder.get("expression") or "").strip()
    if not text:
        return [causes.required(path)]
    returns = expressions.PATCHES if kind == "JSONPatch" else expressions.OBJECT
    return _compiled(scope, path, text, returns)


def _compiled(
    scope: "Scope", path: str, text: str, returns: Any, *, authorizer: bool = True, shown: str = ""
) -> Causes:
    from cluster.api.policies import expressions

    environment = scope.environment(authorizer=authorizer)
    return admissionrules.expression(
        path, shown or text, lambda: expressions.compiled(text, environment, returns)
    )
