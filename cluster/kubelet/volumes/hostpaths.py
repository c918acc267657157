"""Paths of the node in volumes: what a hostPath asks for, and a root to find it in.

A simulated node has a root of its own, a directory under its kubelet's, which begins with the
directories that a Linux machine has: manifests that mount /var/log or /etc/ssl/certs find them
there. Nothing leads out of it. Only where `--host-root /` says so is it the machine's.
"""

from collections.abc import Iterator
from typing import Final

from cluster.kubelet.volumes.contents import Unready
from cluster.kubelet.volumes.disk import Disk
from cluster.kubelet.volumes.layout import Layout
from cluster.kubelet.volumes.setups import Host

FOLDERS: Final = (
    "/boot", "/dev", "/etc/cni/net.d", "/etc/kubernetes/manifests", "/etc/kubernetes/pki",
    "/etc/pki", "/etc/ssl/certs", "/home", "/lib/modules", "/mnt", "/opt/cni/bin", "/proc", "/root",
    "/run/containerd", "/srv", "/sys/fs/cgroup", "/tmp", "/usr/libexec", "/usr/local/share",
    "/usr/share/ca-certificates", "/usr/src", "/var/lib/containerd", "/var/lib/docker/containers",
    "/var/lib/kubelet/pods", "/var/log/containers", "/var/log/pods", "/var/run",
)  # fmt: skip
"""What is in the root of a simulated node."""
FILES: Final = ("/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id",
                "/etc/os-release", "/etc/passwd", "/etc/resolv.conf", "/etc/timezone")  # fmt: skip
_ANYBODYS: Final = 0o777
"""The mode of a volume of a provisioner: pods of any user write into theirs."""
_MOST_LINKS: Final = 40
"""In one path, as Linux has it (MAXSYMLINKS)."""
_CREATED: Final = ("", "DirectoryOrCreate", "FileOrCreate")
_KINDS: Final = {
    "Directory": ("folder", "a directory"), "DirectoryOrCreate": ("folder", "a directory"),
    "File": ("file", "a file"), "FileOrCreate": ("file", "a file"),
}  # fmt: skip
_OTHERS: Final = {
    "Socket": "a socket file", "CharDevice": "a character device", "BlockDevice": "a block device",
}  # fmt: skip


def furnish(disk: Disk, layout: Layout) -> None:
    """Make the root of a node, where it is the node's own and empty. OSError."""
    mark = layout.on_host(FOLDERS[0])
    if layout.host == "/" and not disk.lazy:
        return
    if disk.kind(mark) == "folder":
        return
    for path in FOLDERS:
        disk.make_folder(layout.on_host(path), 0o755)
    disk.make_folder(layout.on_host("/tmp"), 0o1777)
    for path in FILES:
        disk.write(layout.on_host(path), b"", 0o644)


def prepare(disk: Disk, layout: Layout, wanted: Host) -> None:
    """See that a path is what a volume wants it to be; make it where it may be made.

    Unready, OSError.
    """
    path = resolved(disk, layout, wanted.path)
    if disk.lazy and wanted.reclaim and not disk.kind(path):
        disk.make_folder(path, _ANYBODYS)
    if disk.lazy and not wanted.local and wanted.type in ("", "DirectoryOrCreate"):
        return  # the disk makes it when it is looked at
    furnish(disk, layout)
    found = _kind(disk, layout, path, wanted)
    if wanted.local:
        if not found:
            raise Unready(f'path "{wanted.path}" does not exist')
        return
    if not found and wanted.type in _CREATED:
        if wanted.type == "FileOrCreate":
            disk.write(path, b"", 0o644)
        else:
            disk.make_folder(path, _ANYBODYS if wanted.reclaim else 0o755)
        return
    if wanted.type in _OTHERS:
        raise Unready(f"hostPath type check failed: {wanted.path} is not {_OTHERS[wanted.type]}")
    kind, title = _KINDS.get(wanted.type, (found, ""))
    if found != kind:
        raise Unready(f"hostPath type check failed: {wanted.path} is not {title}")


def resolved(disk: Disk, layout: Layout, path: str) -> str:
    """Where a path of the node is: links are followed as if the node's root were `/`, so that an
    absolute one stays in it. Unready where one leads nowhere, or in circles.
    """
    if layout.host == "/":
        return path.rstrip("/") or "/"
    return layout.on_host(_within(disk, layout, path, path, iter(range(_MOST_LINKS))))


def _within(disk: Disk, layout: Layout, path: str, shown: str, links: Iterator[int]) -> str:
    here = ""
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        there = f"{here}/{part}"
        if disk.kind(layout.on_host(there)) == "link":
            if next(links, None) is None:
                raise Unready(f"path {shown}: too many levels of symbolic links")
            target = disk.target(layout.on_host(there))
            whole = target if target.startswith("/") else f"{here}/{target}"
            there = _within(disk, layout, whole, shown, links)
            if not disk.kind(layout.on_host(there)):
                raise Unready(f"path {shown} is a link to nowhere")
        here = there.rstrip("/")
    return here or "/"


def _kind(disk: Disk, layout: Layout, path: str, wanted: Host) -> str:
    """What is there, links followed. Unready where they lead out of the node's root."""
    inside(disk, layout, path, wanted.path)
    try:
        return disk.kind(disk.true_path(path))
    except FileNotFoundError:
        return ""


def inside(disk: Disk, layout: Layout, path: str, shown: str) -> None:
    """See that a path, or what there is of it, is in the node's root. Unready, OSError."""
    root = disk.true_path(layout.host)
    while root != "/":
        try:
            true = disk.true_path(path)
        except FileNotFoundError:
            if disk.kind(path) == "link":
                raise Unready(f"path {shown} is a link to nowhere") from None
            path = path.rpartition("/")[0] or "/"
            continue
        if true != root and not true.startswith(root + "/"):
            raise Unready(f"path {shown} leads out of the node's root")
        return
