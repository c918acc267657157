"""How much of the node's disk its pods hold: volumes and logs, in bytes."""

from cluster.api import objects
from cluster.kubelet.pods import Pod
from cluster.kubelet.volumes import setups
from cluster.kubelet.volumes.keeper import Keeper
from cluster.kubelet.volumes.layout import PLUGINS

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
        """What each volume takes that is set up, whatever it is, but for directories of the host
        that no claim is bound to.
        """
        record, disk = self._keeper.records.get(pod.uid), self._keeper.disk
        if record is None or disk is None or not record.done:
            return {}
        claims = self.claims(pod)
        found = {}
        for volume in objects.spec(pod.object).get("volumes") or ():
            what = record.volumes.get(volume["name"])
            if what is None:
                continue
            if not isinstance(what.setup, setups.Host):
                path = self._keeper.volume_path(pod, volume)
                found[volume["name"]] = disk.used(path) if record.made else 0
            elif volume["name"] in claims:
                found[volume["name"]] = disk.used(self._keeper.layout.on_host(what.setup.path))
        return found

    def claims(self, pod: Pod) -> dict[str, str]:
        """The claims that the pod's volumes are of, by the name of the volume."""
        found = {}
        for volume in objects.spec(pod.object).get("volumes") or ():
            claim = setups.claim_name(pod.object, volume)
            if claim:
                found[volume["name"]] = claim
        return found

    def claimed(self, pod: Pod) -> dict[str, int]:
        """What each claim's volume takes, by the name of the claim."""
        claims = self.claims(pod)
        if not claims:
            return {}
        return {claims[name]: used for name, used in self.every(pod).items() if name in claims}

    def plugins(self, pod: Pod) -> list[str]:
        """What Kubernetes calls the plugin of each volume that is set up."""
        record = self._keeper.records.get(pod.uid)
        if record is None:
            return []
        found = []
        for volume in objects.spec(pod.object).get("volumes") or ():
            if volume["name"] in record.volumes:
                kinds = [kind for kind in PLUGINS if kind in volume]
                found.append(PLUGINS[kinds[0]] if kinds else "host-path")
        return found

    def logs(self, pod: Pod, container: str) -> int:
        """What a container's logs take on the real disk; those in memory are bounded, and free."""
        disk = self._keeper.disk
        if disk is None or disk.lazy:
            return 0
        name, namespace = objects.name(pod.object), objects.namespace(pod.object)
        return disk.used(f"{self._logs}/{namespace}_{name}_{pod.uid}/{container}")
