"""Which claims a pod's ephemeral volumes need. Pure.

Source: k8s.io/kubernetes pkg/controller/volume/ephemeral.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.controllers import ownership


@dataclass(frozen=True, slots=True)
class Needed:
    """The claim of a volume of a pod."""

    volume: str
    claim: Object


def needed(pod: Object) -> Iterator[Needed]:
    """The claims of a pod's ephemeral volumes; a pod that is going needs none."""
    if objects.deleting(pod):
        return
    for volume in objects.spec(pod).get("volumes") or ():
        if volume.get("ephemeral") is not None:
            yield Needed(volume.get("name") or "", _claim(pod, volume))


def _claim(pod: Object, volume: Mapping[str, Any]) -> Object:
    template = volume["ephemeral"].get("volumeClaimTemplate") or {}
    own = template.get("metadata") or {}
    meta: Object = {
        "name": f"{objects.name(pod)}-{volume.get('name')}",
        "namespace": objects.namespace(pod),
        "ownerReferences": [ownership.reference(pod, "v1", "Pod")],
    }
    meta |= {field: own[field] for field in ("annotations", "labels") if own.get(field)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": template.get("spec") or {},
    }


def foreign(pod: Object, claim: Object) -> str:
    """Why a claim that is there cannot be the pod's; "" where it was made for it."""
    if facts.made_for(claim, pod):
        return ""
    whose = f"PVC {objects.key(claim)} was not created for pod {objects.key(pod)}"
    return f"{whose} (pod is not owner)"
