"""The tie between an agent and its runtime: connects, hears events, and notices when it is gone.

A runtime in the same process calls back; any other streams its events, and is listed now and then
as a net under them. A runtime that comes back may be empty (the machine was restarted) or as it
was: the agent looks again at every pod either way.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Final

import structlog

from cluster.aio import backoff, rpc, tasks
from cluster.aio import clock as clocks
from cluster.api import quantity
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.cri import OURS, POD_UID, EventSource
from cluster.kubelet.node.health import Handler, Health
from cluster.pb.cri.v1 import api_pb2 as pb

_POLL: Final = 1.0
"""genericPlegRelistPeriod: how often a runtime without events is listed."""
_DOWN: Final = "container runtime is down"


class RuntimeLink:
    """Ties `agent` to its runtime. `on_health` hears of each change of the runtime's health."""

    def __init__(
        self,
        agent: NodeAgent,
        generator: random.Random,
        on_health: Callable[[Health], None],
        clock: clocks.Clock,
    ) -> None:
        self._clock = clock
        self._agent = agent
        self._random = generator
        self._on_health = on_health
        self._health = Health()
        self._pod_cidr = agent.config.pod_cidr
        self._synced = False
        self._connected = False
        self.known = asyncio.Event()
        """What the runtime has was listed once."""
        self._ours = True
        self._runtime = ""
        self._down: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger().bind(component="kubelet", node=agent.config.node_name)

    @property
    def streams(self) -> bool:
        """Whether it needs a task for `run`: the runtime is not in this process."""
        return not isinstance(self._agent.cri, EventSource)

    async def attach(self) -> None:
        """Tie up with a runtime in the same process. rpc.Failure."""
        cri = self._agent.cri
        if not isinstance(cri, EventSource):
            raise TypeError("the runtime is not in this process: run the link")
        cri.on_event(self._agent.on_event)
        await self._connect()

    async def run(self) -> None:
        """Stay connected to a runtime elsewhere, until cancelled."""
        pause = backoff.Backoff(self._random, initial=0.05, maximum=1.0)
        faults = backoff.Backoff(self._random, initial=1.0, maximum=60.0)
        while True:
            try:
                async with tasks.Group("runtime") as group:
                    await self._follow(group, pause)
            except rpc.Failure as failure:
                self._lost(failure)
            except Exception:  # noqa: BLE001  (it is logged, and followed again)
                self._log.exception("following the runtime failed")
                await faults.wait()
            await pause.wait()

    async def set_pod_cidr(self, cidr: str) -> None:
        """Tell the runtime where pod addresses come from; again after each connect."""
        self._pod_cidr = cidr
        if not self._connected:
            return
        try:
            await self._configure()
        except rpc.Failure as failure:
            # The connection is gone, or will be: connecting tells it again.
            self._log.warning("pod CIDR not passed to the runtime", error=failure.text)

    def set_synced(self) -> None:
        """The agent knows every pod that the API has: what else the runtime has may go."""
        self._synced = True
        self._agent.adopt_orphans()

    async def _follow(self, group: tasks.Group, pause: backoff.Backoff) -> None:
        stream = await self._events()
        await self._connect()
        pause.reset()
        if not self._ours:
            group.spawn(self._turn_logs_over(), "logs")
        if stream is None:
            await self._relist(min(_POLL, self._agent.config.relist_period))
            return
        relist = group.spawn(self._relist(self._agent.config.relist_period), "relist")
        async for event in stream:
            status = event.pod_sandbox_status
            uid = status.labels.get(POD_UID) or status.metadata.uid
            self._agent.on_event(uid, event.created_at)
        relist.cancel()
        raise rpc.Failure("UNAVAILABLE", "the stream of container events ended")

    async def _events(self) -> AsyncIterator[pb.ContainerEventResponse] | None:
        """The runtime's events; None where it has none, and is listed often instead. rpc.Failure"""
        try:
            return await self._agent.cri.get_container_events(pb.GetEventsRequest())
        except rpc.Failure as failure:
            if failure.code == "UNIMPLEMENTED":
                return None
            raise

    async def _turn_logs_over(self) -> None:
        # Imported here: kubemu's own runtime turns its logs over itself.
        from cluster.kubelet.foreign.rotation import Rotation

        config = self._agent.config
        size = quantity.value(config.container_log_max_size)
        files = config.container_log_max_files
        await Rotation(self._agent.cri, self._clock, size=size, files=files).run()

    async def _connect(self) -> None:
        answer = await self._agent.cri.version(pb.VersionRequest())
        self._ours = answer.runtime_name == OURS
        self._runtime = f"{answer.runtime_name}://{answer.runtime_version}"
        self._agent.set_runtime(answer.runtime_name)
        await self._agent.recover()
        if self._synced:
            self._agent.adopt_orphans()
        self._connected = True
        self.known.set()
        if self._down is not None:
            self._down.cancel()
            self._down = None
        await self._configure()

    async def _configure(self) -> None:
        """Pass the pod CIDR on, and learn whether the runtime is ready."""
        cri = self._agent.cri
        if self._pod_cidr:
            network = pb.NetworkConfig(pod_cidr=self._pod_cidr)
            config = pb.RuntimeConfig(network_config=network)
            await cri.update_runtime_config(pb.UpdateRuntimeConfigRequest(runtime_config=config))
        answer = await cri.status(pb.StatusRequest())
        found = {one.type: one for one in answer.status.conditions}
        self._set_health(
            Health(
                _error("container runtime", "Runtime", found.get("RuntimeReady")),
                _error("container runtime network", "Network", found.get("NetworkReady")),
                handlers=tuple(_handler(one) for one in answer.runtime_handlers),
                runtime=self._runtime,
            )
        )

    async def _relist(self, period: float) -> None:
        while True:
            await asyncio.sleep(period)
            await self._agent.recover()
            if self._synced:
                self._agent.adopt_orphans()

    def _lost(self, failure: rpc.Failure) -> None:
        if self._connected or self._down is None:
            self._log.warning("runtime not reached", error=failure.text)
        self._connected = False
        self._agent.set_open(False)
        if self._down is None:
            threshold = self._agent.config.runtime_down_threshold
            loop = asyncio.get_running_loop()
            down = Health(_DOWN, handlers=self._health.handlers, runtime=self._runtime)
            self._down = loop.call_later(threshold, self._set_health, down)

    def _set_health(self, found: Health) -> None:
        # A runtime without a network still runs pods of the node's own network.
        self._agent.set_open(self._connected and found.ready)
        if found != self._health:
            self._health = found
            self._on_health(found)


def _handler(told: pb.RuntimeHandler) -> Handler:
    features = told.features
    return Handler(told.name, features.recursive_read_only_mounts, features.user_namespaces)


def _error(what: str, kind: str, condition: pb.RuntimeCondition | None) -> str:
    """Why a condition of the runtime is not fulfilled, in the kubelet's words; "" where it is."""
    if condition is None:
        return f"{what} not ready: {kind}Ready condition not set"
    if condition.status:
        return ""
    return (
        f"{what} not ready: {kind}Ready=false reason:{condition.reason} message:{condition.message}"
    )
