"""Webhook configurations and admission policies (pkg/apis/admissionregistration/v1/defaults.go)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cluster.api.objects import Object

_GROUP: Final = "admissionregistration.k8s.io"


def _webhook(hook: Object) -> None:
    hook.setdefault("failurePolicy", "Fail")
    _matching(hook)
    hook.setdefault("timeoutSeconds", 10)
    _rules(hook.get("rules"))
    service = (hook.get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)


def _matching(holder: Object) -> None:
    holder.setdefault("matchPolicy", "Equivalent")
    for selector in ("namespaceSelector", "objectSelector"):
        if holder.get(selector) is None:
            holder[selector] = {}


def _rules(rules: Iterable[Any] | None) -> None:
    for rule in rules or ():
        rule.setdefault("scope", "*")


def _resources(found: Object | None) -> None:
    if found is not None:
        _matching(found)
        _rules(found.get("resourceRules"))
        _rules(found.get("excludeResourceRules"))


def validating_webhooks(obj: Object) -> None:
    """What a webhook that says nothing else does: fail, match what is equivalent, take 10 s."""
    for hook in obj.get("webhooks") or ():
        _webhook(hook)


def mutating_webhooks(obj: Object) -> None:
    """The same; it is not asked again."""
    for hook in obj.get("webhooks") or ():
        _webhook(hook)
        hook.setdefault("reinvocationPolicy", "Never")


def policy(obj: Object) -> None:
    """A policy fails where it cannot be evaluated."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    _resources(spec.get("matchConstraints"))


def binding(obj: Object) -> None:
    """What a binding's matchResources leave out."""
    _resources((obj.get("spec") or {}).get("matchResources"))


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    f"mutatingwebhookconfigurations.{_GROUP}": mutating_webhooks,
    f"validatingwebhookconfigurations.{_GROUP}": validating_webhooks,
    f"validatingadmissionpolicies.{_GROUP}": policy,
    f"validatingadmissionpolicybindings.{_GROUP}": binding,
    f"mutatingadmissionpolicies.{_GROUP}": policy,
    f"mutatingadmissionpolicybindings.{_GROUP}": binding,
}
