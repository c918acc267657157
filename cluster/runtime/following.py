"""Who follows containers' logs: woken by what is new, and by the end.

On a node of Kubernetes who follows holds the log's file open, and reads it to its end also when the
container is removed meanwhile. So the log of a container that is removed while somebody follows is
kept for a while, without its names. Nothing is kept and no timer runs where nobody follows.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Final

from cluster.runtime import logs

MOST_SECONDS: Final = 30
"""How long a question waits."""
LINGER: Final = 30.0
"""Seconds for which a follower who does not ask is waited for: he may be slow."""
MOST_LEFT: Final = 128
"""Removed logs that are kept at once; the oldest goes."""


class Following:
    """The followers of the logs of one runtime, or of one shim."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        """By container: when its last follower will have been away for too long."""
        self._watched: dict[str, asyncio.TimerHandle] = {}
        self._left: dict[str, tuple[logs.Log, asyncio.TimerHandle]] = {}

    async def read(
        self,
        container: str,
        log: logs.Log,
        offset: int,
        limit: int,
        *,
        wait: float,
        ended: Callable[[], bool],
    ) -> logs.Part:
        """Part of a log, once there is some or the container has ended; `wait` seconds at most."""
        if wait > 0:
            self._until[container] = asyncio.get_running_loop().time() + wait + LINGER
            if offset >= log.kept.end and not ended():
                log.kept.follow(offset, offset)
                await log.grown(wait)
        over = ended() or container in self._left
        part = logs.part(log.kept, offset, limit)
        if container in self._until and wait > 0:
            log.kept.follow(offset, part.offset + len(part.data))
            self._watch(container, log)
        return dataclasses.replace(part, ended=over)

    def read_left(self, container: str, offset: int, limit: int) -> logs.Part | None:
        """Part of what a removed container left; None where that is not kept."""
        found = self._left.get(container)
        if found is None:
            return None
        log, timer = found
        part = logs.part(log.kept, offset, limit)
        if part.data:
            timer.cancel()
            self._left[container] = log, self._timer(container)
        return dataclasses.replace(part, ended=True)

    def removed(self, container: str, log: logs.Log) -> None:
        """A container goes, and its log with it: at once, or when it was read."""
        until = self._until.pop(container, None)
        timer = self._watched.pop(container, None)
        if timer is not None:
            timer.cancel()
        if until is None or until < asyncio.get_running_loop().time():
            log.kept.remove()
            return
        log.kept.hold()
        self._left[container] = log, self._timer(container)
        if len(self._left) > MOST_LEFT:
            self._forget(next(iter(self._left)))
        log.wake()

    def close(self) -> None:
        """Forget all that was left."""
        for container in list(self._left):
            self._forget(container)
        for timer in self._watched.values():
            timer.cancel()
        self._watched.clear()

    def _watch(self, container: str, log: logs.Log) -> None:
        """See to it that nothing is kept for a follower who has gone."""
        if container not in self._watched:
            self._watched[container] = asyncio.get_running_loop().call_at(
                self._until[container], self._look, container, log
            )

    def _look(self, container: str, log: logs.Log) -> None:
        del self._watched[container]
        until = self._until.get(container)
        if until is None or until <= asyncio.get_running_loop().time():
            self._until.pop(container, None)
            log.kept.unfollow()
        else:
            self._watch(container, log)

    def _timer(self, container: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(LINGER, self._forget, container)

    def _forget(self, container: str) -> None:
        log, timer = self._left.pop(container)
        timer.cancel()
        log.kept.remove()
