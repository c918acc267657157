"""The machine's devices, for containers that may use them."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.oci.spec import Device

_OWN: Final = ("pts", "shm", "fd", "mqueue", "console", "ptmx", "tty", "null", "zero", "full",
               "random", "urandom")  # fmt: skip
"""What every container has of its own."""


def every() -> list[Device]:
    """All of the machine's, for who is privileged."""
    found = []
    for path in sorted(Path("/dev").rglob("*")):
        if path.relative_to("/dev").parts[0] not in _OWN and not path.is_symlink():
            one = _device(str(path), str(path), "rwm")
            if one is not None:
                found.append(one)
    return found


def named(asked: Sequence[pb.Device]) -> list[Device]:
    """Those that a configuration names. rpc.Failure where one is none."""
    found = []
    for one in asked:
        made = _device(one.host_path, one.container_path or one.host_path, one.permissions or "rwm")
        if made is None:
            text = "error gathering device information while adding custom device"
            raise rpc.Failure("UNKNOWN", f'{text} "{one.host_path}": not a device node')
        found.append(made)
    return found


def _device(path: str, inside: str, access: str) -> Device | None:
    try:
        seen = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    kind = "c" if stat.S_ISCHR(seen.st_mode) else "b" if stat.S_ISBLK(seen.st_mode) else ""
    if not kind:
        return None
    major, minor = os.major(seen.st_rdev), os.minor(seen.st_rdev)
    return Device(inside, kind, major, minor, stat.S_IMODE(seen.st_mode), access)
