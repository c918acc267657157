"""What containers use because of the load that their pods share, beside what the runtime tells.

The runtime knows neither the load nor how many pods there are to bear it; the workload's own object
tells both (`api.loads`), and is read when somebody asks what is used, for all pods and nodes of the
process together and for some seconds. Nothing runs otherwise. Only simulated containers are
burdened: what others use is measured.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import conditions, errors, loads, objects, quantity
from cluster.api.loads import Source
from cluster.api.objects import Object
from cluster.client.client import Client
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.cri import OURS
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.model import State
from cluster.kubelet.pods import Pod
from cluster.kubelet.serving.usage import Usage, Used
from cluster.pb.cri.v1 import api_pb2 as pb

FRESH: Final = 5.0
"""Seconds for which what a workload tells is taken for what it tells now."""
_SECONDS: Final = 3.0
_KEPT: Final = 4096


@dataclass(slots=True)
class _Gathered:
    """What a container has used because of its load: `total` until `at`, `rate` since."""

    at: float
    rate: float = 0.0
    total: float = 0.0

    def until(self, now: float) -> None:
        """Gather at the rate that was, until now."""
        self.total += self.rate * max(now - self.at, 0.0)
        self.at = now


class Loads:
    """Adds the share of each pod to what its containers use."""

    def __init__(self, client: Client, clock: clocks.Clock) -> None:
        self._client = client
        self._clock = clock
        self._workloads: dict[Source, tuple[float, Object | None]] = {}
        self._silent_until = 0.0
        """The API did not answer just now: it is left alone so long, in seconds of the loop."""
        self._lock = asyncio.Lock()
        self._gathered: dict[str, dict[str, _Gathered]] = {}
        self._log = structlog.get_logger().bind(component="kubelet")

    async def added(self, agent: NodeAgent, used: Usage) -> Usage:
        """What the containers of a node use, their loads included."""
        burdened = [(pod, source) for pod in agent.pods.values() if (source := _source(pod))]
        node = agent.config.node_name
        if not burdened or not await _simulated(agent):
            self._gathered.pop(node, None)
            return used
        shares = {source: await self._share(source) for _, source in burdened}
        now = self._clock.now()
        before, after = self._gathered.get(node, {}), dict[str, _Gathered]()
        found = dict(used)
        for pod, source in burdened:
            for identity, name in _running(pod, used):
                share = shares[source] if _is_ready(pod) else 0.0
                known = after[identity] = before.get(identity) or _Gathered(now)
                known.until(now)
                found[identity] = _burdened(pod, name, used[identity], share, known)
        self._gathered[node] = after
        return found

    async def _share(self, source: Source) -> float:
        """What each ready pod of a workload has to bear now."""
        workload = await self._workload(source)
        if workload is None:
            return 0.0
        try:
            return loads.share(workload, self._clock.now())
        except (ValueError, OverflowError) as error:
            key = f"{source.resource} {objects.key(workload)}"
            self._log.warning("a load cannot be read", workload=key, error=str(error))
            return 0.0

    async def _workload(self, source: Source) -> Object | None:
        """The workload; as it was last seen where the API does not answer."""
        time = asyncio.get_running_loop().time
        async with self._lock:
            known = self._workloads.get(source)
            if known is not None and time() - known[0] < FRESH:
                return known[1]
            found = known[1] if known is not None else None
            if time() < self._silent_until:
                return found
            try:
                async with asyncio.timeout(_SECONDS):
                    found = await self._client.get(source.resource, source.name, source.namespace)
            except errors.NotFound:
                found = None
            except (errors.StatusError, TimeoutError) as error:
                if isinstance(error, TimeoutError):
                    self._silent_until = time() + FRESH
                self._log.info("a workload's load is not known", name=source.name, error=str(error))
            if len(self._workloads) >= _KEPT:
                self._workloads.clear()
            self._workloads[source] = (time(), found)
            return found


def _source(pod: Pod) -> Source | None:
    return None if pod.memory.removed else loads.source(pod.object)


async def _simulated(agent: NodeAgent) -> bool:
    """Whether the node's containers are made up."""
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await agent.cri.version(pb.VersionRequest())
    except (rpc.Failure, TimeoutError):
        return False
    return bool(answer.runtime_name == OURS)


def _is_ready(pod: Pod) -> bool:
    status = pod.status if pod.status is not None else objects.status(pod.object)
    return conditions.is_true({"status": status}, "Ready")


def _running(pod: Pod, used: Mapping[str, Used]) -> Iterator[tuple[str, str]]:
    """The id and the name of each container that runs."""
    for one in pod.seen.containers:
        if one.state is State.RUNNING and one.id in used:
            yield one.id, one.name


def _burdened(pod: Pod, name: str, base: Used, share: float, known: _Gathered) -> Used:
    """What a container uses with its share; `known` gathers it from now on."""
    annotations = objects.annotations(pod.object)
    try:
        cores = loads.per_load(annotations, name, loads.CPU_PER_LOAD, loads.NANOCORES) * share
        held = loads.per_load(annotations, name, loads.MEMORY_PER_LOAD, 1) * share
    except ValueError:  # changed since the runtime made sure that it can be read
        cores = held = 0.0
    limits = podspec.limits(pod.object, name)
    cpu, memory = (base.cpu or 0) + int(cores), base.memory + int(held)
    if "cpu" in limits:
        cpu = min(cpu, quantity.milli(limits["cpu"]) * 1_000_000)
    if "memory" in limits:
        memory = min(memory, quantity.value(limits["memory"]))
    known.rate = max(cpu - (base.cpu or 0), 0)
    return Used(
        min(cpu, quantity.LARGEST),
        min(base.total + int(known.total), quantity.LARGEST),
        min(memory, quantity.LARGEST),
        base.rootfs,
    )
