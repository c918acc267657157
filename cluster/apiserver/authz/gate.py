"""Asking before acting: the question of an operation or a request, and the error of a refusal."""

from collections.abc import Sequence
from typing import Final

from cluster.api import errors, identity
from cluster.api.operations import VERB_NAMES, Operation, Verb
from cluster.api.resources import Resource, Table
from cluster.apiserver.authz.attributes import Attributes, Authorizer
from cluster.apiserver.authz.modes import Built

_METHODS: Final = {
    "GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch",
    "DELETE": "delete",
}  # fmt: skip
STREAMS_CREATED_SINCE: Final = 35
_NAMESPACE_PARTS: Final = ("status", "finalize")


def check(authorizer: Authorizer, asked: Attributes) -> None:
    """errors.Forbidden where it may not be done."""
    decision = authorizer.authorize(asked)
    if not decision.allowed:
        raise forbidden(asked, decision.reason)


def check_creation(
    authz: Built | None, user: identity.User, operation: Operation, row: Resource
) -> None:
    """errors.Forbidden where an update or a patch would make an object that its author may not
    create.
    """
    if authz is not None:
        asked = of_operation(user, operation, row)
        check(authz.authorizer, asked._replace(verb="create"))


def check_stream(authz: Built, asked: Attributes) -> None:
    """errors.Forbidden for who opens a stream into a pod by GET, as WebSocket does, and may not
    create it: what SPDY asks by POST. Kubernetes has been asking so for every client since 1.35
    (AuthorizePodWebsocketUpgradeCreatePermission).
    """
    if asked.verb != "create" and authz.minor >= STREAMS_CREATED_SINCE:
        check(authz.authorizer, asked._replace(verb="create"))


def forbidden(asked: Attributes, reason: str = "") -> errors.Forbidden:
    """`pods is forbidden: User "jane" cannot list resource "pods" in API group "" …`."""
    why = _described(asked)
    if reason:
        why = f"{why}: {reason}"
    if asked.path:
        return errors.Forbidden(f"forbidden: {why}", details={})
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    shown = f'{qualified} "{asked.name}"' if asked.name else qualified
    named = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    details = {key: value for key, value in named.items() if value}
    return errors.Forbidden(f"{shown} is forbidden: {why}", details=details)


def of_operation(user: identity.User, operation: Operation, row: Resource) -> Attributes:
    """The question of a write, as a REST request for it would ask."""
    creates = operation.verb is Verb.CREATE and not operation.subresource
    name = "" if creates else operation.name
    namespace = operation.namespace if row.namespaced else _own_namespace(row, name)
    return Attributes(
        user, VERB_NAMES.get(operation.verb, ""), row.group, row.version, row.plural,
        operation.subresource, namespace, name,
    )  # fmt: skip


def of_read(
    user: identity.User, verb: str, row: Resource, place: tuple[str, str], fields: str = ""
) -> Attributes:
    """The question of a get, list or watch at a `place`: namespace and name."""
    namespace, name = place
    if not row.namespaced:
        namespace = _own_namespace(row, name)
    if fields and not name:
        name = named_by(fields)
    return Attributes(
        user, verb, row.group, row.version, row.plural, "", namespace, name, "", fields
    )


def named_by(fields: str) -> str:
    """The one name that a field selector demands, "" where it demands none."""
    for term in fields.split(","):
        label, _, value = term.partition("=")
        if label.strip() == "metadata.name":
            return value.lstrip("=").strip()
    return ""


def of_path(user: identity.User, method: str, path: str) -> Attributes:
    """The question of a request for something that this server has no row for.

    A path that looks like a resource's is asked about as one, as in Kubernetes, where nobody learns
    what is served before it is known that he may.
    """
    parts = [part for part in path.split("/") if part]
    group, version, rest = "", "", []
    if len(parts) > 2 and parts[0] == "api":
        version, rest = parts[1], parts[2:]
    elif len(parts) > 3 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    if not rest:
        return Attributes(user, method.lower(), path=path)
    verb = _METHODS.get(method, method.lower())
    if rest[0] == "watch" and len(rest) > 1:
        verb, rest = "watch", rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_PARTS:
            rest = rest[2:]
    resource, name, subresource = (*rest[:3], "", "")[:3]
    if not name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    return Attributes(user, verb, group, version, resource, subresource, namespace, name)


def refusals(
    authorizer: Authorizer, user: identity.User, batch: Sequence[Operation], table: Table
) -> dict[int, errors.StatusError]:
    """What of a batch may not be done, by its index. What is of no known resource is left to the
    registry, which knows what to say.
    """
    found: dict[int, errors.StatusError] = {}
    for index, operation in enumerate(batch):
        row = table.get(operation.resource, operation.version)
        if row is None:
            continue
        asked = of_operation(user, operation, row)
        decision = authorizer.authorize(asked)
        if not decision.allowed:
            found[index] = forbidden(asked, decision.reason)
    return found


def _own_namespace(row: Resource, name: str) -> str:
    """A Namespace lies in itself, for authorization."""
    return name if row.plural == "namespaces" and not row.group else ""


def _described(asked: Attributes) -> str:
    user = asked.user.name
    for letter, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        user = user.replace(letter, escape)
    if asked.path:
        return f'User "{user}" cannot {asked.verb} path "{asked.path}"'
    resource = asked.resource
    if asked.subresource:
        resource = f"{resource}/{asked.subresource}"
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return (
        f'User "{user}" cannot {asked.verb} resource "{resource}" in API group '
        f'"{asked.group}" {place}'
    )
