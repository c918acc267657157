"""How much of the node's disk its pods hold: volumes and logs, in bytes."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from cluster.api import objects
from cluster.kubelet.pods import Pod
from cluster.kubelet.volumes import setups
from cluster.kubelet.volumes.keeper import Keeper
from cluster.kubelet.volumes.layout import PLUGINS

_LOCAL = ("emptyDir", "configMap", "downwardAPI")
"""Volumes that are local ephemeral storage (IsLocalEphemeralVolume), those in memory excepted."""


_STEP: Final = 256
"""Files that are looked at before others have their turn."""


class DiskUse:
    """Of the pods of one node, at the last `look`. `logs` is the folder of all pods' logs."""

    def __init__(self, keeper: Keeper, logs: str) -> None:
        self._keeper = keeper
        self._logs = logs
        self._sizes: dict[str, int] = {}
        """Of a real disk: what was found at each path."""
        self.images = (0, 0)
        """Bytes and inodes of the runtime's images, as it said last."""

    async def look(self, pods: Iterable[Pod]) -> None:
        """See what is on a real disk, in small steps: there may be many files. What is in memory is
        always known.
        """
        disk = self._keeper.disk
        if disk is None or disk.lazy:
            return
        paths = dict.fromkeys(path for pod in pods for path in self._paths(pod))
        found: dict[str, int] = {}
        for path in paths:
            total = 0
            for number, size in enumerate(disk.sizes(path), 1):
                total += size
                if number % _STEP == 0:
                    await asyncio.sleep(0)
            found[path] = total
            await asyncio.sleep(0)
        self._sizes = found

    def _paths(self, pod: Pod) -> Iterator[str]:
        yield from self._local(pod).values()
        yield from filter(None, self._mounted(pod).values())
        for one in pod.seen.containers:
            yield self._log(pod, one.name)

    def _used(self, path: str) -> int:
        disk = self._keeper.disk
        return disk.used(path) if disk is not None and disk.lazy else self._sizes.get(path, 0)

    def volumes(self, pod: Pod) -> dict[str, int]:
        """What each local ephemeral volume takes, by name. What nobody looked into is empty."""
        return {name: self._used(path) for name, path in self._local(pod).items()}

    def _local(self, pod: Pod) -> dict[str, str]:
        """Where the local ephemeral volumes are, by name."""
        record = self._keeper.records.get(pod.uid)
        if record is None or self._keeper.disk is None or not record.made:
            return {}
        found = {}
        for volume in objects.spec(pod.object).get("volumes") or ():
            kinds = [kind for kind in _LOCAL if kind in volume]
            if kinds and (volume.get("emptyDir") or {}).get("medium") != "Memory":
                found[volume["name"]] = self._keeper.volume_path(pod, volume)
        return found

    def every(self, pod: Pod) -> dict[str, int]:
        """What each volume takes that is set up, whatever it is, but for directories of the host
        that no claim is bound to.
        """
        places = self._mounted(pod).items()
        return {name: self._used(path) if path else 0 for name, path in places}

    def _mounted(self, pod: Pod) -> dict[str, str]:
        """Where the volumes of `every` are, by name; "" for what was not made yet."""
        record = self._keeper.records.get(pod.uid)
        if record is None or self._keeper.disk is None or not record.done:
            return {}
        claims = self.claims(pod)
        found = {}
        for volume in objects.spec(pod.object).get("volumes") or ():
            what = record.volumes.get(volume["name"])
            if what is None:
                continue
            if not isinstance(what.setup, setups.Host):
                path = self._keeper.volume_path(pod, volume)
                found[volume["name"]] = path if record.made else ""
            elif volume["name"] in claims:
                found[volume["name"]] = self._keeper.layout.on_host(what.setup.path)
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
        return self._used(self._log(pod, container))

    def _log(self, pod: Pod, container: str) -> str:
        name, namespace = objects.name(pod.object), objects.namespace(pod.object)
        return f"{self._logs}/{namespace}_{name}_{pod.uid}/{container}"
