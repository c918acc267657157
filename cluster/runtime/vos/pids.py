"""Process ids: who sees whom. A container's processes are alone, unless its pod shares them
(shareProcessNamespace) or it was begun to look at another one (an ephemeral container's target).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cluster.runtime.vos.kernel import Kernel, Process

PAUSE: Final = ("/pause",)
PAUSE_USER: Final = 65535


class Row(NamedTuple):
    """A process. One that sleeps without a coroutine has no record; the pod's own first one is of
    no `kernel`.
    """

    pid: int
    argv: Sequence[str]
    process: "Process | None"
    kernel: "Kernel | None"

    @property
    def uid(self) -> int:
        """Whose it is."""
        if self.process is not None:
            return self.process.who.uid
        return PAUSE_USER if self.kernel is None else self.kernel.who.uid


class Pids:
    """A namespace of them. With `pause` it is a pod's: the first process is none of a container."""

    def __init__(self, *, pause: bool = False) -> None:
        self.pause = pause
        self.processes: dict[int, Process] = {}
        self.members: list[Kernel] = []
        self.look: Callable[[], None] = _nothing
        """Called before all are looked at: who joins late does so now."""
        self._next = 2

    def join(self, kernel: "Kernel") -> int:
        """Take a container in; the pid that its main process has."""
        self.members.append(kernel)
        return 1 if len(self.members) == 1 and not self.pause else self.new()

    def leave(self, kernel: "Kernel") -> None:
        """A container has ended."""
        if kernel in self.members:
            self.members.remove(kernel)

    def new(self) -> int:
        """The next pid."""
        found, self._next = self._next, self._next + 1
        return found

    def rows(self) -> list[Row]:
        """Every process, in order."""
        self.look()
        found = {pid: Row(pid, one.argv, one, one.kernel) for pid, one in self.processes.items()}
        for one in self.members:
            if one.main_argv:
                found.setdefault(one.main_pid, Row(one.main_pid, one.main_argv, None, one))
        if self.pause:
            found[1] = Row(1, PAUSE, None, None)
        return [found[pid] for pid in sorted(found)]

    def row(self, pid: int) -> Row | None:
        """One of them."""
        one = self.processes.get(pid)
        if one is not None:
            return Row(pid, one.argv, one, one.kernel)
        return next((row for row in self.rows() if row.pid == pid), None)


def _nothing() -> None:
    return
