"""The Node authorizer: what a kubelet may see is what the pods bound to its node refer to.

Semantics and texts: k8s.io/kubernetes plugin/pkg/auth/authorizer/node. Nothing is kept up while
pods are written: the references of a node's pods are read when its kubelet asks (`noderefs`).
"""

from collections.abc import Callable
from typing import Final

from cluster.api import identity, imagescripts, loads
from cluster.apiserver.authz.attributes import (
    ALLOWED,
    NO_OPINION,
    Attributes,
    Decision,
    UserRules,
)
from cluster.apiserver.authz.noderefs import NodeReferences
from cluster.apiserver.authz.policy import notation, roles
from cluster.apiserver.authz.rules import Rule

USER_PREFIX: Final = "system:node:"
GROUP: Final = "system:nodes"
LEASES: Final = "kube-node-lease"
SELECTORS_SINCE: Final = 32
"""The minor version from which nodes see their own Node and pods alone
(AuthorizeNodeWithSelectors)."""

_READ = ("get", "list", "watch")
_OWN = ("get", "create", "update", "patch", "delete")
_Rule = Callable[[str, Attributes], Decision | None]
"""A decision, or None: let the rules for all nodes decide."""


def node_of(user: identity.User) -> str:
    """The node that a user is, "" for others."""
    if user.name.startswith(USER_PREFIX) and GROUP in user.groups:
        return user.name[len(USER_PREFIX) :]
    return ""


class Node:
    """Decides about nodes; has no opinion of anybody else. `minor` is the version emulated."""

    def __init__(self, references: NodeReferences, minor: int = 1 << 20) -> None:
        self._references = references
        self._rules: tuple[Rule, ...] = notation.rules(roles.NODE)
        self._known: dict[tuple[str, str, str, str], bool] = {}
        self._special: dict[tuple[str, str], _Rule] = {
            ("", "secrets"): self._read,
            ("", "configmaps"): self._read,
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._volume,
            ("storage.k8s.io", "volumeattachments"): self._get,
            ("resource.k8s.io", "resourceclaims"): self._get,
            ("", "serviceaccounts"): self._service_account,
            ("coordination.k8s.io", "leases"): _lease,
            ("storage.k8s.io", "csinodes"): _csi_node,
        }
        for plural in loads.PLURALS:
            group = "" if plural == "replicationcontrollers" else "apps"
            self._special[group, plural] = self._workload
        if minor >= SELECTORS_SINCE:
            self._special["", "nodes"] = _node
            self._special["", "pods"] = self._pod
            self._special["resource.k8s.io", "resourceslices"] = self._slice

    def authorize(self, asked: Attributes) -> Decision:
        """See `attributes.Authorizer.authorize`."""
        name = asked.user.name
        if not name.startswith(USER_PREFIX) or GROUP not in asked.user.groups:
            return NO_OPINION
        node = name[len(USER_PREFIX) :]
        if not node:
            return _no(f'unknown node for user "{name}"')
        if not asked.path:
            special = self._special.get((asked.group, asked.resource))
            decision = special(node, asked) if special is not None else None
            if decision is not None:
                return decision
        return ALLOWED if self._by_rules(asked) else NO_OPINION

    def rules_for(self, user: identity.User, namespace: str) -> UserRules:
        """The rules for all nodes: which objects are a node's own, no rule can tell."""
        return UserRules(self._rules, incomplete=True) if node_of(user) else UserRules()

    def _by_rules(self, asked: Attributes) -> bool:
        verb, group, resource, sub = asked.verb, asked.group, asked.resource, asked.subresource
        if asked.path:
            return any(rule.allows_path(verb, asked.path) for rule in self._rules)
        key = (verb, group, resource, sub)
        allowed = self._known.get(key)
        if allowed is None:
            allowed = any(rule.allows(verb, group, resource, sub) for rule in self._rules)
            if allowed:  # what nodes may do is little; what they may not is anything
                self._known[key] = allowed
        return allowed

    def _read(self, node: str, asked: Attributes) -> Decision:
        """Single objects that pods of the node refer to: get, list and watch."""
        if asked.verb not in _READ:
            return _no("can only read resources of this type")
        if asked.subresource:
            return _no("cannot read subresource")
        if not asked.namespace:
            return _no("can only read namespaced object of this type")
        scripts = (imagescripts.NAMESPACE, imagescripts.CONFIG_MAP)
        if asked.resource == "configmaps" and (asked.namespace, asked.name) == scripts:
            return ALLOWED  # kubemu's own: what images do is no secret of anybody's
        return self._related(node, asked)

    def _get(self, node: str, asked: Attributes) -> Decision:
        if asked.verb != "get":
            return _no("can only get individual resources of this type")
        if asked.subresource:
            return _no("cannot get subresource")
        return self._related(node, asked)

    def _volume(self, node: str, asked: Attributes) -> Decision:
        """Beyond what Kubernetes allows, kubemu's own: a node may follow the volumes whose data it
        holds until it knows that they are gone.
        """
        if asked.verb in _READ and asked.name and not asked.subresource:
            gone = asked.verb == "get" and self._references.gone(asked.name)
            if gone or self._references.holds(node, asked.name):
                return ALLOWED
        return self._get(node, asked)

    def _claim(self, node: str, asked: Attributes) -> Decision:
        if asked.subresource != "status":
            return self._get(node, asked)
        if asked.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related(node, asked)

    def _service_account(self, node: str, asked: Attributes) -> Decision:
        if asked.verb == "get" and not asked.subresource:
            return self._related(node, asked)
        if asked.verb != "create" or not asked.name:
            return _no("can only create tokens for individual service accounts")
        if asked.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related(node, asked)

    def _workload(self, node: str, asked: Attributes) -> Decision | None:
        """A workload whose load pods of the node share (kubemu's own, see `api.loads`); otherwise
        workloads are no business of nodes.
        """
        if asked.verb != "get" or asked.subresource or not asked.name:
            return None
        shared = self._references.related(node, asked.resource, asked.namespace, asked.name)
        return ALLOWED if shared else None

    def _pod(self, node: str, asked: Attributes) -> Decision | None:
        if asked.verb == "get" and not asked.subresource:
            return self._related(node, asked)
        if asked.verb in ("list", "watch"):
            if _selects(asked.fields, "spec.nodeName", node):
                return ALLOWED
            return _no("can only list/watch pods with spec.nodeName field selector")
        return None

    def _slice(self, node: str, asked: Attributes) -> Decision:
        if asked.verb == "create":
            return ALLOWED  # of which node it is, NodeRestriction looks at
        if asked.verb in ("list", "watch", "deletecollection"):
            if _selects(asked.fields, "spec.nodeName", node):
                return ALLOWED
            why = "can only list/watch/deletecollection resourceslices with nodeName field selector"
            return _no(why)
        if asked.verb in ("get", "update", "patch", "delete") and not asked.subresource:
            return self._related(node, asked)
        why = "can only get, create, update, patch, or delete a ResourceSlice"
        return _no(why)

    def _related(self, node: str, asked: Attributes) -> Decision:
        if not asked.name:
            return _no("No Object name found")
        if self._references.related(node, asked.resource, asked.namespace, asked.name):
            return ALLOWED
        return _no(f"no relationship found between node '{node}' and this object")


