"""The claims of a pod, by what the scheduler has to do about them. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.scheduler.framework import points
from cluster.scheduler.framework.status import Status, unresolvable
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.volumes.store import VolumeStore

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


@dataclass(slots=True)
class PodClaims:
    """`bound` have their volumes; `delayed` get one where the pod goes."""

    bound: list[Object] = field(default_factory=list)
    delayed: list[Object] = field(default_factory=list)


_CLAIMS: Final = frozenset(("persistentVolumeClaim", "ephemeral"))


def any_of(pod: PodInfo, kinds: frozenset[str] = _CLAIMS) -> bool:
    """Whether a pod has a volume of these kinds: asked for every pod, so it is cheap."""
    for one in pod.spec.get("volumes") or ():  # noqa: SIM110 - a generator costs more than the test
        if not kinds.isdisjoint(one):
            return True
    return False


def keys(pod: PodInfo) -> list[str]:
    """The keys of the claims that a pod uses."""
    if not any_of(pod):
        return []
    space = objects.namespace(pod.object)
    return [f"{space}/{use.claim}" for use in facts.uses(pod.object)]


def sign(pod: PodInfo, store: VolumeStore) -> Any:
    """What plugins look at: the claims and the state of the storage. A pod whose claims are yet to
    get volumes, or are its own, is like no other.
    """
    found = keys(pod)
    if not found:
        return None
    claims = [store.claim(key) for key in found]
    if not all(claim is not None and facts.fully_bound(claim) for claim in claims):
        return points.UNIQUE
    if any(use.ephemeral for use in facts.uses(pod.object)):
        return points.UNIQUE
    return [*found, store.generation]


def of(pod: PodInfo, store: VolumeStore) -> PodClaims | Status:
    """The claims of a pod, or why it has to wait for them wherever it might go."""
    found: list[Object] = []
    for use in facts.uses(pod.object):
        claim = _found(pod, use, store)
        if isinstance(claim, Status):
            return claim
        found.append(claim)
    sorted_out = PodClaims()
    for claim in found:
        if facts.fully_bound(claim):
            sorted_out.bound.append(claim)
        elif objects.spec(claim).get("volumeName") or not store.waits_for_consumer(claim):
            return unresolvable(UNBOUND)
        else:
            sorted_out.delayed.append(claim)
    return sorted_out


def _found(pod: PodInfo, use: facts.Use, store: VolumeStore) -> Object | Status:
    name = use.claim
    claim = store.claim(f"{objects.namespace(pod.object)}/{name}")
    if claim is None and use.ephemeral:
        text = (
            f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        )
        return unresolvable(text)
    if claim is None:
        return unresolvable(f'persistentvolumeclaim "{name}" not found')
    if objects.status(claim).get("phase") == "Lost":
        volume = objects.spec(claim).get("volumeName") or ""
        lost = f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
        return unresolvable(lost)
    if objects.deleting(claim):
        return unresolvable(f'persistentvolumeclaim "{name}" is being deleted')
    if use.ephemeral and not facts.made_for(claim, pod.object):
        whose = f"PVC {objects.key(claim)} was not created for pod {pod.key} (pod is not owner)"
        return unresolvable(whose)
    return claim
