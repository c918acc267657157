"""Writes down what happens on a machine, and puts back what was there when it comes back.

A change costs one small write(2), made before anybody is told of it. The file is made anew, short
again, at each start and whenever it has grown to several times what there is.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import structlog

from cluster.aio import clock as clocks
from cluster.runtime import logs
from cluster.runtime.config import Unusable
from cluster.runtime.records import Change, Container, Event
from cluster.runtime.state import entries, journal, recovery, restoring
from cluster.runtime.vos import spool

if TYPE_CHECKING:
    from cluster.runtime.imagestore import ImageStore

NAME: Final = "runtime.state"
_LEAST: Final = 1 << 20
_GROWTH: Final = 4
"""The file is made anew when it is this many times as long as at the last time, and over a MiB."""
_RETRY_SECONDS: Final = 5.0


@runtime_checkable
class Driver(restoring.Restorable, Protocol):
    """What is asked of a driver whose containers are kept."""

    pod_cidr: str

    def set_pod_cidr(self, cidrs: str) -> None:
        """Give pods addresses from these ranges."""


class Keeper:
    """The state of one node's runtime, in `folder`. `recover` before anything happens."""

    def __init__(
        self, folder: Path, node: str, driver: Driver, images: "ImageStore", clock: clocks.Clock
    ) -> None:
        self._folder = folder
        self._node = node
        self._driver = driver
        self._images = images
        self._clock = clock
        self._journal = journal.Journal(folder / NAME)
        self._lock = -1
        self._limit = _LEAST
        self._retry_at = 0.0
        self._log = structlog.get_logger().bind(component="runtime", node=node)

    async def recover(self, how: str) -> None:
        """Put back what was there, `how` being one of config.ON_RESTART. Unusable."""
        try:
            self._lock = journal.lock(self._folder)
            spool.Spool(self._folder / spool.NAME).clear()
            known = self._known()
        except journal.InUse as error:
            raise Unusable(f"--state-dir: {error}") from error
        except OSError as error:
            raise Unusable(f"--state-dir {self._folder} cannot be used: {error}") from error
        if how == "empty":
            self._throw_away(known)
            self._clear_volumes(known)
            known = recovery.Known(last_time=known.last_time)
            await self._images.clear()
        elif how == "reboot":
            now = max(int(self._clock.now() * 1e9), known.last_time + 1)
            known = recovery.rebooted(known, now)
            self._clear_volumes(known, memory=True)
        if known.pod_cidr and not self._driver.pod_cidr:
            self._driver.set_pod_cidr(known.pod_cidr)
        self._images.restore(known.images)
        await restoring.restore(self._driver, known, self._images)
        self._rewrite()
        if known.sandboxes:
            self._log.info(
                "the machine is back", as_it_comes=how, sandboxes=len(known.sandboxes),
                containers=len(known.containers),
            )  # fmt: skip

    def close(self) -> None:
        """Write no more, and let others have the folder."""
        self._journal.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # ---- what happens ------------------------------------------------------------------------

    def happened(self, event: Event) -> None:
        """Write down what happened to a sandbox or container."""
        sandbox, whose = event.sandbox, event.container
        if event.change is Change.DELETED:
            self._write(entries.Gone(whose))
        elif whose == sandbox.id:
            started = event.change is Change.STARTED
            self._write(entries.of_sandbox(sandbox) if started else entries.Stopped(whose))
        elif whose in sandbox.containers:
            container = sandbox.containers[whose]
            made = event.change is Change.CREATED
            self._write(entries.of_container(container) if made else entries.fate(container))

    def changed(self, container: Container) -> None:
        """Write down how a container is now."""
        self._write(entries.fate(container))

    def images_changed(self) -> None:
        """Write down which emulated images are here."""
        self._write(entries.Image(self._images.emulated()))

    def network_changed(self) -> None:
        """Write down where pod addresses come from."""
        self._write(entries.Network(self._driver.pod_cidr))

    # ------------------------------------------------------------------------------------------

    def _write(self, entry: entries.Entry) -> None:
        if self._lock < 0:
            return  # not recovered yet, or closed
        if not self._journal.open:
            if self._clock.now() >= self._retry_at:
                self._rewrite()
            return
        try:
            self._journal.add(entries.encode(entry))
        except OSError as error:
            self._failed(error)
            return
        if self._journal.size > self._limit:
            self._rewrite()

    def _rewrite(self) -> None:
        try:
            self._journal.replace(map(entries.encode, self._everything()))
        except OSError as error:
            self._failed(error)
            return
        self._limit = max(_LEAST, _GROWTH * self._journal.size)

    def _failed(self, error: OSError) -> None:
        """What is not written down is lost with this process; it is tried anew after a while."""
        self._retry_at = self._clock.now() + _RETRY_SECONDS
        self._log.error("the state cannot be written", path=str(self._journal.path), error=error)

    def _everything(self) -> Iterator[entries.Entry]:
        yield entries.Machine(self._node, self._driver.time())
        if self._driver.pod_cidr:
            yield entries.Network(self._driver.pod_cidr)
        yield entries.Image(self._images.emulated())
        yield from entries.everything(self._driver.sandboxes.values())

    def _known(self) -> recovery.Known:
        """What the file says; a file that is not whole is moved aside. Unusable, OSError."""
        path = self._journal.path
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return recovery.Known()
        content = journal.parse(data)
        damage = content.damage
        try:
            known = recovery.read(content.records)
        except entries.Unreadable as error:
            known, damage = recovery.Known(), f"it has records of another version: {error}"
        if known.node and known.node != self._node:
            raise Unusable(
                f"--state-dir {self._folder} holds the state of node {known.node}, and this is "
                f"{self._node}; give it a folder of its own, or remove {path}"
            )
        if damage:
            self._set_aside(path, damage, known)
        return known

    def _set_aside(self, path: Path, damage: str, known: recovery.Known) -> None:
        number = 1
        while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        path.rename(aside)
        self._log.error(
            "the state of this machine is damaged: what could be read of it is used",
            damage=damage, moved_to=str(aside), sandboxes=len(known.sandboxes),
            containers=len(known.containers),
        )  # fmt: skip

    @staticmethod
    def _clear_volumes(known: recovery.Known, *, memory: bool = False) -> None:
        # Imported here: most runtimes begin without any container.
        from cluster.runtime.state import volumes

        volumes.clear(known, memory=memory)

    @staticmethod
    def _throw_away(known: recovery.Known) -> None:
        """A new machine has no logs of old pods."""
        from cluster.pb.cri.v1 import api_pb2 as pb

        for box in known.sandboxes.values():
            folder = pb.PodSandboxConfig.FromString(box.config).log_directory
            if folder:
                logs.clear(Path(folder))
