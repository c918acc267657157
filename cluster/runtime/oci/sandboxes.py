"""Sandboxes of the oci driver: a process that holds a pod's namespaces."""

import abc
import asyncio
import contextlib
from pathlib import Path
from typing import Final

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import logs
from cluster.runtime.oci import faults, link, spec
from cluster.runtime.oci.node import Node
from cluster.runtime.records import Change, Container, Sandbox, State

HANDLER: Final = "oci"


class Sandboxes(Node):
    """The part of the driver that has to do with sandboxes."""

    @abc.abstractmethod
    async def stop(self, container: Container, grace: float) -> None:
        """See `driver.Driver`."""

    @abc.abstractmethod
    async def remove(self, container: Container) -> None:
        """See `driver.Driver`."""

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str) -> Sandbox:
        """See `driver.Driver`."""
        if handler not in ("", HANDLER):
            text = f'failed to get sandbox runtime: no runtime for "{handler}" is configured'
            raise rpc.Failure("UNKNOWN", text)
        await self._connect()
        self._names.check(config)
        sandbox = Sandbox(self._new_id(), config, handler, 0, self._addresses.take(config))
        self._names.hold(config, sandbox.id)
        try:
            await self._boot(sandbox)
        except BaseException:
            self._names.free(config)
            self._addresses.give_back(sandbox.addresses)
            raise
        sandbox.created_at = self.time()
        self.sandboxes[sandbox.id] = sandbox
        self._tell(sandbox, sandbox.id, Change.STARTED)
        return sandbox

    async def _boot(self, sandbox: Sandbox) -> None:
        options = sandbox.config.linux.security_context.namespace_options
        made = spec.sandbox(
            sandbox.config, self._facts, str(self.folder / "pause"),
            self._cgroup(sandbox, sandbox.id),
        )  # fmt: skip
        own_network = options.network != pb.NODE
        try:
            told = await self.link.ask(
                "sandbox", id=sandbox.id, spec=made, shm=options.ipc != pb.NODE,
                addresses=list(sandbox.addresses) if own_network else None,
                own_processes=options.pid != pb.NODE,
            )  # fmt: skip
        except link.Refused as refused:
            text = f'failed to start sandbox "{sandbox.id}": {faults.starting(str(refused))}'
            raise rpc.Failure("UNKNOWN", text) from refused
        try:
            self._own.write(sandbox)
        except OSError as error:
            await self._delete(sandbox.id)
            with contextlib.suppress(OSError):
                self._own.clear(sandbox.id)
            text = f'failed to start sandbox "{sandbox.id}": failed to write its files: {error}'
            raise rpc.Failure("UNKNOWN", text) from error
        self._pids[sandbox.id] = told["pid"]
        if own_network:
            await self.wires.join(sandbox)

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        """See `driver.Driver`."""
        running = [one for one in sandbox.containers.values() if one.state is State.RUNNING]
        # One that fails keeps none of the others from being ended.
        ended = await asyncio.gather(
            *(self.stop(one, 0) for one in running), return_exceptions=True
        )
        for failure in ended:
            if failure is not None:
                raise failure
        if sandbox.ready:
            await self._delete(sandbox.id)
            self._stopped(sandbox)

    def _stopped(self, sandbox: Sandbox) -> None:
        if sandbox.ready:
            sandbox.ready = False
            self.wires.leave(sandbox)
            self._pids.pop(sandbox.id, None)
            self._addresses.give_back(sandbox.addresses)
            self._tell(sandbox, sandbox.id, Change.STOPPED)

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        """See `driver.Driver`."""
        await self.stop_sandbox(sandbox)
        for container in list(sandbox.containers.values()):
            await self.remove(container)
        if sandbox.id not in self.sandboxes:
            return  # somebody else was asked, too
        del self.sandboxes[sandbox.id]
        self._names.free(sandbox.config)
        self._own.clear(sandbox.id)
        cgroup = self._cgroup(sandbox, "")
        if cgroup:
            with contextlib.suppress(link.Refused):
                await self.link.ask("cgroup", path=cgroup.rstrip("/"))
        folder = sandbox.config.log_directory
        others = (one.config.log_directory for one in self.sandboxes.values())
        if self._files is not None and folder and folder not in others:
            logs.clear(Path(folder))
        self._tell(sandbox, sandbox.id, Change.DELETED)
