"""What a simulated container uses: what its annotations say, or a share of what it asks for. Pure.

The same at every moment yet; what a container has used since its start is that times its age.
"""

from dataclasses import dataclass
from typing import Final

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
    """Cores in billionths, memory in bytes."""

    cpu: int
    memory: int


def of(script: Script, resources: pb.LinuxContainerResources) -> Usage:
    """What a running container uses; limits hold for what annotations say, too."""
    cpu, memory = script.cpu, script.memory
    if cpu is None:
        # Rounded up, for the kubelet rounded down: so it is the request itself.
        millicores = -(-resources.cpu_shares * 1000 // _SHARES)
        cpu = max(millicores * 1_000_000 // _CPU_SHARE, IDLE_CPU)
    if memory is None:
        memory = max(_requested(resources) // _MEMORY_SHARE, IDLE_MEMORY)
    if resources.cpu_quota > 0 and resources.cpu_period > 0:
        cpu = min(cpu, resources.cpu_quota * 1_000_000_000 // resources.cpu_period)
    if resources.memory_limit_in_bytes > 0:
        memory = min(memory, resources.memory_limit_in_bytes)
    return Usage(cpu, memory)


def _requested(resources: pb.LinuxContainerResources) -> int:
    text = resources.unified.get(MEMORY_REQUEST, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
