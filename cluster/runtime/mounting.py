"""What a container finds in its root beside the image: volumes, and files that CRI tells of."""

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
    resolver = resolv_conf(sandbox.config.dns_config)
    if resolver:
        tree.put("/etc/resolv.conf", resolver)
    inside = memoryvolumes.of(config)
    for mount in sorted(config.mounts, key=lambda one: one.container_path.count("/")):
        try:
            path = mount.host_path
            found = disk.node(path) if disk else rooms.at(path, inside)
            tree.mount(absolute(mount.container_path, "/"), found, readonly=mount.readonly)
        except OSError as error:
            structlog.get_logger().warning(
                "a mount is missing", path=mount.container_path, source=mount.host_path,
                error=str(error),
            )  # fmt: skip
    tree.readonly = config.linux.security_context.readonly_rootfs


def resolv_conf(config: pb.DNSConfig) -> bytes:
    """`/etc/resolv.conf` as containerd writes it; b"" where nothing is said."""
    lines = []
    if config.searches:
        lines.append("search " + " ".join(config.searches))
    lines += [f"nameserver {server}" for server in config.servers]
    if config.options:
        lines.append("options " + " ".join(config.options))
    return "".join(f"{line}\n" for line in lines).encode()
