"""Experiments of chaos in a lab: the same files, on virtual time."""

import asyncio
from random import Random
from typing import Final

from cluster.aio import rpc
from cluster.api import errors
from cluster.apiserver.chaos.service import Injector
from cluster.apiserver.registry import Registry
from cluster.chaos import acts, reaching, report
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act
from cluster.chaos.running import Run
from cluster.chaos.targets import Member
from cluster.chaos.world import Unable
from cluster.lab.world import Cluster
from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire import addresses
from cluster.storage import faulty

_CLIENT: Final = addresses.parse("203.0.113.7")
_FIRST_PORT: Final = 40_000
_PORTS: Final = 20_000
_KNOWN: Final = (
    acts.LINKS, acts.FAULTS, acts.DISK, acts.STOP, acts.START, acts.KILL, acts.RESTART,
)  # fmt: skip
_CRASH: Final = 0.1
"""How long a supervisor takes to start again what has crashed."""


async def run(cluster: Cluster, made: ex.Experiment) -> report.Outcome:
    """Carry out an experiment in a lab."""
    return await Run(made, LabWorld(cluster), clock=cluster.clock).run()


class LabWorld:
    """See `chaos.world.World`. Parts are never paused or slow, and have one clock."""

    kind = "lab"
    name = "lab"

    def __init__(self, cluster: Cluster) -> None:
        self.client = cluster.client
        self._cluster = cluster
        self._injector: tuple[Registry, Injector] | None = None
        """Of the registry that serves now: a server that was restarted has forgotten all."""
        self._port = 0

    async def members(self) -> list[Member]:
        """See `World.members`: named as processes of `kubemu up`."""
        found = []
        for name in self._cluster.part_names:
            component, _, node = name.partition("/")
            running = self._cluster.part(name).running
            found.append(Member(name.replace("/", "-"), component, node, running))
        return found

    def lacks(self, act: Act) -> str:
        """See `World.lacks`."""
        if act.op == acts.DISK and not isinstance(self._cluster.store, faulty.Hurtable):
            return "the store of a lab has no disk to be made bad"
        return _lacks(act)

    async def do(self, act: Act) -> None:
        """See `World.do`."""
        if act.op == acts.LINKS:
            await self._set_links(act)
        elif act.op in (acts.FAULTS, acts.DISK):
            await self._set_faults(act)
        else:
            await self._to_part(act)

    async def struck(self, act: Act) -> int | None:
        """See `World.struck`."""
        try:
            registry = self._cluster.registry
        except errors.StatusError:  # it is down
            return None
        found = self._injector
        if found is None or found[0] is not registry:
            return None
        return reaching.hits(act, found[1].states())

    async def ask(self, address: str, port: int, request: bytes, within: float) -> bytes:
        """See `World.ask`: from an address beyond the cluster, by the node's eth0."""
        node = next(
            (
                one["metadata"]["name"]
                for one in self._cluster.list("nodes")
                if any(known["address"] == address for known in one["status"].get("addresses", ()))
            ),
            "",
        )
        runtime = self._cluster.part(f"runtime/{node}").component
        outer = runtime.plant.node.outer if runtime is not None and runtime.plant.node else None
        if outer is None:
            await asyncio.sleep(within)
            raise TimeoutError(f"{address} does not answer")
        self._port = (self._port + 1) % _PORTS
        source = Endpoint(_CLIENT, _FIRST_PORT + self._port)
        stream = await outer.connect(
            Endpoint(addresses.parse(address), port), source=source, timeout=within
        )
        try:
            await stream.send(request)
            line = await stream.receive()
            return bytes(line).partition(b"\n")[0]
        finally:
            stream.abort()

    async def _to_part(self, act: Act) -> None:
        name = await self._part(act.member)
        running = self._cluster.part(name).running
        if lacks := _lacks(act):
            raise Unable(lacks)
        if act.op != acts.START and running:
            await self._cluster.stop(name)
        if act.op == acts.KILL:
            await asyncio.sleep(_CRASH)
        if act.op != acts.STOP and not self._cluster.part(name).running:
            await self._cluster.start(name, wait=False)

    async def _part(self, member: str) -> str:
        names = self._cluster.part_names
        found = next((name for name in names if name.replace("/", "-") == member), None)
        if found is None:
            raise Unable(f"there is no {member}")
        return found

    async def _set_links(self, act: Act) -> None:
        request = reaching.links_request(act)
        try:
            await self._cluster.set_links(act.member, request)
        except rpc.Failure as failure:
            if not reaching.heals(act):
                raise Unable(failure.message) from failure

    async def _set_faults(self, act: Act) -> None:
        try:
            registry = self._cluster.registry
            if self._injector is None or self._injector[0] is not registry:
                seed = Random("lab/chaos")  # noqa: S311  (repeats)
                self._injector = registry, Injector(registry, self._cluster.store, seed)
            request = reaching.fault_request(act)
            if request is None:
                await self._injector[1].clear([act.id])
            else:
                await self._injector[1].set(request)
        except errors.StatusError as error:
            raise Unable(error.message) from error
        except ValueError as error:
            raise Unable(str(error)) from error


def _lacks(act: Act) -> str:
    return "" if act.op in _KNOWN else f"a lab does not know how to {act.op}"
