"""RUN of `kubemu image build`: the builder's commands, run by the oci driver's processes."""

import contextlib
import random as randoms
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cluster.aio import clock
from cluster.images import faults, media
from cluster.images.store.layout import Store

if TYPE_CHECKING:
    from cluster.images.dockerfile.running import Command
    from cluster.runtime.oci.commands import Commands


class Runner(contextlib.AsyncExitStack):
    """Runs commands; nothing is started before the first. To be used as a context."""

    def __init__(self, store: Store, epoch: int, *, quiet: bool) -> None:
        super().__init__()
        self._store = store
        self._epoch = epoch
        self._quiet = quiet
        self._commands: Commands | None = None

    async def __aenter__(self) -> Self:
        return await super().__aenter__()

    async def run(self, command: "Command", target: Path) -> int:
        """See `dockerfile.running.Run`."""
        from cluster.runtime.oci import commands

        for layer in command.layers:
            if media.compression(layer.media_type) == "zstd":
                raise faults.Fault(f"{layer.digest} is compressed with zstd, which is not built")
        blobs = self._store.blobs
        order = commands.Order(
            [(one.digest, str(blobs.path(one.digest))) for one in command.layers],
            command.argv, command.environment, command.directory, command.user,
        )  # fmt: skip
        try:
            if self._commands is None:
                opening = commands.opened(
                    self._store.root / "running", randoms.SystemRandom(), clock.SystemClock().now()
                )
                self._commands = await self.enter_async_context(opening)
            return await self._commands.run(order, target, self._epoch, self._say)
        except commands.Failed as error:
            raise faults.Fault(str(error)) from error

    def _say(self, data: bytes) -> None:
        if not self._quiet:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
