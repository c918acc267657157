"""Slowing processes down: each runs for a share of the time, by SIGSTOP and SIGCONT in turn.

It needs no rights and no cgroup, and what the process holds (connections, leases) is as on a busy
machine: there, and late.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from cluster.launcher.lifecycle import Lifecycle, Phase

PERIOD: Final = 0.1
LEAST: Final = 0.01
MOST_SECONDS: Final = 3600.0

Send = Callable[[int, int], None]


class Slowdown:
    """Lets the process of `life` run for the share `cpu` of each tenth of a second, for `seconds`.

    ValueError, with a sentence. `ended` is called when the time is over; `stop` ends it before.
    """

    def __init__(
        self, life: Lifecycle, cpu: float, seconds: float, send: Send, ended: Callable[[], None]
    ) -> None:
        if not LEAST <= cpu <= 1 - LEAST:
            raise ValueError(f"it can have from {LEAST} to {1 - LEAST} of the time, not {cpu:g}")
        if not 0 < seconds <= MOST_SECONDS:
            raise ValueError(f"it can be slow for up to {MOST_SECONDS:g} s, not {seconds:g}")
        self.cpu = cpu
        self._life = life
        self._send = send
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + seconds
        self._held = 0
        """The process that is stopped now, 0 for none."""
        self._timer: asyncio.TimerHandle | None = None
        self._turn()

    def stop(self) -> None:
        """Let it run again, for good."""
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def _turn(self) -> None:
        """Hold it, or let it go: whichever is due."""
        if self._loop.time() >= self._end:
            self._release()
            self._ended()
            return
        wait = PERIOD * self.cpu
        if self._held:
            self._release()
        elif self._life.pid and not self._life.paused and self._life.phase is not Phase.STOPPING:
            self._held = self._life.pid
            self._send(self._held, signal.SIGSTOP)
            wait = PERIOD - wait
        self._timer = self._loop.call_later(wait, self._turn)

    def _release(self) -> None:
        """A process that was told to hang by others goes on hanging."""
        held, self._held = self._held, 0
        if held and held == self._life.pid and not self._life.paused:
            self._send(held, signal.SIGCONT)
