"""NodeRestriction: a kubelet writes to its own node and its own pods only.

Concerns users of the group system:nodes. A hollow kubelet process speaks for many nodes under an
identity of its own, `kubemu:hollow-node:NAME`, which is no node's: it is not restricted here.
Source: k8s.io/kubernetes plugin/pkg/admission/noderestriction.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from cluster.api import errors, mirrorpods, objects
from cluster.api.objects import Object
from cluster.apiserver.admission.plugin import Act, Plugin, Request

GROUP: Final = "system:nodes"
PREFIX: Final = "system:node:"
MIRROR: Final = mirrorpods.MIRROR
LEASES: Final = "kube-node-lease"
_RESTRICTED: Final = "node-restriction.kubernetes.io"
_OWN_LABELS: Final = frozenset((
    "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch",
    "node.kubernetes.io/instance-type", "node.kubernetes.io/windows-build",
    "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type",
))  # fmt: skip
_OWN_LABEL_SPACES: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")
_CLAIM_STATUS: Final = (
    "capacity", "conditions", "allocatedResourceStatuses", "allocatedResources",
)  # fmt: skip


class NodeRestriction(Plugin):
    """Refuses what a kubelet has no business with."""

    name: ClassVar[str] = "NodeRestriction"
    resources: ClassVar[tuple[str, ...]] = (
        "pods", "nodes", "persistentvolumeclaims", "serviceaccounts",
        "leases.coordination.k8s.io", "csinodes.storage.k8s.io",
    )  # fmt: skip

    def heeds_renewals(self) -> bool:
        """Of a lease, it looks at the name."""
        return False

    def mutate(self, request: Request) -> None:
        """errors.Forbidden, errors.NotFound."""
        user = request.call.user
        if GROUP not in user.groups or request.act is Act.CONNECT:
            return
        if not user.name.startswith(PREFIX):
            raise request.forbidden(f'could not determine node from user "{user.name}"')
        _CHECKS[request.row.id](request, user.name.removeprefix(PREFIX))


def _pods(request: Request, node: str) -> None:
    if request.subresource == "status":
        _pod_status(request, node)
    elif request.subresource == "eviction":
        _own_pod(request, request.call.operation.name, f"node {node} can only evict pods", node)
    elif request.subresource:
        raise request.forbidden(
            f"unexpected pod subresource \"{request.subresource}\", only 'status' and 'eviction' "
            "are allowed"
        )
    elif request.act is Act.CREATE:
        _mirror(request, node)
    elif request.act is Act.DELETE:
        if objects.spec(request.object).get("nodeName") != node:
            raise request.forbidden(
                f'node "{node}" can only delete pods with spec.nodeName set to itself'
            )
    else:
        raise request.forbidden(
            f'unexpected operation "{request.act.value}", node "{node}" can only create and delete '
            "mirror pods"
        )


def _pod_status(request: Request, node: str) -> None:
    old = request.old or {}
    if objects.spec(old).get("nodeName") != node:
        raise request.forbidden(
            f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
        )
    if objects.labels(request.object) != objects.labels(old):
        raise request.forbidden(f'node "{node}" cannot update labels through pod status')
    now, before = (
        objects.status(each).get("resourceClaimStatuses") for each in (request.object, old)
    )
    if (now or []) != (before or []):
        raise request.forbidden(f'node "{node}" cannot update resource claim statues')


def _own_pod(request: Request, name: str, who: str, node: str) -> None:
    found = request.cache.get("pods", request.call.namespace, name)
    if found is None:
        raise errors.not_found("pods", name)
    if objects.spec(found.document()).get("nodeName") != node:
        raise request.forbidden(f"{who} with spec.nodeName set to itself")


def _mirror(request: Request, node: str) -> None:
    pod = request.object
    if MIRROR not in objects.annotations(pod):
        raise request.forbidden(
            f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
        )
    spec = objects.spec(pod)
    if spec.get("nodeName") != node:
        raise request.forbidden(
            f'node "{node}" can only create pods with spec.nodeName set to itself'
        )
    _owner(request, node)
    what = mirrorpods.referred(spec)
    if what:
        raise request.forbidden(f'node "{node}" can not create pods that reference {what}')


def _owner(request: Request, node: str) -> None:
    owners = objects.meta(request.object).get("ownerReferences") or []
    can = f'node "{node}" can only create pods with'
    if len(owners) > 1:
        raise request.forbidden(f"{can} a single owner reference set to itself")
    owner = owners[0] if owners else {}
    if [owner.get(field) for field in ("apiVersion", "kind", "name")] != ["v1", "Node", node]:
        raise request.forbidden(f"{can} an owner reference set to itself")
    if not owner.get("controller"):
        raise request.forbidden(f"{can} a controller owner reference set to itself")
    if owner.get("blockOwnerDeletion"):
        raise request.forbidden(
            f'node "{node}" must not set blockOwnerDeletion on an owner reference'
        )
    found = request.cache.get("nodes", "", node)
    if found is None:
        raise errors.not_found("nodes", node)
    uid = objects.uid(found.document())
    if owner.get("uid") != uid:
        raise request.forbidden(f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}")


def _nodes(request: Request, node: str) -> None:
    name = request.call.operation.name or objects.name(request.object)
    if name != node:
        raise request.forbidden(f'node "{node}" is not allowed to modify node "{name}"')
    if request.act is Act.CREATE:
        wrong = _forbidden_labels(objects.labels(request.object), {})
        if wrong:
            raise request.forbidden(
                f'node "{node}" is not allowed to set the following labels: {wrong}'
            )
    elif request.act is Act.UPDATE:
        old = request.old or {}
        now, before = (objects.spec(each).get("taints") or [] for each in (request.object, old))
        if now != before:
            raise request.forbidden(f'node "{node}" is not allowed to modify taints')
        wrong = _forbidden_labels(objects.labels(request.object), objects.labels(old))
        if wrong:
            raise request.forbidden(f"is not allowed to modify labels: {wrong}")


def _forbidden_labels(now: Mapping[str, str], before: Mapping[str, str]) -> str:
    changed = sorted(key for key in {**before, **now} if now.get(key) != before.get(key))
    return ", ".join(key for key in changed if _is_forbidden(key))


def _is_forbidden(label: str) -> bool:
    space, slash, _ = label.partition("/")
    if not slash:
        return False
    if _within(space, _RESTRICTED):
        return True
    if not (_within(space, "kubernetes.io") or _within(space, "k8s.io")):
        return False
    own = any(_within(space, each) for each in _OWN_LABEL_SPACES)
    return label not in _OWN_LABELS and not own


def _within(space: str, domain: str) -> bool:
    return space == domain or space.endswith(f".{domain}")


def _claims(request: Request, node: str) -> None:
    if request.subresource != "status":
        raise request.forbidden("may only update PVC status")
    if _besides_status(request.object) != _besides_status(request.old or {}):
        raise request.forbidden(
            f'node "{node}" is not allowed to update fields other than status.capacity and '
            "status.conditions"
        )


def _besides_status(claim: Object) -> Object:
    kept = dict(claim)
    kept["metadata"] = {
        key: value
        for key, value in objects.meta(claim).items()
        if key not in ("resourceVersion", "managedFields")
    }
    kept["status"] = {
        key: value for key, value in objects.status(claim).items() if key not in _CLAIM_STATUS
    }
    return kept


def _accounts(request: Request, node: str) -> None:
    if request.act is not Act.CREATE or request.subresource != "token":
        return
    bound: Any = objects.spec(request.object).get("boundObjectRef") or {}
    if bound.get("apiVersion") != "v1" or bound.get("kind") != "Pod" or not bound.get("name"):
        raise request.forbidden("node requested token not bound to a pod")
    if not bound.get("uid"):
        raise request.forbidden("node requested token with a pod binding without a uid")
    found = request.cache.get("pods", request.call.namespace, bound["name"])
    if found is None:
        raise errors.not_found("pods", bound["name"])
    pod = found.document()
    if objects.uid(pod) != bound["uid"]:
        raise request.forbidden(
            f"the UID in the bound object reference ({bound['uid']}) does not match the UID in "
            "record. The object might have been deleted and then recreated"
        )
    if objects.spec(pod).get("nodeName") != node:
        raise request.forbidden("node requested token bound to a pod scheduled on a different node")


def _leases(request: Request, node: str) -> None:
    if request.call.namespace != LEASES:
        raise request.forbidden(f'can only access leases in the "{LEASES}" system namespace')
    if (request.call.operation.name or objects.name(request.object)) != node:
        raise request.forbidden(
            "can only access node lease with the same name as the requesting node"
        )


def _csi_nodes(request: Request, node: str) -> None:
    if (request.call.operation.name or objects.name(request.object)) != node:
        raise request.forbidden("can only access CSINode with the same name as the requesting node")


_CHECKS: Final[Mapping[str, Callable[[Request, str], None]]] = {
    "pods": _pods,
    "nodes": _nodes,
    "persistentvolumeclaims": _claims,
    "serviceaccounts": _accounts,
    "leases.coordination.k8s.io": _leases,
    "csinodes.storage.k8s.io": _csi_nodes,
}
