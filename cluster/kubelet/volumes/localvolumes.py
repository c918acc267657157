"""The directories that a node has made for volumes of kubemu's provisioner, and their end.

A node keeps a note of each directory that it makes, in its kubelet's own folder, and watches the
PersistentVolume of each. Once that is gone and no pod uses it, its data goes if its policy was
Delete. What was there before is nobody's to remove, nor is what a link leads to. The notes outlive
the kubelet: a volume that went while none ran is cleared away by the next one.

A real provisioner does the same with a pod that it sends to the node (local-path-provisioner).
"""

from collections.abc import Callable
from typing import Final

import structlog

from cluster.api import objects
from cluster.api.persistentvolumes import local
from cluster.kubelet.volumes import references, setups
from cluster.kubelet.volumes.contents import Unready
from cluster.kubelet.volumes.disk import Disk
from cluster.kubelet.volumes.layout import Layout
from cluster.kubelet.volumes.sources import Objects

_DELETE: Final = "Delete"
_FIRST_LOOK: Final = 10.0
"""Seconds after which a new kubelet looks after old volumes: it knows its pods by then."""
_AGAIN: Final = 60.0


class LocalVolumes:
    """`wake_after(holder, seconds)` has `review(holder)` called; `in_use(name)`: whether a pod of
    the node has the volume.
    """

    def __init__(
        self,
        layout: Layout,
        disk: Disk,
        objects_: Objects,
        wake_after: Callable[[str, float], None],
        in_use: Callable[[str], bool],
    ) -> None:
        self._layout = layout
        self._disk = disk
        self._objects = objects_
        self._wake_after = wake_after
        self._in_use = in_use
        self._names: dict[str, str] = {}
        """What is watched: the volume's name, by holder."""
        self._stuck: dict[str, None] = {}
        self._log = structlog.get_logger().bind(component="kubelet")

    @property
    def _folder(self) -> str:
        return f"{self._layout.root}/plugins/kubemu.dev~local"

    def recall(self) -> None:
        """Look after the volumes that an earlier kubelet made. OSError."""
        for name in self._disk.names(self._folder):
            self._hold(name, _FIRST_LOOK)

    def note(self, name: str, wanted: setups.Host) -> None:
        """A pod is about to use a volume: where its directory has to be made, it is ours. OSError.

        Paths that the provisioner does not choose are never ours, whatever the volume says.
        """
        if not local.is_place(name, wanted.path):
            return
        known = f"{self._folder}/{name}"
        if self._disk.kind(known):
            self._hold(name)
        elif not self._disk.kind(self._layout.on_host(wanted.path)):
            self._write(name, wanted.reclaim, wanted.path)
            self._hold(name)

    def holds(self, holder: str) -> bool:
        """Whether a holder is one of these."""
        return holder in self._names

    def stir(self, volumes: list[str]) -> None:
        """A pod that used these is gone."""
        for name in volumes:
            if _holder(name) in self._names:
                self._wake_after(_holder(name), 0.0)

    async def review(self, holder: str) -> None:
        """See whether a volume is still there, and clear away what is left of one that is not."""
        name = self._names.get(holder, "")
        wanted = references.Reference(references.VOLUMES, "", name)
        try:
            found = (await self._objects.read([wanted]))[wanted]
            note = self._disk.read(f"{self._folder}/{name}").decode(errors="replace")
            policy, _, path = note.partition("\n")
            if found is not None and objects.spec(found).get("hostPath", {}).get("path") == path:
                if setups.reclaim_of(found) != policy:
                    self._write(name, setups.reclaim_of(found), path)
            elif not self._in_use(name):
                self._end(holder, name, path, removed=policy == _DELETE)
        except (Unready, OSError) as error:
            if name not in self._stuck:
                self._log.warning("local volume not cleared away", volume=name, error=str(error))
            self._stuck[name] = None
            self._wake_after(holder, _AGAIN)

    def _end(self, holder: str, name: str, path: str, *, removed: bool) -> None:
        if removed and local.is_place(name, path):
            self._remove(name, path)
        self._disk.remove(f"{self._folder}/{name}")
        self._names.pop(holder, None)
        self._stuck.pop(name, None)
        self._objects.release(holder)

    def _remove(self, name: str, path: str) -> None:
        """Remove a directory where it was made, and nothing that links lead to. OSError."""
        place = self._layout.on_host(path)
        if self._disk.kind(place) != "folder":
            return
        root = self._disk.true_path(self._layout.host).rstrip("/")
        if self._disk.true_path(place) != root + path:
            self._log.warning("local volume lies behind a link: its data stays", volume=name)
            return
        self._disk.remove(place)
        self._log.info("removed the data of a local volume", volume=name, path=path)

    def _write(self, name: str, policy: str, path: str) -> None:
        if not self._disk.kind(self._folder):
            self._disk.make_folder(self._folder, 0o750)
        self._disk.write(f"{self._folder}/{name}", f"{policy}\n{path}".encode(), 0o600)

    def _hold(self, name: str, after: float | None = None) -> None:
        holder = _holder(name)
        if holder in self._names:
            return
        self._names[holder] = name
        self._objects.hold(holder, [references.Reference(references.VOLUMES, "", name)])
        if after is not None:
            self._wake_after(holder, after)


def _holder(name: str) -> str:
    return f"local-volume/{name}"
