"""The networks of a node's sandboxes, and who is in them: servers that sleep, or answer alone."""

import asyncio
import functools
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

import structlog

from cluster.aio import rpc
from cluster.runtime import addresses
from cluster.runtime.httpserving import Connection, Site
from cluster.runtime.machine import Machine
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace
from cluster.runtime.podsockets import Answering
from cluster.runtime.records import Container, Sandbox, State

WAKE_SECONDS: Final = 10.0
"""How long who connects waits for a woken program to listen on a port that it declares."""
_LATE_SECONDS: Final = 0.25
"""How long after it first waits for somebody it may still begin to listen elsewhere."""
_TURNS: Final = 100
"""Turns of the loop in which a program begins that waits for nothing."""

Wake = Callable[[Container], Awaitable[Machine]]
Emit = Callable[[Container, str], None]
Answers = Callable[[int], tuple[object, Answering] | None]
"""A connection to what answers at a port, and whose it is."""


class Spaces:
    """Namespaces by sandbox; each is made when somebody wants it. `wake` starts a sleeping
    container's program, `emit` writes a line to a container's log, `now` is the time in seconds.
    """

    def __init__(self, wake: Wake, emit: Emit, now: Callable[[], float]) -> None:
        self._now = now
        self.bridge = Bridge()
        self._wake = wake
        self._emit = emit
        self._sandboxes: dict[str, Sandbox] = {}
        """Those of the node's own network."""
        self._host: Namespace | None = None
        self._host_addresses: tuple[str, ...] = ()
        self._overlay_addresses: tuple[str, ...] = ()
        self._of_itself: list[Answers] = []

    def set_networks(self, networks: Sequence[addresses.Network]) -> None:
        """Pods' addresses are of these networks, and the node has the bridge's in each."""
        self.bridge.networks = tuple(networks)
        self._set_host_addresses()

    def set_node_addresses(self, held: Sequence[str]) -> None:
        """The node has these, too; the first is the one that it is known by."""
        self._overlay_addresses = tuple(held)
        self._set_host_addresses()

    def _set_host_addresses(self) -> None:
        self.bridge.leave(self._host_addresses)
        bridges = (str(one.network_address + 1) for one in self.bridge.networks)
        self._host_addresses = tuple(dict.fromkeys((*self._overlay_addresses, *bridges)))
        self.bridge.join(self._host_addresses, self.of_node)
        if self._host is not None:
            self._host.addresses = self._host_addresses

    def joined(self, sandbox: Sandbox) -> None:
        """A sandbox is there."""
        if sandbox.addresses:
            if sandbox.config.port_mappings:
                self.bridge.mapped[sandbox.addresses[0]] = sandbox.config.port_mappings
            self.bridge.join(sandbox.addresses, functools.partial(self.of, sandbox))
        else:
            self._sandboxes[sandbox.id] = sandbox
            self.bridge.set_on_node(sandbox.id, sandbox.config.port_mappings)

    def left(self, sandbox: Sandbox) -> None:
        """A sandbox is gone, with all its sockets."""
        self._sandboxes.pop(sandbox.id, None)
        self.bridge.set_on_node(sandbox.id, ())
        if sandbox.network is not None:
            sandbox.network.close()  # its last words still go out
            sandbox.network.occupant.leave()
        self.bridge.leave(sandbox.addresses)
        if sandbox.addresses:
            self.bridge.mapped.pop(sandbox.addresses[0], None)

    def ended(self, container: Container) -> None:
        """A container is gone: what it answered by itself is reset."""
        sandbox = container.sandbox
        space = sandbox.network if sandbox.addresses else self._host
        if space is not None and not container.script.program:
            space.break_answered(container)

    def of(self, sandbox: Sandbox) -> Namespace:
        """A sandbox's network."""
        if not sandbox.addresses:
            return self.of_node()
        if sandbox.network is None:
            occupant = Occupant(lambda: (sandbox,), self._wake, self._emit, self._now)
            sandbox.network = Namespace(self.bridge, sandbox.addresses, occupant)
            occupant.space = weakref.proxy(sandbox.network)
        return sandbox.network

    def of_node(self) -> Namespace:
        """The node's own network."""
        if self._host is None:
            occupant = Occupant(self._sandboxes.values, self._wake, self._emit, self._now)
            occupant.more = self._node_answers
            self._host = Namespace(self.bridge, self._host_addresses, occupant)
            occupant.space = weakref.proxy(self._host)
        return self._host

    def answer_by(self, answers: Answers) -> None:
        """Have this answer at ports of the node itself, after those that came before."""
        self._of_itself.append(answers)

    def _node_answers(self, port: int) -> tuple[object, Answering] | None:
        found = (answers(port) for answers in self._of_itself)
        return next((one for one in found if one is not None), None)

    def close(self) -> None:
        """The node goes."""
        self.bridge.close()


