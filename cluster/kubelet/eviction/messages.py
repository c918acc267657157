"""What an eviction says, in the kubelet's words. Pure. Source: pkg/kubelet/eviction/helpers.go."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import objects, quantity
from cluster.api.objects import Object
from cluster.kubelet.eviction import signals
from cluster.kubelet.eviction.picture import Candidate, ContainerUse
from cluster.kubelet.eviction.signals import Observation
from cluster.kubelet.eviction.thresholds import Threshold

REASON: Final = "Evicted"
DISRUPTION: Final = "TerminationByKubelet"


def of_pressure(
    candidate: Candidate, threshold: Threshold, seen: Observation, *, old: bool = False
) -> str:
    """Why a pod goes. `old`: as before 1.29, without the threshold."""
    resource = signals.RESOURCES[threshold.signal]
    binary = threshold.signal in signals.BINARY
    text = f"The node was low on resource: {resource}. "
    if not old:
        least = _amount(threshold.amount.of(seen.capacity), binary=binary)
        text += (
            f"Threshold quantity: {least}, "
            f"available: {_amount(seen.available, binary=binary, kibi=True)}. "
        )
    if candidate.use is None:
        return text
    for spec in _containers(candidate.pod):
        found = candidate.use.containers.get(spec["name"])
        used = _used(found, resource) if found is not None else None
        if used is None:
            continue
        asked = ((spec.get("resources") or {}).get("requests") or {}).get(resource, "0")
        if used > quantity.value(asked):
            shown = _amount(used, binary=True, kibi=True)
            text += _of_container(spec["name"], shown, quantity.canonical(asked), resource, old=old)
    return text


def _of_container(name: str, used: str, asked: str, resource: str, *, old: bool) -> str:
    if old:
        return f"Container {name} was using {used}, which exceeds its request of {asked}. "
    return (
        f"Container {name} was using {used}, request is {asked}, "
        f"has larger consumption of {resource}. "
    )


def of_conditions(conditions: tuple[str, ...]) -> str:
    """Why a pod is not taken."""
    return f"The node had condition: [{' '.join(conditions)}]. "


def of_empty_dir(name: str, limit: str) -> str:
    """A volume has grown beyond its sizeLimit."""
    return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '


def of_pod_storage(limit: str) -> str:
    """A pod has grown beyond what its containers may have together."""
    return f"Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "


def of_container_storage(name: str, limit: str) -> str:
    """A container has grown beyond its own limit."""
    return f'Container {name} exceeded its local ephemeral storage limit "{limit}". '


def _used(use: ContainerUse, resource: str) -> int | None:
    """What is told of a container; of inodes and process ids nothing is."""
    if resource == "memory":
        return use.memory
    return use.rootfs + use.logs if resource == signals.STORAGE else None


def _containers(pod: Object) -> list[Mapping[str, Any]]:
    spec = objects.spec(pod)
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _amount(number: int, *, binary: bool, kibi: bool = False) -> str:
    """A measured amount is told in whole Ki where it can be: no memory is measured in halves."""
    if binary and kibi and number >= 1024 and number % 1024:
        number = number // 1024 * 1024
    return quantity.format(number, binary=binary)
