"""Who follows the log files of a runtime of others, which tells nobody that it has written.

A kubelet of Kubernetes follows with the file open, and reads it to its end also when the container
is removed meanwhile: here the files of a container that is followed are held open for a while.
"""

import asyncio
from typing import Final

from cluster.kubelet.foreign.logfiles import LogFiles

MOST_SECONDS: Final = 30
"""How long a question waits."""
LINGER: Final = 30.0
"""Seconds for which a follower who does not ask is waited for: he may be slow."""
MOST_HELD: Final = 64
_MOST_KNOWN: Final = 256
_LOOK: Final = 0.1
"""Seconds between two looks at a file: a stat(2)."""


class Following:
    """The followers of the logs of one node."""

    def __init__(self, logs: LogFiles) -> None:
        self._logs = logs
        self._until: dict[str, float] = {}
        """By container: when its last follower will have been away for too long."""
        self._held: dict[str, tuple[str, asyncio.TimerHandle]] = {}

    def came(self, container: str, until: float) -> None:
        """Somebody follows, and waits until then on the loop's clock."""
        if len(self._until) >= _MOST_KNOWN:  # some went that this kubelet did not remove
            now = asyncio.get_running_loop().time()
            self._until = {one: at for one, at in self._until.items() if at > now}
        self._until[container] = until + LINGER

    async def grown(self, path: str, seconds: float) -> None:
        """Until a file has grown or was turned over; so many seconds at most."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        # Nobody tells of a file.
        while (left := end - loop.time()) > 0 and not self._logs.grown(path):  # noqa: ASYNC110
            await asyncio.sleep(min(_LOOK, left))

    def removing(self, container: str, path: str) -> None:
        """A container goes: its files are held where they are followed."""
        loop = asyncio.get_running_loop()
        if self._until.pop(container, 0.0) > loop.time() and container not in self._held:
            self._logs.hold(path)
            self._held[container] = path, self._timer(container)
            if len(self._held) > MOST_HELD:
                self._forget(next(iter(self._held)))

    def held(self, container: str) -> str:
        """The path that the files had of a container that is gone; "" where they are not held."""
        found = self._held.get(container)
        if found is None:
            return ""
        found[1].cancel()
        self._held[container] = found[0], self._timer(container)
        return found[0]

    def _timer(self, container: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(LINGER, self._forget, container)

    def _forget(self, container: str) -> None:
        path, timer = self._held.pop(container)
        timer.cancel()
        self._logs.forget(path)
