"""The ends of children, and of what they leave behind: the shim is a subreaper."""

import asyncio
import os
import signal
import subprocess
from collections import OrderedDict
from typing import Final

_REMEMBERED: Final = 4096


class Reaper:
    """Hears of every end. A process that nobody waits for yet is remembered for a while."""

    def __init__(self) -> None:
        self._awaited: dict[int, asyncio.Future[int]] = {}
        self._ended: OrderedDict[int, int] = OrderedDict()

    def start(self) -> None:
        """Listen from now on; needs the loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def end_of(self, pid: int) -> asyncio.Future[int]:
        """The exit code of a child, when it has ended: 128 and the signal where one ended it."""
        future = self._awaited.get(pid)
        if future is None:
            future = self._awaited[pid] = asyncio.get_running_loop().create_future()
            if pid in self._ended:
                del self._awaited[pid]
                future.set_result(self._ended.pop(pid))
        return future

    def spawn(self, argv: list[str], **settings: object) -> int:
        """Start a program; its pid. OSError where it cannot be."""
        process = subprocess.Popen(argv, **settings)  # type: ignore[call-overload]
        process.returncode = 0  # its end is ours to hear of, not its object's
        return int(process.pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._note(pid, os.waitstatus_to_exitcode(status))

    def _note(self, pid: int, code: int) -> None:
        if code < 0:
            code = 128 - code
        future = self._awaited.pop(pid, None)
        if future is None:
            self._ended[pid] = code
            while len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)
        elif not future.done():
            future.set_result(code)
