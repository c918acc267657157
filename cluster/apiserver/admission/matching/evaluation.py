"""Expressions over a request: what they are given, and what is said of those that fail.

Source: k8s.io/apiserver pkg/admission/plugin/cel/activation.go. CEL is imported when a policy or a
webhook has an expression.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cluster.api import identity, objects
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver.admission.matching.attributes import Attributes, shown
from cluster.apiserver.admission.plugin import Request
from cluster.apiserver.authz.attributes import Attributes as Asked

if TYPE_CHECKING:
    from cluster.api import cel
    from cluster.api.cel import authorization
    from cluster.api.policies.expressions import Compiled

OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
_NAMESPACE_META: Final = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
    "annotations", "finalizers",
)  # fmt: skip


class Failed(Exception):
    """An expression that has no value; `exhausted`: none after it may run."""

    def __init__(self, message: str, *, exhausted: bool = False) -> None:
        super().__init__(message)
        self.exhausted = exhausted


def evaluated(
    text: str, program: "Compiled", bindings: Mapping[str, Any], budget: "cel.Budget"
) -> Any:
    """The value of an expression. Failed."""
    from cluster.api import cel

    if isinstance(program, Exception):
        raise Failed(f"compilation error: {program}")
    try:
        value = program.run(bindings, budget=budget)
    except cel.EvaluationError as error:
        if budget.exhausted:
            raise Failed(OUT_OF_BUDGET, exhausted=True) from None
        raise Failed(f"expression '{text}' resulted in error: {error}") from None
    if budget.exhausted:
        raise Failed(OUT_OF_BUDGET, exhausted=True)
    return value


def bindings(attributes: Attributes, row: Resource, *, namespace: bool = False) -> dict[str, Any]:
    """What expressions are given, of a request that is matched as one for `row`. outside.Ask."""
    request = attributes.request
    return {
        "object": shown(attributes, attributes.object, row),
        "oldObject": shown(attributes, attributes.old, row),
        "request": attributes.document(row),
        "namespaceObject": namespace_object(attributes) if namespace else None,
        "params": None,
    } | _authorization(request, attributes)


def namespace_object(attributes: Attributes) -> Object | None:
    """The namespace of the request, as expressions see it; None for what is in none."""
    row = attributes.request.row
    if not row.namespaced or not attributes.namespace:
        return None
    entry = attributes.request.cache.get("namespaces", "", attributes.namespace)
    if entry is None:
        return None
    found = entry.document()
    meta = objects.meta(found)
    return {
        "metadata": {key: meta[key] for key in _NAMESPACE_META if key in meta},
        "spec": found.get("spec") or {},
        "status": found.get("status") or {},
    }


def _authorization(request: Request, attributes: Attributes) -> dict[str, Any]:
    from cluster.api.cel import authorization

    def ask(question: "authorization.Question") -> "authorization.Decision":
        authz = request.call.authz
        if authz is None:
            return authorization.Decision(False, "", "no authorizer")
        decision = authz.authorizer.authorize(_asked(request.call.user, question))
        return authorization.Decision(decision.allowed, decision.reason)

    row = request.row
    question = authorization.Question(
        group=row.group,
        resource=row.plural,
        subresource=request.subresource,
        namespace=attributes.namespace,
        name=attributes.name,
    )
    return {
        "authorizer": authorization.Authorizer(ask),
        "authorizer.requestResource": authorization.ResourceCheck(ask, question),
    }


def _asked(user: identity.User, question: "authorization.Question") -> Asked:
    if question.service_account is not None:
        space, name = question.service_account
        groups = identity.service_account_groups(space)
        user = identity.authenticated(identity.User(identity.service_account(space, name), groups))
    if question.path:
        return Asked(user, question.verb, path=question.path)
    return Asked(
        user, question.verb, question.group, "*", question.resource, question.subresource,
        question.namespace, question.name, "", question.field_selector,
    )  # fmt: skip