class Occupant:
    """Who is in a namespace. See `podnetwork.Occupant`."""

    space: Namespace
    """It has us: we only borrow it."""
    more: Answers | None = None
    """What answers where no container does."""

    def __init__(
        self, sandboxes: Callable[[], Iterable[Sandbox]], wake: Wake, emit: Emit,
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._now = now
        self._sandboxes = sandboxes
        self._wake = wake
        self._emit = emit

    def leave(self) -> None:
        """See there."""
        self._sandboxes = _none

    def answers(self, port: int) -> tuple[object, Answering] | None:
        """See there."""
        for one in self._running():
            if not one.script.program and port in one.script.ports:
                site = Site(
                    one.sandbox.config.metadata.name,
                    one.config.metadata.name,
                    functools.partial(self._emit, one),
                    one.script.answers,
                )
                return one, Connection(site)
        return None if self.more is None else self.more(port)

    def asleep(self) -> bool:
        """See there."""
        return any(_beginning(one) for one in self._running())

    async def wake(self, port: int) -> None:
        """See there. Those who declare the port are woken, all others only where none does."""
        asleep = [one for one in self._running() if _beginning(one)]
        declared = [one for one in asleep if port in one.script.ports]
        woken = [await self._woken(one) for one in declared or asleep]
        machines = [machine for machine in woken if machine is not None]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (WAKE_SECONDS if declared else 0.0)
        while machines and loop.time() < deadline and not self.space.listens(port):
            if not any(one.state is State.RUNNING for one in declared):
                break
            if any(machine.settled for machine in machines):
                deadline = min(deadline, loop.time() + _LATE_SECONDS)
            await self._change(deadline - loop.time())
        for machine in machines:
            await begun(machine)

    async def _woken(self, container: Container) -> Machine | None:
        """One that cannot start now (its volumes cannot be made) listens nowhere."""
        try:
            return await self._wake(container)
        except rpc.Failure as failure:
            structlog.get_logger().warning(
                "a container that sleeps cannot be woken", id=container.id, error=failure.text
            )
            return None

    async def _change(self, seconds: float) -> None:
        """Wait for somebody to listen."""
        try:
            async with asyncio.timeout(min(seconds, _LATE_SECONDS)):
                await self.space.changed.wait()
        except TimeoutError:
            pass

    def _running(self) -> Iterator[Container]:
        for sandbox in self._sandboxes():
            for container in sandbox.containers.values():
                if container.state is State.RUNNING and self._is_ready(container):
                    yield container

    def _is_ready(self, container: Container) -> bool:
        """Whether it has come to serve: until then nothing listens."""
        after = container.script.ready_after
        return after <= 0 or self._now() >= container.started_at / 1e9 + after


def _none() -> Iterable[Sandbox]:
    return ()


def _beginning(container: Container) -> bool:
    """Whether it sleeps, or is not wholly awake."""
    machine = container.machine
    return container.script.sleeps and (machine is None or not machine.settled)


async def begun(machine: Machine) -> None:
    """Give a program that was just woken time to begin; who waits for something is not awaited."""
    for _ in range(_TURNS):
        if machine.settled:
            return
        await asyncio.sleep(0)
    machine.settle()
