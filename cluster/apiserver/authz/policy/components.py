"""What kubemu adds to the roles of Kubernetes, for the components that differ from Kubernetes' own.

- kube-controller-manager's controllers each use a service account of their own. Ours are one
  process with one identity, `system:kube-controller-manager`, which gets what all of those service
  accounts have (`kubemu:controllers`). Where Kubernetes' controllers update an object or its
  status, ours may send a patch instead, and the other way round.
- A hollow kubelet process carries many nodes on one connection, so it is no single node for the
  Node authorizer. It says who it is, a member of `kubemu:hollow-nodes`, and gets by RBAC what the
  Node authorizer gives to nodes, for every node: that is as much as the process is trusted with.
  It is their proxy, too. All may get workloads whose load their pods share (`api.loads`), which
  Kubernetes' nodes may not.
- The agent of the pod network is a part of kube-proxy, which gets what the manifests of flannel and
  Calico give their daemons (`kubemu:overlay`).
"""

from dataclasses import replace
from typing import Final

from cluster.apiserver.authz.policy import controllers, notation, roles
from cluster.apiserver.authz.rules import Rule

CONTROLLERS: Final = "kubemu:controllers"
HOLLOW: Final = "kubemu:hollow-nodes"
OVERLAY: Final = "kubemu:overlay"
HOLLOW_GROUP: Final = "kubemu:hollow-nodes"

BINDINGS: Final = {
    CONTROLLERS: ("User system:kube-controller-manager",),
    HOLLOW: (f"Group {HOLLOW_GROUP}",),
    OVERLAY: ("User system:kube-proxy", f"Group {HOLLOW_GROUP}"),
}

_MORE = """
create coordination.k8s.io leases
create core namespaces
create,patch discovery.k8s.io endpointslices
"""
_LOADS = """
get apps daemonsets,deployments,replicasets,statefulsets
get core replicationcontrollers
"""


_PROXY = """
list,watch core services
list,watch discovery.k8s.io endpointslices
"""
_OVERLAY = """
read core namespaces,nodes,pods
patch core nodes/status
read networking.k8s.io networkpolicies
"""


def rules(name: str) -> tuple[Rule, ...]:
    """The rules of a ClusterRole of BINDINGS."""
    if name == HOLLOW:
        return notation.rules(roles.NODE) + notation.rules(_LOADS) + notation.rules(_PROXY)
    if name == OVERLAY:
        return notation.rules(_OVERLAY)
    found = {
        _either_way(rule): None
        for text in (*controllers.CONTROLLERS.values(), _MORE)
        for rule in notation.rules(text)
    }
    return tuple(found)


def _either_way(rule: Rule) -> Rule:
    verbs = set(rule.verbs)
    if verbs & {"patch", "update"}:
        verbs |= {"patch", "update"}
    return replace(rule, verbs=tuple(sorted(verbs)))
