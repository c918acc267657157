"""How many pulls a node does at once, and how many in a second.

Source: pkg/kubelet/images (serial and parallel pullers, throttled image service).
"""

import asyncio
from typing import Final

from cluster.aio import rpc

QPS_EXCEEDED: Final = "pull QPS exceeded"


class PullGate:
    """`parallel` pulls at once (0: any number); `qps` a second with `burst` at once (0: any)."""

    def __init__(self, parallel: int, qps: int = 0, burst: int = 0) -> None:
        self._turns = asyncio.Semaphore(parallel) if parallel else None
        self._qps = float(qps)
        self._burst = float(max(burst, 1))
        self._tokens = self._burst
        self._at = 0.0

    async def enter(self) -> None:
        """Wait for a turn; `leave` gives it back. rpc.Failure where there were too many."""
        if self._turns is not None:
            await self._turns.acquire()
        if not self._admitted():
            self.leave()
            raise rpc.Failure("UNKNOWN", QPS_EXCEEDED)

    def leave(self) -> None:
        """The pull is done."""
        if self._turns is not None:
            self._turns.release()

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
