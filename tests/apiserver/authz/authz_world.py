"""Roles and bindings in a few words, and questions about them."""

from typing import Any

from cluster.api import identity
from cluster.apiserver.authz.attributes import Attributes
from cluster.apiserver.authz.policy import notation
from cluster.apiserver.authz.rbac import Rbac
from cluster.apiserver.authz.rules import document

JANE = identity.User("jane", ("dev", "system:authenticated"))
ROBOT = identity.User(
    identity.service_account("ci", "robot"), identity.service_account_groups("ci")
)


def role(rbac: Rbac, namespace: str, name: str, text: str) -> None:
    granted = [document(rule) for rule in notation.rules(text)] if text else []
    rbac.put_role(namespace, name, {"rules": granted})


def bind(rbac: Rbac, namespace: str, name: str, reference: str, *subjects: str) -> None:
    """`reference` is `Kind/name`, a subject `User x`, `Group x` or `ServiceAccount ns/x`."""
    kind, _, target = reference.partition("/")
    rbac.put_binding(
        namespace,
        name,
        {"roleRef": {"kind": kind, "name": target}, "subjects": [_subject(s) for s in subjects]},
    )


def _subject(text: str) -> dict[str, Any]:
    kind, _, name = text.partition(" ")
    if kind != "ServiceAccount":
        return {"kind": kind, "name": name}
    namespace, _, account = name.rpartition("/")
    return {"kind": kind, "name": account, **({"namespace": namespace} if namespace else {})}


def asks(user: identity.User, text: str, namespace: str = "", name: str = "") -> Attributes:
    """`VERB GROUP RESOURCE[/SUB]`, or `VERB /path`."""
    verb, *rest = text.split()
    if rest[0].startswith("/"):
        return Attributes(user, verb, path=rest[0])
    resource, _, subresource = rest[1].partition("/")
    group = "" if rest[0] == "core" else rest[0]
    return Attributes(user, verb, group, "v1", resource, subresource, namespace, name)
