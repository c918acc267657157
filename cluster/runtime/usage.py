"""What a simulated container uses: what its annotations say, or a share of what it asks for. Pure.

What annotations say may change with the age of the container; what it has used since its start is
the area under that curve.
"""

import math
from dataclasses import dataclass
from typing import Final

from cluster.api.curves import Curve
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.script import Script

IDLE_CPU: Final = 1_000_000
"""Billionths of a core that a container without a request uses."""
IDLE_MEMORY: Final = 10 << 20
"""Bytes that a container without a request uses."""
_CPU_SHARE: Final = 10
_MEMORY_SHARE: Final = 2
"""A container uses a tenth of the cores and half of the memory that it requests: it is idle."""
_SHARES: Final = 1024
MEMORY_REQUEST: Final = "memory.min"
"""The cgroup v2 setting in which a kubelet passes a memory request (its MemoryQoS)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Cores in billionths, memory in bytes; `total` in nanoseconds of a core since the start;
    `storage` in bytes of its writable layer.
    """

    cpu: int
    memory: int
    total: int = 0
    storage: int = 0


def of(
    script: Script,
    resources: pb.LinuxContainerResources,
    age: float = 0.0,
    worked: tuple[int, int] = (0, 0),
) -> Usage:
    """What a container uses that has run for `age` seconds; limits hold for what annotations say,
    too. `worked` is what its programs have worked beside that (`vos.metering`).
    """
    cpu, memory = script.cpu, script.memory
    if cpu is None:
        cpu = _still(_idle_cpu(resources))
    if memory is None:
        memory = _still(max(_requested(resources) // _MEMORY_SHARE, IDLE_MEMORY))
    if resources.cpu_quota > 0 and resources.cpu_period > 0:
        cpu = cpu.capped(resources.cpu_quota * 1_000_000_000 // resources.cpu_period)
    held = int(memory.at(age))
    if resources.memory_limit_in_bytes > 0:
        held = min(held, resources.memory_limit_in_bytes)
    storage = 0 if script.storage is None else int(script.storage.at(age))
    return Usage(
        _capped(int(cpu.at(age)) + worked[0], resources), held, int(cpu.area(age)) + worked[1],
        storage,
    )  # fmt: skip


def cores(resources: pb.LinuxContainerResources) -> float:
    """How many cores a container may use at most; inf without a limit."""
    if resources.cpu_quota > 0 and resources.cpu_period > 0:
        return float(resources.cpu_quota / resources.cpu_period)
    return math.inf


def _capped(cpu: int, resources: pb.LinuxContainerResources) -> int:
    most = cores(resources)
    return cpu if math.isinf(most) else min(cpu, int(most * 1_000_000_000))


def _idle_cpu(resources: pb.LinuxContainerResources) -> int:
    # Rounded up, for the kubelet rounded down: so it is the request itself.
    millicores = -(-resources.cpu_shares * 1000 // _SHARES)
    return max(millicores * 1_000_000 // _CPU_SHARE, IDLE_CPU)


def _still(amount: int) -> Curve:
    return Curve((0.0,), (amount,))


def _requested(resources: pb.LinuxContainerResources) -> int:
    text = resources.unified.get(MEMORY_REQUEST, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
