"""/proc and /sys/fs/cgroup of a container: files whose content is made when they are read.

As far as programs and health scripts read them. docs: proc(5), and the kernel's cgroup-v2.
"""

import weakref
from typing import TYPE_CHECKING

from cluster.runtime.vos.proc.pseudo import Pseudo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cluster.runtime.vos.files import FileSystem
    from cluster.runtime.vos.kernel import Kernel
    from cluster.runtime.vos.proc.pseudo import Made


def lay(kernel: "Kernel", tree: "FileSystem") -> None:
    """Mount both. What is in them is made when somebody looks."""
    known = weakref.ref(kernel)  # it has the tree: no cycle is left to the collector
    tree.mount("/proc", Pseudo(lambda: _proc(known())), kind="proc", source="proc")
    tree.mount(
        "/sys/fs/cgroup", Pseudo(lambda: _cgroup(known())), readonly=True, kind="cgroup2",
        source="cgroup",
    )  # fmt: skip


def _proc(kernel: "Kernel | None") -> "Mapping[str, Made]":
    # Imported here: few containers are asked.
    from cluster.runtime.vos.proc import system

    return system.entries(kernel) if kernel is not None else {}


def _cgroup(kernel: "Kernel | None") -> "Mapping[str, Made]":
    from cluster.runtime.vos.proc import cgroup

    return cgroup.entries(kernel) if kernel is not None else {}
