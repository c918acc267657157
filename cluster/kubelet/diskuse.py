"""How much of the node's disk its pods hold: volumes and logs, in bytes."""

from cluster.api import objects
from cluster.kubelet.pods import Pod
from cluster.kubelet.volumes import setups
from cluster.kubelet.volumes.keeper import Keeper

_LOCAL = ("emptyDir", "configMap", "downwardAPI")
"""Volumes that are local ephemeral storage (IsLocalEphemeralVolume), those in memory excepted."""


class DiskUse:
    """Of the pods of one node. `logs` is the folder of all pods' logs."""

    def __init__(self, keeper: Keeper, logs: str) -> None:
        self._keeper = keeper
        self._logs = logs

    def volumes(self, pod: Pod) -> dict[str, int]:
        """What each local ephemeral volume takes, by name. What nobody looked into is empty."""
        record, disk = self._keeper.records.get(pod.uid), self._keeper.disk
        if record is None or disk is None or not record.made:
            return {}
        found = {}
        for volume in objects.spec(pod.object).get("volumes") or ():
            kinds = [kind for kind in _LOCAL if kind in volume]
            if kinds and (volume.get("emptyDir") or {}).get("medium") != "Memory":
                found[volume["name"]] = disk.used(self._keeper.volume_path(pod, volume))
        return found

    def every(self, pod: Pod) -> dict[str, int]:
        """What each volume takes that has a directory of the pod's own, memory included."""
        record, disk = self._keeper.records.get(pod.uid), self._keeper.disk
        if record is None or disk is None or not record.made:
            return {}
        found = {}
        for volume in objects.spec(pod.object).get("volumes") or ():
            what = record.volumes.get(volume["name"])
            if what is not None and isinstance(what.setup, setups.Empty | setups.Files):
                found[volume["name"]] = disk.used(self._keeper.volume_path(pod, volume))
        return found

    def logs(self, pod: Pod, container: str) -> int:
        """What a container's logs take on the real disk; those in memory are bounded, and free."""
        disk = self._keeper.disk
        if disk is None or disk.lazy:
            return 0
        name, namespace = objects.name(pod.object), objects.namespace(pod.object)
        return disk.used(f"{self._logs}/{namespace}_{name}_{pod.uid}/{container}")
