"""Access reviews: what a user may do, asked of the authorizer (`kubectl auth can-i`).

Validation and answers: k8s.io/kubernetes pkg/apis/authorization/validation and
pkg/registry/authorization.
"""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import causes, errors, identity
from cluster.api.objects import Object
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.attributes import Attributes, Authorizer
from cluster.apiserver.plan import Call
from cluster.apiserver.virtual.table import Handler

_GROUP: Final = "authorization.k8s.io"
_OPERATORS: Final = {"In": "=", "NotIn": "!="}


def handlers(authorizer: Authorizer) -> dict[str, Handler]:
    """The handlers of the group, by resource id."""
    reviews = _Reviews(authorizer)
    return {
        f"subjectaccessreviews.{_GROUP}": reviews.subject,
        f"localsubjectaccessreviews.{_GROUP}": reviews.local,
        f"selfsubjectaccessreviews.{_GROUP}": reviews.own,
        f"selfsubjectrulesreviews.{_GROUP}": reviews.own_rules,
    }


class _Reviews:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def subject(self, call: Call, review: Object) -> Object:
        """SubjectAccessReview."""
        spec = review.get("spec") or {}
        _refuse(call, _metadata(review, "must be empty") + _check(spec) + _check_user(spec))
        return self._answered(review, _user(spec))

    def local(self, call: Call, review: Object) -> Object:
        """LocalSubjectAccessReview: about its own namespace alone."""
        spec = review.get("spec") or {}
        found = _check(spec) + _check_user(spec)
        found += _metadata(review, "must be empty except for namespace")
        wanted = spec.get("resourceAttributes")
        if wanted is not None and wanted.get("namespace", "") != call.namespace:
            at, given = "spec.resourceAttributes.namespace", wanted.get("namespace", "")
            found.append(causes.invalid(at, given, "must match metadata.namespace"))
        if spec.get("nonResourceAttributes") is not None:
            detail = "disallowed on this kind of request"
            given = spec["nonResourceAttributes"]
            found.append(causes.invalid("spec.nonResourceAttributes", given, detail))
        _refuse(call, found)
        return self._answered(review, _user(spec))

    def own(self, call: Call, review: Object) -> Object:
        """SelfSubjectAccessReview."""
        spec = review.get("spec") or {}
        _refuse(call, _metadata(review, "must be empty") + _check(spec))
        return self._answered(review, call.user)

    def own_rules(self, call: Call, review: Object) -> Object:
        """SelfSubjectRulesReview: everything that rules say about the user in a namespace."""
        namespace = (review.get("spec") or {}).get("namespace") or ""
        if not namespace:
            raise errors.BadRequest("no namespace on request")
        found = self._authorizer.rules_for(call.user, namespace)
        documents = [rules.document(rule) for rule in found.rules]
        status: dict[str, Any] = {
            "resourceRules": [each for each in documents if "nonResourceURLs" not in each],
            "nonResourceRules": [each for each in documents if "nonResourceURLs" in each],
            "incomplete": found.incomplete,
        }
        if found.problems:
            status["evaluationError"] = ", ".join(found.problems)
        return review | {"status": status}

    def _answered(self, review: Object, user: identity.User) -> Object:
        decision = self._authorizer.authorize(_attributes(review["spec"], user))
        status: dict[str, Any] = {"allowed": decision.allowed}
        if decision.denied:
            status["denied"] = True
        if decision.reason:
            status["reason"] = decision.reason
        return review | {"status": status}


def _attributes(spec: Object, user: identity.User) -> Attributes:
    wanted = spec.get("resourceAttributes")
    if wanted is None:
        about = spec["nonResourceAttributes"]
        return Attributes(user, about.get("verb", ""), path=about.get("path", "") or "/")
    return Attributes(
        user,
        wanted.get("verb", ""),
        wanted.get("group", ""),
        wanted.get("version", ""),
        wanted.get("resource", ""),
        wanted.get("subresource", ""),
        wanted.get("namespace", ""),
        wanted.get("name", ""),
        "",
        _fields(wanted.get("fieldSelector") or {}),
    )


def _fields(selector: Mapping[str, Any]) -> str:
    """The field selector of resourceAttributes as text; what is no equality says nothing."""
    if selector.get("rawSelector"):
        return str(selector["rawSelector"])
    terms: list[str] = []
    for requirement in selector.get("requirements") or ():
        listed = requirement.get("values") or []
        operator = _OPERATORS.get(requirement.get("operator", ""))
        if operator is not None and len(listed) == 1:
            terms.append(f"{requirement.get('key', '')}{operator}{listed[0]}")
    return ",".join(terms)


def _user(spec: Object) -> identity.User:
    extra = tuple(
        (key.lower(), tuple(values or ()))
        for key, values in sorted((spec.get("extra") or {}).items())
    )
    return identity.User(
        spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra
    )


def _check(spec: Object) -> list[errors.Cause]:
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and other is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        return [causes.invalid("spec.nonResourceAttributes", other, detail)]
    if resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [causes.invalid("spec.resourceAttributes", None, detail)]
    return []


def _check_user(spec: Object) -> list[errors.Cause]:
    if spec.get("user") or spec.get("groups"):
        return []
    detail = "at least one of user or group must be specified"
    return [causes.invalid("spec.user", "", detail)]


def _metadata(review: Object, detail: str) -> list[errors.Cause]:
    """A review has no metadata but, a local one, its namespace."""
    kept = ("namespace", "managedFields", "creationTimestamp")
    said = {key: value for key, value in review["metadata"].items() if key not in kept and value}
    return [causes.invalid("metadata", said, detail)] if said else []


def _refuse(call: Call, found: list[errors.Cause]) -> None:
    if found:
        raise errors.invalid(call.row.kind, call.row.group, "", found)
