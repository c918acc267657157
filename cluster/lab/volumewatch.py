"""What must hold of volumes and claims in every cluster: at every moment, and at rest."""

from collections.abc import Iterator

from cluster.api import nodeselectors, objects
from cluster.api.persistentvolumes import facts
from cluster.lab.mirror import Change, Mirror

_CLAIMS = "persistentvolumeclaims"
_VOLUMES = "persistentvolumes"
_POLICY = "persistentVolumeReclaimPolicy"


class VolumeWatch:
    """Follows claims and bindings; what should never have been written goes to `broken`."""

    def __init__(self, mirror: Mirror, broken: list[str]) -> None:
        self._mirror = mirror
        self._broken = broken
        self._claimed: dict[str, str] = {}
        """Uids of claims by the volume that they have."""
        mirror.observe(_CLAIMS, self._claim)
        mirror.observe("pods", self._pod)

    def _claim(self, change: Change) -> None:
        old, new = change.old, change.new
        if new is None:
            volume = objects.spec(old or {}).get("volumeName") or ""
            if old is not None and self._claimed.get(volume) == objects.uid(old):
                del self._claimed[volume]
            return
        if not facts.fully_bound(new):
            return
        volume, uid = objects.spec(new)["volumeName"], objects.uid(new)
        if self._claimed.setdefault(volume, uid) != uid:
            self._say(change, "claim", f"was bound to {volume}, which another claim has")

    def _pod(self, change: Change) -> None:
        old, new = change.old, change.new
        if old is None or new is None or objects.spec(old).get("nodeName"):
            return
        node = self._mirror.get("nodes", objects.spec(new).get("nodeName") or "")
        for use in facts.uses(new) if node is not None else ():
            claim = self._mirror.get(_CLAIMS, use.claim, objects.namespace(new))
            if claim is None or not facts.fully_bound(claim):
                self._say(change, "pod", f"was bound before its claim {use.claim}")
                continue
            volume = self._mirror.get(_VOLUMES, objects.spec(claim)["volumeName"])
            if volume is not None and node is not None and not _usable(volume, node):
                name = objects.name(node)
                self._say(change, "pod", f"is on {name}, where its claim {use.claim} has no volume")

    def _say(self, change: Change, what: str, text: str) -> None:
        self._broken.append(f"revision {change.revision}: {what} {change.key} {text}")


def _usable(volume: objects.Object, node: objects.Object) -> bool:
    required = (objects.spec(volume).get("nodeAffinity") or {}).get("required")
    if required is None:
        return True
    terms = required.get("nodeSelectorTerms") or ()
    return any(nodeselectors.term(each).matches(node) for each in terms)


def at_rest(mirror: Mirror) -> Iterator[str]:
    """Halves of bindings, and volumes that should have gone with their claims."""
    claims = {objects.uid(claim): claim for claim in mirror.list(_CLAIMS)}
    volumes = {objects.name(volume): volume for volume in mirror.list(_VOLUMES)}
    for name, volume in volumes.items():
        uid = (objects.spec(volume).get("claimRef") or {}).get("uid")
        phase = objects.status(volume).get("phase")
        if phase == "Bound" and uid not in claims:
            yield f"volume {name} is Bound to a claim that is gone"
        dynamic = facts.PROVISIONED_BY in objects.annotations(volume)
        if dynamic and uid not in claims and objects.spec(volume).get(_POLICY) == "Delete":
            yield f"volume {name} was made for a claim that is gone"
    for claim in claims.values():
        volume_name = objects.spec(claim).get("volumeName") or ""
        if objects.status(claim).get("phase") == "Bound" and volume_name not in volumes:
            yield f"claim {objects.key(claim)} is Bound to {volume_name}, which is gone"