def _no(reason: str) -> Decision:
    return Decision(False, False, reason)


def _lease(node: str, asked: Attributes) -> Decision:
    if asked.verb not in _OWN:
        return _no("can only get, create, update, patch, or delete a node lease")
    if asked.namespace != LEASES:
        return _no(f'can only access leases in the "{LEASES}" system namespace')
    if asked.verb != "create" and asked.name != node:
        return _no("can only access node lease with the same name as the requesting node")
    return ALLOWED


def _csi_node(node: str, asked: Attributes) -> Decision:
    if asked.verb not in _OWN:
        return _no("can only get, create, update, patch, or delete a CSINode")
    if asked.subresource:
        return _no("cannot authorize CSINode subresources")
    if asked.verb != "create" and asked.name != node:
        return _no("can only access CSINode with the same name as the requesting node")
    return ALLOWED


def _node(node: str, asked: Attributes) -> Decision | None:
    """Its own Node is what a node may read; what it may write, NodeRestriction sees to."""
    if asked.subresource:
        return None
    if asked.verb == "get" and asked.name != node:
        return _no(f"node '{node}' cannot read '{asked.name}', only its own Node object")
    if asked.verb in ("list", "watch"):
        if asked.name == node or _selects(asked.fields, "metadata.name", node):
            return ALLOWED
        return _no(f"node '{node}' cannot read all nodes, only its own Node object")
    return None


def _selects(fields: str, label: str, value: str) -> bool:
    """Whether a field selector demands `label=value`."""
    wanted = (f"{label}={value}", f"{label}=={value}")
    return any(term.strip() in wanted for term in fields.split(","))
