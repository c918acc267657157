"""What the provisioner makes for a claim, and which volumes are its own to delete. Pure."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts, local
from cluster.client import indexer

NAME: Final = local.NAME
_MODES: Final = ("ReadWriteOnce", "ReadWriteOncePod")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no volume can be made; `elsewhere`: the scheduler should choose another node."""

    why: str
    elsewhere: bool = False


def wants_volume(claim: Object, storage_class: Object | None) -> bool:
    """Whether the claim waits for a volume of this provisioner, and knows where it wants it."""
    notes = objects.annotations(claim)
    asked = notes.get(facts.PROVISIONER) or notes.get(facts.BETA_PROVISIONER)
    if asked != NAME or objects.spec(claim).get("volumeName") or storage_class is None:
        return False
    if storage_class.get("provisioner") != NAME or objects.deleting(claim):
        return False
    waits = storage_class.get("volumeBindingMode") == facts.WAIT
    return not waits or facts.SELECTED_NODE in notes


def volume_name(claim: Object) -> str:
    """The name of the volume of a claim: the same at every try."""
    return f"pvc-{objects.uid(claim)}"


def provision(claim: Object, storage_class: Object, nodes: indexer.Indexer) -> Object | Refusal:
    """The volume for a claim, on the one of `nodes` that the scheduler has chosen or, where it had
    no say, on one that depends on the claim's uid.
    """
    wrong = _unsupported(claim)
    if wrong:
        return Refusal(wrong)
    chosen = objects.annotations(claim).get(facts.SELECTED_NODE)
    if chosen is not None:
        node = nodes.get(chosen)
        if node is None:
            why = f'failed to get target node: nodes "{chosen}" not found'
            return Refusal(why, elsewhere=True)
    else:
        able = _able(nodes.list(), storage_class.get("allowedTopologies") or ())
        if not able:
            return Refusal("no node is there to hold the volume")
        node = able[zlib.crc32(objects.uid(claim).encode()) % len(able)]
    return _volume(claim, storage_class, node)


def _unsupported(claim: Object) -> str:
    if objects.spec(claim).get("selector") is not None:
        return "claim.Spec.Selector is not supported"
    for mode in facts.access_modes(claim):
        if mode not in _MODES:
            allowed = " and ".join(_MODES)
            return f"{NAME} only supports {allowed} access modes, not {mode}"
    if facts.mode_of(claim) != "Filesystem":
        return f"{NAME} only supports the volume mode Filesystem"
    return ""


def _able(nodes: Iterable[Object], topologies: Sequence[Mapping[str, Any]]) -> list[Object]:
    found = [
        node
        for node in nodes
        if not objects.spec(node).get("unschedulable")
        and (not topologies or any(_within(node, one) for one in topologies))
    ]
    return sorted(found, key=objects.name)


def _within(node: Object, term: Mapping[str, Any]) -> bool:
    labels = objects.labels(node)
    return all(
        labels.get(one.get("key") or "") in (one.get("values") or ())
        for one in term.get("matchLabelExpressions") or ()
    )


def _volume(claim: Object, storage_class: Object, node: Object) -> Object:
    name, spec = volume_name(claim), objects.spec(claim)
    directory = f"{name}_{objects.namespace(claim)}_{objects.name(claim)}"
    hostname = objects.labels(node).get(local.HOSTNAME) or objects.name(node)
    terms = [
        {"matchExpressions": [{"key": local.HOSTNAME, "operator": "In", "values": [hostname]}]}
    ]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {facts.PROVISIONED_BY: NAME}},
        "spec": {
            "accessModes": list(spec.get("accessModes") or ()),
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": facts.reference_to(claim),
            "hostPath": {"path": f"{local.PATH}/{directory}", "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
            "storageClassName": objects.name(storage_class),
            "volumeMode": "Filesystem",
        },
    }


def to_delete(volume: Object) -> bool:
    """Whether a volume has served its purpose."""
    released = objects.status(volume).get("phase") == "Released"
    policy = objects.spec(volume).get("persistentVolumeReclaimPolicy")
    return (
        local.is_ours(volume) and released and policy == "Delete" and not objects.deleting(volume)
    )
