"""LabelSelectors inside objects (apis/meta/v1/validation)."""

from typing import Any, Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import values
from cluster.api.validation.values import Causes

_WITH_VALUES: Final = ("In", "NotIn")
_WITHOUT_VALUES: Final = ("Exists", "DoesNotExist")


def label_selector(path: str, selector: Object) -> Causes:
    """What is wrong with a LabelSelector."""
    found: Causes = []
    for key, value in (selector.get("matchLabels") or {}).items():
        found += values.complaints(f"{path}.matchLabels", key, metadata.qualified_name(key))
        found += values.complaints(f"{path}.matchLabels", value, metadata.label_value(value))
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        found += _expression(f"{path}.matchExpressions[{index}]", expression)
    return found


def _expression(path: str, expression: Object) -> Causes:
    found: Causes = []
    operator, listed = expression.get("operator") or "", expression.get("values") or []
    if operator in _WITH_VALUES:
        if not listed:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            found.append(causes.required(f"{path}.values", detail))
    elif operator in _WITHOUT_VALUES:
        if listed:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            found.append(causes.forbidden(f"{path}.values", detail))
    else:
        detail = "not a valid selector operator"
        found.append(causes.invalid(f"{path}.operator", operator, detail))
    key = expression.get("key") or ""
    found += values.complaints(f"{path}.key", key, metadata.qualified_name(key))
    for index, value in enumerate(listed):
        told = metadata.label_value(value)
        found += values.complaints(f"{path}.values[{index}]", value, told)
    return found


def is_empty(selector: Any) -> bool:
    """Whether a selector says nothing at all."""
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))
