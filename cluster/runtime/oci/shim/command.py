"""Programs that the shim runs and waits for, each with a deadline."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final

from cluster.runtime.oci.shim.reaper import Reaper

_SAID: Final = 8192


class Failed(Exception):
    """It failed; the message is what it said."""


class Commands:
    """Runs programs."""

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper

    async def run(
        self,
        argv: Sequence[str],
        seconds: float,
        *,
        stdin: int = subprocess.DEVNULL,
        cwd: str | None = None,
        pass_fds: Sequence[int] = (),
    ) -> str:
        """What it printed. Failed where it fails, is not there, or takes longer."""
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
            try:
                pid = self._reaper.spawn(
                    list(argv), stdin=stdin, stdout=said, stderr=complained, cwd=cwd,
                    pass_fds=tuple(pass_fds), start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise Failed(f"{argv[0]}: {error.strerror}") from error
            code = await self.finish(pid, argv[0], seconds)
            complained.seek(0)
            errors = complained.read(_SAID).decode(errors="replace").strip()
            if code:
                raise Failed(errors or f"{argv[0]} failed with {code}")
            said.seek(0)
            return said.read().decode(errors="replace")

    async def finish(self, pid: int, name: str, seconds: float) -> int:
        """The exit code of a program that was started; it is killed at its deadline. Failed."""
        end = self._reaper.end_of(pid)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(end)
        except TimeoutError:
            raise Failed(f"{name} did not end within {seconds:g} s") from None
        finally:
            if not end.done():  # else its pid may be somebody else's by now
                os.kill(pid, signal.SIGKILL)
