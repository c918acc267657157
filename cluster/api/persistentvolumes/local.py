"""Volumes of kubemu's own provisioner: directories of one node, by agreement of all parts.

The provisioner says where a volume is, the kubelet of that node makes the directory and removes it
when the volume goes, and the API server lets that kubelet see it.
"""

from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts

NAME: Final = "kubemu.dev/local"
"""The provisioner, as StorageClasses and PersistentVolumes name it."""
PATH: Final = "/var/lib/kubemu/local-volumes"
"""Where the volumes are in a node's file system."""
HOSTNAME: Final = "kubernetes.io/hostname"


def is_ours(volume: Object) -> bool:
    """Whether the provisioner made the volume."""
    return objects.annotations(volume).get(facts.PROVISIONED_BY) == NAME


def is_place(volume: str, path: str) -> bool:
    """Whether a path is one that the provisioner chooses for the volume of this name."""
    head, _, last = path.rpartition("/")
    return head == PATH and last.startswith(f"{volume}_") and "\n" not in last


def is_on(volume: Object, node: str) -> bool:
    """Whether the volume is one of the provisioner's that this node holds."""
    required = (objects.spec(volume).get("nodeAffinity") or {}).get("required") or {}
    return is_ours(volume) and any(
        one.get("key") == HOSTNAME and node in (one.get("values") or ())
        for term in required.get("nodeSelectorTerms") or ()
        for one in term.get("matchExpressions") or ()
    )
