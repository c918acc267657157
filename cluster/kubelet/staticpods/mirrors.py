"""Which mirror pods are to be made and deleted. Pure. Source: syncPod of pkg/kubelet."""

from dataclasses import dataclass

from cluster.api import mirrorpods, objects
from cluster.api.objects import Object


@dataclass(frozen=True, slots=True)
class Create:
    """Make this mirror."""

    pod: Object


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a mirror, if it still is the one with this uid."""

    namespace: str
    name: str
    uid: str


def decide(
    static: Object | None, mirror: Object | None, node: Object | None
) -> Create | Delete | None:
    """What to do about one name: `static` is the pod that runs under it, `mirror` what the API
    shows, `node` the node as the API has it (None: not known yet).
    """
    if mirror is not None:
        if static is None or objects.deleting(mirror) or not is_mirror_of(mirror, static):
            meta = objects.meta(mirror)
            return Delete(meta.get("namespace", ""), meta["name"], objects.uid(mirror))
        return None
    if static is None or node is None or objects.deleting(node):
        return None
    return Create(of(static, node))


def is_mirror_of(mirror: Object, static: Object) -> bool:
    """Whether a mirror shows this very static pod."""
    return objects.annotations(mirror).get(mirrorpods.MIRROR) == objects.uid(static)


def of(static: Object, node: Object) -> Object:
    """The mirror of a static pod on a node: it has an uid of its own, and belongs to the Node."""
    meta = {key: value for key, value in objects.meta(static).items() if key != "uid"}
    meta["annotations"] = {
        **objects.annotations(static), mirrorpods.MIRROR: objects.uid(static),
    }  # fmt: skip
    meta["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "name": objects.name(node),
            "uid": objects.uid(node),
            "controller": True,
        }
    ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": objects.spec(static)}
