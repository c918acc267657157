"""Who a process is, and what the modes of files let it do. Pure.

Root may do everything, as one that has CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_CHOWN: capabilities
that a container drops are not heeded.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

READ: Final = 4
WRITE: Final = 2
SEARCH: Final = 1
"""Of a directory; of a file: execute."""
EXECUTE: Final = 1
SETGID: Final = 0o2000
STICKY: Final = 0o1000


class Owned(Protocol):
    """What has an owner and a mode."""

    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """User, group, further groups, and what is left out of the modes of new files."""

    uid: int = 0
    gid: int = 0
    groups: Collection[int] = ()
    umask: int = 0o022

    @property
    def root(self) -> bool:
        """Whether nothing is refused to it."""
        return self.uid == 0

    def belongs(self, gid: int) -> bool:
        """Whether it is in a group."""
        return gid == self.gid or gid in self.groups

    def may(self, node: Owned, bits: int) -> bool:
        """Whether the mode of a file lets it do all of `bits`; root cannot execute what nobody
        may.
        """
        if self.uid == 0:
            return True
        mode = node.mode
        if node.uid == self.uid:
            mode >>= 6
        elif self.belongs(node.gid):
            mode >>= 3
        return mode & bits == bits

    def may_execute(self, node: Owned) -> bool:
        """Whether it may run a file: root too only what somebody may."""
        return bool(node.mode & 0o111) and self.may(node, EXECUTE)

    def owns(self, node: Owned) -> bool:
        """Whether it may say who else may what."""
        return self.uid in (0, node.uid)


ROOT: Final = Credentials(groups=(0,))
