"""Eviction signals: what is measured, which condition it sets, which resource is short. Pure.

Source: pkg/kubelet/eviction/api/types.go and helpers.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MEMORY: Final = "memory.available"
ALLOCATABLE_MEMORY: Final = "allocatableMemory.available"
NODE_FS: Final = "nodefs.available"
NODE_FS_INODES: Final = "nodefs.inodesFree"
IMAGE_FS: Final = "imagefs.available"
IMAGE_FS_INODES: Final = "imagefs.inodesFree"
CONTAINER_FS: Final = "containerfs.available"
CONTAINER_FS_INODES: Final = "containerfs.inodesFree"
PID: Final = "pid.available"

MEMORY_PRESSURE: Final = "MemoryPressure"
DISK_PRESSURE: Final = "DiskPressure"
PID_PRESSURE: Final = "PIDPressure"

STORAGE: Final = "ephemeral-storage"
INODES: Final = "inodes"
PIDS: Final = "pids"

CONDITIONS: Final[Mapping[str, str]] = {
    MEMORY: MEMORY_PRESSURE, ALLOCATABLE_MEMORY: MEMORY_PRESSURE,
    NODE_FS: DISK_PRESSURE, NODE_FS_INODES: DISK_PRESSURE,
    IMAGE_FS: DISK_PRESSURE, IMAGE_FS_INODES: DISK_PRESSURE,
    CONTAINER_FS: DISK_PRESSURE, CONTAINER_FS_INODES: DISK_PRESSURE,
    PID: PID_PRESSURE,
}  # fmt: skip
RESOURCES: Final[Mapping[str, str]] = {
    MEMORY: "memory", ALLOCATABLE_MEMORY: "memory",
    NODE_FS: STORAGE, NODE_FS_INODES: INODES,
    IMAGE_FS: STORAGE, IMAGE_FS_INODES: INODES,
    CONTAINER_FS: STORAGE, CONTAINER_FS_INODES: INODES,
    PID: PIDS,
}  # fmt: skip
BINARY: Final = frozenset({MEMORY, ALLOCATABLE_MEMORY, NODE_FS, IMAGE_FS, CONTAINER_FS})
"""Signals that count bytes: their amounts are told in Ki, Mi, Gi."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a signal says: how much there is still, and how much there is in all."""

    available: int
    capacity: int


Observations = Mapping[str, Observation]
"""By signal; what cannot be measured is not in it."""
