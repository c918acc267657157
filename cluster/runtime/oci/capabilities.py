"""Which capabilities a container has. Pure. The names are the kernel's (capability.h)."""

from collections.abc import Iterable, Sequence
from typing import Final

_NAMES: Final = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
"""
_CONTAINERD: Final = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
SYS_CHROOT KILL AUDIT_WRITE
"""
ALL: Final = tuple(f"CAP_{name}" for name in _NAMES.split())
"""In the order of their numbers."""
_USUAL: Final = frozenset(f"CAP_{name}" for name in _CONTAINERD.split())
"""What containerd gives."""


def of_mask(mask: int) -> tuple[str, ...]:
    """Those of a mask as /proc/PID/status shows it."""
    return tuple(name for number, name in enumerate(ALL) if mask >> number & 1)


def chosen(
    add: Sequence[str], drop: Sequence[str], *, privileged: bool, bounding: Iterable[str]
) -> list[str]:
    """Those of a container, none beyond `bounding`. What is added wins over what is dropped by
    name, as in containerd.
    """
    added, dropped = _full(add), _full(drop)
    wanted = set(ALL) if privileged or "CAP_ALL" in added else set(_USUAL)
    if "CAP_ALL" in dropped and not privileged:
        wanted = set()
    wanted -= dropped if not privileged else set()
    wanted |= added
    allowed = set(bounding)
    return [name for name in ALL if name in wanted and name in allowed]


def _full(names: Sequence[str]) -> set[str]:
    upper = (name.upper() for name in names)
    return {name if name.startswith("CAP_") else f"CAP_{name}" for name in upper}
