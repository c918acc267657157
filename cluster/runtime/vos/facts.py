"""What the programs of a container can learn of the machine that they are on. Pure."""

from dataclasses import dataclass
from typing import Final

RELEASE: Final = "6.1.0-kubemu"
"""What the kernel of a node calls itself."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Bytes, and cores; 0 for a limit that there is not. `quota` and `period` are microseconds of
    CPU time, `weight` is cgroup v2's, `worked` microseconds.
    """

    release: str = RELEASE
    cores: int = 4
    memory: int = 8 << 30
    disk: int = 100 << 30
    memory_limit: int = 0
    memory_used: int = 10 << 20
    quota: int = 0
    period: int = 100_000
    weight: int = 1
    pids_limit: int = 0
    worked: int = 0

    @property
    def used(self) -> int:
        """Bytes of the machine's memory that are taken: by the container, and by its system."""
        return min(self.memory_used + (1 << 30), self.memory)


PLAIN: Final = Facts()


def weight(shares: int) -> int:
    """cgroup v2's cpu.weight of cgroup v1's shares, as runc turns one into the other."""
    if shares <= 0:
        return 100
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142
