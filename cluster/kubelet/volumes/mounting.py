"""Which parts of a pod's volumes a container sees, and where. OSError where the disk fails.

Source: makeMounts of pkg/kubelet.
"""

from collections.abc import Mapping
from typing import Any, Final

from cluster.kubelet.environment import expansion
from cluster.kubelet.environment.variables import Wrong
from cluster.kubelet.lifecycle import mountstatus
from cluster.kubelet.pods import Pod
from cluster.kubelet.volumes import hostpaths, references, setups
from cluster.kubelet.volumes.contents import Unready
from cluster.kubelet.volumes.keeper import Keeper, Record, copy
from cluster.pb.cri.v1 import api_pb2 as pb

HOSTS: Final = "/etc/hosts"
_PROPAGATIONS: Final = {
    "HostToContainer": pb.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": pb.PROPAGATION_BIDIRECTIONAL,
}


def mounts(
    keeper: Keeper, pod: Pod, spec: Mapping[str, Any], environment: Mapping[str, str]
) -> list[pb.Mount]:
    """The mounts of a container. Wrong where one cannot be."""
    if keeper.disk is None:
        return []
    found = []
    own_hosts = False
    asked = spec.get("volumeMounts") or ()
    volumes = {one["name"]: one for one in references.used(pod.object)} if asked else {}
    for number, mount in enumerate(asked):
        volume = volumes.get(mount["name"])
        own_hosts = own_hosts or mount["mountPath"] == HOSTS
        if volume is None:
            name = spec["name"]
            raise Wrong(f'cannot find volume "{mount["name"]}" to mount into container "{name}"')
        found.append(_Mounting(keeper, pod, spec["name"], mount, number).made(volume, environment))
    if not own_hosts:
        if not keeper.disk.lazy:
            keeper.write_hosts(pod)
        found.append(pb.Mount(container_path=HOSTS, host_path=keeper.layout.hosts(pod.uid)))
    return found


def in_memory(keeper: Keeper, pod: Pod, spec: Mapping[str, Any]) -> dict[str, int]:
    """Which directories of a container's volumes are to be in memory, and bytes of each (0: no
    limit): emptyDir of the medium Memory.
    """
    asked = {one["name"] for one in spec.get("volumeMounts") or ()}
    found = {}
    for volume in references.used(pod.object) if asked and keeper.disk is not None else ():
        medium = (volume.get("emptyDir") or {}).get("medium")
        if medium == "Memory" and volume["name"] in asked:
            setup = setups.of(volume).setup
            limit = setup.limit if isinstance(setup, setups.Empty) else None
            found[keeper.volume_path(pod, volume)] = limit or 0
    return found


class _Mounting:
    """One mount of a container."""

    def __init__(
        self, keeper: Keeper, pod: Pod, container: str, mount: Mapping[str, Any], number: int
    ) -> None:
        if keeper.disk is None:
            raise Wrong("this kubelet has no --root-dir to keep volumes in")
        self._keeper = keeper
        self._disk = keeper.disk
        self._pod = pod
        self._container = container
        self._mount = mount
        self._number = number

    def made(self, volume: Mapping[str, Any], environment: Mapping[str, str]) -> pb.Mount:
        """The mount. Wrong."""
        why = mountstatus.refused(self._mount)
        if why:
            raise Wrong(why)
        record = self._keeper.records.get(self._pod.uid)
        what = record.volumes.get(volume["name"]) if record is not None else None
        if record is None or what is None:
            raise Wrong(
                f'cannot find volume "{volume["name"]}" to mount into container "{self._container}"'
            )
        setup = what.setup
        readonly = isinstance(setup, setups.Files) or (
            isinstance(setup, setups.Host) and setup.readonly
        )
        path = self._source(volume, setup)
        sub = self._sub_path(environment)
        if sub:
            files = isinstance(setup, setups.Files)
            path = self._part(path, sub, record if files else None)
        return pb.Mount(
            container_path=self._mount["mountPath"],
            host_path=path,
            readonly=readonly or bool(self._mount.get("readOnly")),
            propagation=_PROPAGATIONS.get(self._mount.get("mountPropagation") or ""),
        )

    def _source(
        self, volume: Mapping[str, Any], setup: setups.Empty | setups.Files | setups.Host
    ) -> str:
        if not isinstance(setup, setups.Host):
            return self._keeper.volume_path(self._pod, volume)
        layout = self._keeper.layout
        if self._disk.lazy:
            return layout.on_host(setup.path.rstrip("/") or "/")
        try:
            path = hostpaths.resolved(self._disk, layout, setup.path)
            hostpaths.inside(self._disk, layout, path, setup.path)
            return self._disk.true_path(path)
        except (Unready, OSError) as error:
            raise Wrong(f'failed to mount volume "{volume["name"]}": {error}') from error

    def _sub_path(self, environment: Mapping[str, str]) -> str:
        path = self._mount.get("subPath") or ""
        expression = self._mount.get("subPathExpr")
        if expression:
            try:
                path = expansion.expand_known(expression, environment)
            except ValueError as error:
                raise Wrong(f'missing value for "{error}"') from error
        if path.startswith("/"):
            raise Wrong(f"error SubPath `{path}` must not be an absolute path")
        if ".." in path.split("/"):
            raise Wrong(f"unable to provision SubPath `{path}`: must not contain '..'")
        return path.strip("/")

    def _part(self, volume: str, sub: str, copied: Record | None) -> str:
        """Where a part of a volume is; a directory is made where nothing is. Wrong."""
        path = f"{volume}/{sub}"
        title = f'for volumeMount "{self._mount["name"]}" of container "{self._container}"'
        if copied is not None:
            # Files that are replaced as a whole: what is mounted of them stays as it is now.
            target = self._keeper.layout.subpath(
                self._pod.uid, self._mount["name"], self._container, self._number
            )
            copied.copies[target] = path
            if self._disk.lazy:
                return target
            try:
                self._disk.remove(target)
                copy(self._disk, path, target)
            except OSError as error:
                raise Wrong(f"failed to prepare subPath {title}") from error
            return target
        if self._disk.lazy and not self._disk.kind(volume):
            return path
        try:
            return self._made_part(volume, sub, title)
        except OSError as error:
            raise Wrong(f"failed to create subPath directory {title}") from error

    def _made_part(self, volume: str, sub: str, title: str) -> str:
        """Step by step, so that no link leads out of the volume. Wrong, OSError."""
        here = root = self._disk.true_path(volume)
        mode = self._disk.mode(root)  # whoever may write into the volume may write into its parts
        for part in sub.split("/"):
            path = f"{here}/{part}"
            if not self._disk.kind(path):
                self._disk.make_folder(path, mode)
            here = self._disk.true_path(path)
            if not here.startswith(root.rstrip("/") + "/"):
                raise Wrong(f"failed to prepare subPath {title}")
        return here
