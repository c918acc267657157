"""Questions to the authorizer: `authorizer.group("apps").resource("pods").check("get").allowed()`.

The caller binds `authorizer` to an `Authorizer` (and `authorizer.requestResource` to its
`ResourceCheck`), built on a function that answers questions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, type_named
from cluster.api.cel.values import Opaque

CHECK_COST: Final = 350_000
"""What a check costs: two fit into an expression."""


@dataclass(frozen=True)
class Question:
    """What is asked. `path` is of what is no resource; `service_account` is (namespace, name)."""

    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None


@dataclass(frozen=True)
class Decision(Opaque):
    """The answer; `error` says why none could be had."""

    is_allowed: bool
    why: str = ""
    error: str = ""
    kind = "kubernetes.authorization.Decision"


Ask = Callable[[Question], Decision]


@dataclass(frozen=True)
class Authorizer(Opaque):
    """Answers questions about the user of the request, or about a service account."""

    ask: Ask
    question: Question = field(default_factory=Question)
    kind = "kubernetes.authorization.Authorizer"


@dataclass(frozen=True)
class PathCheck(Opaque):
    """A question about a path."""

    ask: Ask
    question: Question
    kind = "kubernetes.authorization.PathCheck"


@dataclass(frozen=True)
class GroupCheck(Opaque):
    """A question about an API group, not yet about a resource of it."""

    ask: Ask
    question: Question
    kind = "kubernetes.authorization.GroupCheck"


@dataclass(frozen=True)
class ResourceCheck(Opaque):
    """A question about a resource."""

    ask: Ask
    question: Question
    kind = "kubernetes.authorization.ResourceCheck"


AUTHORIZER: Final = type_named("authorizer")
RESOURCE_CHECK: Final = type_named("resource_check")


def _narrowed(name: str) -> Callable[[ResourceCheck, str], ResourceCheck]:
    def run(check: ResourceCheck, value: str) -> ResourceCheck:
        changed: dict[str, Any] = {name: value}
        return ResourceCheck(check.ask, replace(check.question, **changed))

    return run


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path:
        raise EvaluationError("path must not be empty")
    return PathCheck(authorizer.ask, replace(authorizer.question, path=path))


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if not namespace or not name:
        raise EvaluationError(f"invalid service account: {namespace}:{name}")
    return Authorizer(authorizer.ask, Question(service_account=(namespace, name)))


def _check(check: PathCheck | ResourceCheck, verb: str) -> Decision:
    return check.ask(replace(check.question, verb=verb))


def _cost(args: Any) -> int:
    return CHECK_COST


def overloads() -> list[Overload]:
    """What the library declares."""
    narrowing = {
        "subresource": "subresource", "namespace": "namespace", "name": "name",
        "fieldSelector": "field_selector", "labelSelector": "label_selector",
    }  # fmt: skip
    return [
        declare("authorizer.path(string) -> path_check", _path),
        declare("authorizer.group(string) -> group_check",
                lambda one, group: GroupCheck(one.ask, replace(one.question, group=group))),
        declare("authorizer.serviceAccount(string, string) -> authorizer", _service_account),
        declare("group_check.resource(string) -> resource_check",
                lambda one, name: ResourceCheck(one.ask, replace(one.question, resource=name))),
        *(
            declare(f"resource_check.{name}(string) -> resource_check", _narrowed(attribute))
            for name, attribute in narrowing.items()
        ),
        declare("path_check.check(string) -> decision", _check, _cost),
        declare("resource_check.check(string) -> decision", _check, _cost),
        declare("decision.allowed() -> bool", lambda found: found.is_allowed),
        declare("decision.reason() -> string", lambda found: found.why),
        declare("decision.errored() -> bool", lambda found: bool(found.error)),
        declare("decision.error() -> string", lambda found: found.error),
    ]  # fmt: skip
