"""Webhook configurations and admission policies as rows."""

from collections.abc import Callable
from typing import Any, Final

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, Printer, age
from cluster.api.resources import Column

_GROUP: Final = "admissionregistration.k8s.io"
_UNSET: Final = "<unset>"


def _webhooks(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), len(obj.get("webhooks") or ()), age(obj, now)]


def _policy(field: str) -> Callable[[objects.Object, float], list[Any]]:
    def cells(obj: objects.Object, now: float) -> list[Any]:
        spec = objects.spec(obj)
        kind = spec.get("paramKind")
        shown = _UNSET
        if kind is not None:
            shown = f"{kind.get('apiVersion') or ''}/{kind.get('kind') or ''}"
        return [objects.name(obj), len(spec.get(field) or ()), shown, age(obj, now)]

    return cells


def _binding(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    shown = _params(spec.get("paramRef") or {})
    return [objects.name(obj), spec.get("policyName") or "", shown, age(obj, now)]


def _params(reference: objects.Object) -> str:
    if reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    selector = reference.get("selector")
    return _UNSET if selector is None else _go_selector(selector)


def _go_selector(selector: objects.Object) -> str:
    """A LabelSelector as its String method prints it."""
    labels = selector.get("matchLabels") or {}
    pairs = "".join(f"{key}: {labels[key]}," for key in sorted(labels))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{each.get('key')},Operator:{each.get('operator')},"
        f"Values:[{' '.join(each.get('values') or ())}],}},"
        for each in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"
    )


_WEBHOOKS: Final = Printer((NAME, Column("Webhooks", "integer"), AGE), _webhooks)
_BINDINGS: Final = Printer((NAME, Column("PolicyName"), Column("ParamRef"), AGE), _binding)

BY_RESOURCE = {
    f"mutatingwebhookconfigurations.{_GROUP}": _WEBHOOKS,
    f"validatingwebhookconfigurations.{_GROUP}": _WEBHOOKS,
    f"validatingadmissionpolicies.{_GROUP}": Printer(
        (NAME, Column("Validations", "integer"), Column("ParamKind"), AGE), _policy("validations")
    ),
    f"validatingadmissionpolicybindings.{_GROUP}": _BINDINGS,
    f"mutatingadmissionpolicies.{_GROUP}": Printer(
        (NAME, Column("Mutations", "integer"), Column("ParamKind"), AGE), _policy("mutations")
    ),
    f"mutatingadmissionpolicybindings.{_GROUP}": _BINDINGS,
}
