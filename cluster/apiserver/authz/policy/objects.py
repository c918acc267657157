"""The bootstrap policy as API objects."""

from collections.abc import Iterator, Sequence
from typing import Any

from cluster.api.objects import Object
from cluster.apiserver.authz import rules
from cluster.apiserver.authz.policy import components, controllers, notation, roles

_GROUP = "rbac.authorization.k8s.io"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}


def wanted() -> Iterator[Object]:
    """Every object, roles before the bindings that name them. New ones at each call."""
    for name, text in roles.ROLES.items():
        yield _cluster_role(name, notation.rules(text), roles.GATHERED.get(name, ""))
    for name, gatherer in roles.AGGREGATED.items():
        yield _aggregated(name, gatherer)
    for name, text in controllers.CONTROLLERS.items():
        yield _cluster_role(controllers.PREFIX + name, notation.rules(text))
    for name in components.BINDINGS:
        yield _cluster_role(name, components.rules(name))
    for (namespace, name), text in roles.NAMESPACED.items():
        yield _role(namespace, name, notation.rules(text))
    for name, subjects in (roles.BINDINGS | components.BINDINGS).items():
        yield _binding("", name, "ClusterRole", name, subjects)
    for name in controllers.CONTROLLERS:
        full = controllers.PREFIX + name
        account = f"ServiceAccount kube-system/{name}"
        yield _binding("", full, "ClusterRole", full, (account,))
    for (namespace, name), (role, subjects) in roles.NAMESPACED_BINDINGS.items():
        yield _binding(namespace, name, "Role", role, subjects)


def _cluster_role(name: str, granted: Sequence[rules.Rule], gatherer: str = "") -> Object:
    return _object("ClusterRole", "", name, gatherer) | {"rules": _documents(granted)}


def _role(namespace: str, name: str, granted: Sequence[rules.Rule]) -> Object:
    return _object("Role", namespace, name) | {"rules": _documents(granted)}


def _aggregated(name: str, gatherer: str) -> Object:
    """A role whose rules the clusterrole-aggregation controller gathers. It starts with what there
    is to gather, so that it means something before the controller has looked.
    """
    selector = {"matchLabels": {_gathered_into(name): "true"}}
    rule = {"aggregationRule": {"clusterRoleSelectors": [selector]}}
    granted = {"rules": _documents(_gathered(name))}
    return _object("ClusterRole", "", name, gatherer) | rule | granted


def _gathered(name: str) -> tuple[rules.Rule, ...]:
    """The rules of the roles that it gathers, in the order of their names."""
    own = [role for role, into in roles.GATHERED.items() if into == name]
    found = {role: notation.rules(roles.ROLES[role]) for role in own}
    found |= {role: _gathered(role) for role, into in roles.AGGREGATED.items() if into == name}
    return tuple(dict.fromkeys(rule for role in sorted(found) for rule in found[role]))


def _binding(namespace: str, name: str, kind: str, role: str, subjects: Sequence[str]) -> Object:
    obj = _object("RoleBinding" if namespace else "ClusterRoleBinding", namespace, name)
    obj["roleRef"] = {"apiGroup": _GROUP, "kind": kind, "name": role}
    if subjects:
        obj["subjects"] = [_subject(subject) for subject in subjects]
    return obj


def _subject(text: str) -> dict[str, Any]:
    """`User NAME`, `Group NAME` or `ServiceAccount NAMESPACE/NAME`."""
    kind, _, name = text.partition(" ")
    if kind != "ServiceAccount":
        return {"apiGroup": _GROUP, "kind": kind, "name": name}
    namespace, _, account = name.partition("/")
    return {"kind": kind, "name": account, "namespace": namespace}


def _object(kind: str, namespace: str, name: str, gatherer: str = "") -> Object:
    labels = dict(_LABELS)
    if gatherer:
        labels[_gathered_into(gatherer)] = "true"
    metadata: dict[str, Any] = {"name": name, "labels": labels, "annotations": dict(_ANNOTATIONS)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata}


def _gathered_into(name: str) -> str:
    return f"{_GROUP}/aggregate-to-{name}"


def _documents(granted: Sequence[rules.Rule]) -> list[dict[str, Any]]:
    return [rules.document(rule) for rule in granted]
