"""The pods of the oci driver on the node's network: their interfaces are the kernel's.

The shim makes an interface inside a pod's network namespace and hands its descriptor over. It is
done when a sandbox begins, and for all that are there when a network comes up.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from cluster.aio import rpc, tasks
from cluster.runtime.oci import link
from cluster.runtime.records import Sandbox

if TYPE_CHECKING:
    from cluster.runtime.podbridge import Overlay


class Wires:
    """`sandboxes` are all of the driver, `pids` the processes that hold their namespaces."""

    def __init__(
        self, shim: link.Link, sandboxes: Mapping[str, Sandbox], pids: Mapping[str, int]
    ) -> None:
        self._link = shim
        self._sandboxes = sandboxes
        self._pids = pids
        self._overlay: Overlay | None = None
        self._errands = tasks.Background("wires", _failed)
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger().bind(component="runtime", driver="oci")
        self._told: set[str] = set()

    def plug(self, overlay: "Overlay | None") -> None:
        """From now on pods are on this network, or on none."""
        self._overlay = overlay
        if overlay is not None and self._sandboxes:
            self._errands.spawn(self._join_all(), "join")

    async def _join_all(self) -> None:
        for sandbox in list(self._sandboxes.values()):
            await self.join(sandbox)

    async def join(self, sandbox: Sandbox) -> None:
        """Have a sandbox on the network, if there is one and it has addresses there.

        What this machine lacks for that is told once, and the pod stays without a network.
        """
        async with self._turn:
            overlay = self._overlay
            address = next((one for one in sandbox.addresses if ":" not in one), "")
            pid = self._pids.get(sandbox.id, 0)
            if overlay is None or not address or not pid:
                return
            wanted = overlay.interface(address)
            try:
                descriptor = await self._link.descriptor("plug", id=sandbox.id, interface=wanted)
            except (link.Refused, rpc.Failure) as error:
                self._warn(str(error))
                return
            if self._overlay is overlay and self._pids.get(sandbox.id) == pid:
                overlay.attach(address, descriptor)
            else:
                os.close(descriptor)

    def leave(self, sandbox: Sandbox) -> None:
        """A sandbox is gone."""
        if self._overlay is not None:
            for address in sandbox.addresses:
                self._overlay.left(address)

    def close(self) -> None:
        """The node goes."""
        self._errands.cancel()

    def _warn(self, why: str) -> None:
        if why not in self._told and len(self._told) < 16:
            self._told.add(why)
            self._log.warning("pods of the oci driver have no network", why=why)


def _failed(name: str, error: BaseException) -> None:
    structlog.get_logger().error("pods could not join the network", task=name, error=repr(error))
