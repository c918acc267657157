"""How many pulls a node does at once, and how many in a second.

Source: pkg/kubelet/images (serial and parallel pullers, throttled image service). Emulated images
have a lane of their own: no registry can hold them up.
"""

import asyncio
from typing import Final

from cluster.aio import rpc

QPS_EXCEEDED: Final = "pull QPS exceeded"


class PullGate:
    """`parallel` pulls at once (0: any number); `qps` a second with `burst` at once (0: any)."""

    def __init__(self, parallel: int, qps: int = 0, burst: int = 0) -> None:
        self._parallel = parallel
        self._lanes: dict[bool, asyncio.Semaphore] = {}
        self._qps = float(qps)
        self._burst = float(max(burst, 1))
        self._tokens = self._burst
        self._at = 0.0

    @property
    def takes_turns(self) -> bool:
        """Whether a pull may have to wait for others."""
        return self._parallel > 0

    async def enter(self, *, emulated: bool = False) -> None:
        """Wait for a turn; `leave` gives it back. rpc.Failure where there were too many."""
        if self._parallel:
            await self._lane(emulated=emulated).acquire()
        if not self._admitted():
            self.leave(emulated=emulated)
            raise rpc.Failure("UNKNOWN", QPS_EXCEEDED)

    def leave(self, *, emulated: bool = False) -> None:
        """The pull is done."""
        if self._parallel:
            self._lane(emulated=emulated).release()

    def _lane(self, *, emulated: bool) -> asyncio.Semaphore:
        lane = self._lanes.get(emulated)
        if lane is None:
            lane = self._lanes[emulated] = asyncio.Semaphore(self._parallel)
        return lane

    def _admitted(self) -> bool:
        if not self._qps:
            return True
        now = asyncio.get_running_loop().time()
        self._tokens = min(self._tokens + (now - self._at) * self._qps, self._burst)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
