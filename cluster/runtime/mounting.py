"""What a container finds in its root beside the image: volumes, and files that CRI tells of."""

from collections.abc import Mapping

import structlog

from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import memoryvolumes
from cluster.runtime.nodedisk import MemoryDisk
from cluster.runtime.records import Sandbox
from cluster.runtime.vos import disknodes
from cluster.runtime.vos.files import FileSystem, absolute


def fill(
    tree: FileSystem,
    *,
    config: pb.ContainerConfig,
    sandbox: Sandbox,
    disk: MemoryDisk | None,
    rooms: disknodes.Rooms,
) -> None:
    """Mount what a container's configuration names, outer directories first.

    What cannot be mounted is logged, and the container goes without it: it runs already.
    """
    # containerd gives every container one, if only an empty one.
    tree.put("/etc/resolv.conf", resolv_conf(sandbox.config.dns_config))
    inside = memoryvolumes.of(config)
    for mount in sorted(config.mounts, key=lambda one: one.container_path.count("/")):
        try:
            path = mount.host_path
            found = disk.node(path) if disk else rooms.at(path, inside)
            kind, source, size = _kind(path, inside)
            tree.mount(
                absolute(mount.container_path, "/"), found, readonly=mount.readonly, kind=kind,
                source=source, size=size,
            )  # fmt: skip
        except OSError as error:
            structlog.get_logger().warning(
                "a mount is missing", path=mount.container_path, source=mount.host_path,
                error=str(error),
            )  # fmt: skip
    tree.readonly = config.linux.security_context.readonly_rootfs


def _kind(path: str, inside: Mapping[str, int]) -> tuple[str, str, int]:
    """The file system, device and size that /proc/mounts names: memory for emptyDir of the medium
    Memory.
    """
    for folder, size in inside.items():
        if path == folder or path.startswith(f"{folder}/"):
            return "tmpfs", "tmpfs", size
    return "ext4", "/dev/vda1", 0


def resolv_conf(config: pb.DNSConfig) -> bytes:
    """`/etc/resolv.conf` as containerd writes it; b"" where nothing is said."""
    lines = []
    if config.searches:
        lines.append("search " + " ".join(config.searches))
    lines += [f"nameserver {server}" for server in config.servers]
    if config.options:
        lines.append("options " + " ".join(config.options))
    return "".join(f"{line}\n" for line in lines).encode()
