"""Looks at a node's usage and evicts: the shell around `manager`.

A node at rest costs nothing. It is looked at once, ten seconds after something changed among its
pods, and again only as long as something may change by itself: a curve, a shared load, a program
of the user's, a grace period, a pressure, or pods of a runtime that measures real processes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog

from cluster.aio import clock as clocks
from cluster.api import errors, objects
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.eviction import limits, measuring, messages, signals
from cluster.kubelet.eviction.manager import Eviction, Manager, Outcome, Settings
from cluster.kubelet.eviction.thresholds import parse
from cluster.kubelet.lifecycle.model import Verdict
from cluster.kubelet.node.speaking import NodeSpeaker
from cluster.kubelet.pods import Pod
from cluster.kubelet.serving import usage

PERIOD: Final = 10.0
"""evictionMonitoringPeriod of pkg/kubelet."""
CLEANUP_TIMEOUT: Final = 30.0
"""podCleanupTimeout: so long an evicted pod is waited for before the node is looked at again."""
_CLEANUP_POLL: Final = 1.0
_PREFIX: Final = "kubemu.dev/"
_SIMULATED: Final = ("memory", "ephemeral-storage", "pids")

_TOLD: Final = {
    signals.MEMORY_PRESSURE: ("NodeHasSufficientMemory", "NodeHasInsufficientMemory"),
    signals.DISK_PRESSURE: ("NodeHasNoDiskPressure", "NodeHasDiskPressure"),
    signals.PID_PRESSURE: ("NodeHasSufficientPID", "NodeHasInsufficientPID"),
}


class Watch:
    """Eviction on one node. `used` measures its containers, `report` hears of its pressures,
    `reclaim` frees disk without ending a pod.
    """

    def __init__(
        self,
        agent: NodeAgent,
        *,
        clock: clocks.Clock,
        used: Callable[[NodeAgent], Awaitable[usage.Usage]],
        report: Callable[[tuple[str, ...]], None],
        reclaim: Callable[[], Awaitable[None]],
        speaker: NodeSpeaker,
        spawn: Callable[[Coroutine[Any, Any, Any], str], object],
        measured: bool,
    ) -> None:
        config = agent.config
        self._agent = agent
        self._clock = clock
        self._used = used
        self._report = report
        self._reclaim = reclaim
        self._speaker = speaker
        self._spawn = spawn
        self._measured = measured
        settings = Settings(
            parse(
                config.eviction_hard, config.eviction_soft, config.eviction_soft_grace_period,
                config.eviction_minimum_reclaim,
                allocatable="pods" in config.enforce_node_allocatable,
            ),
            config.eviction_pressure_transition_period,
            config.eviction_max_pod_grace_period,
            old_messages=(config.version.major, config.version.minor) < (1, 29),
        )  # fmt: skip
        self._manager = Manager(settings)
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._stirred = False
        self._evicted: dict[str, Pod] = {}
        self._patience = 0.0
        self._log = structlog.get_logger().bind(component="kubelet", node=config.node_name)

    def stir(self) -> None:
        """Something changed among the pods: look soon."""
        self._stirred = True
        if self._timer is None and not self._closed:
            self._schedule(PERIOD)

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._due)

    def _due(self) -> None:
        self._spawn(self._turn(), f"eviction/{self._agent.config.node_name}")

    async def _turn(self) -> None:
        """Look, and say when to look again."""
        again: float | None = PERIOD
        self._stirred = False
        try:
            again = await self._look()
        except errors.StatusError as error:
            self._log.warning("eviction manager: failed to get summary stats", error=str(error))
        except Exception:  # noqa: BLE001  (it is logged, and looked again)
            self._log.exception("eviction manager failed")
        self._timer = None
        if again is None and self._stirred:
            again = PERIOD
        if again is not None and not self._closed:
            self._schedule(again)

    async def _look(self) -> float | None:
        """One turn; after how many seconds the next one is due, None: when something changes."""
        if self._cleaning():
            return _CLEANUP_POLL
        agent, now = self._agent, self._clock.now()
        used = await self._used(agent)
        seen, candidates = await measuring.measure(agent, used, now)
        outcome = self._manager.observe(seen, candidates, now)
        self._tell(outcome)
        evictions = list(outcome.evictions)
        if not evictions and outcome.reclaim is not None:
            threshold = outcome.reclaim
            resource = signals.RESOURCES[threshold.signal]
            self._speaker.say(
                "EvictionThresholdMet", f"Attempting to reclaim {resource}", warning=True
            )
            if signals.CONDITIONS[threshold.signal] == signals.DISK_PRESSURE:
                await self._reclaim()
                seen, candidates = await measuring.measure(agent, used, now)
                if self._manager.resolved(seen):
                    return PERIOD
            victim = self._manager.victim(threshold, seen, candidates)
            evictions += [victim] if victim is not None else []
        for one in evictions:
            self._evict(one)
        if evictions:
            self._patience = now + CLEANUP_TIMEOUT
            return _CLEANUP_POLL
        running = measuring.active(agent)
        lively = outcome.busy or (self._measured and running) or any(map(_lively, running))
        return PERIOD if lively else None

    def _cleaning(self) -> bool:
        """Whether pods that were evicted are still on their way out."""
        if self._clock.now() >= self._patience:
            self._evicted.clear()
        for uid, pod in list(self._evicted.items()):
            if pod.memory.removed or (pod.status or {}).get("phase") == "Failed":
                del self._evicted[uid]
        return bool(self._evicted)

    def _evict(self, eviction: Eviction) -> None:
        pod = self._agent.pods.get(eviction.uid)
        if pod is None:
            return
        self._log.info("pod evicted", pod=pod.key, signal=eviction.signal)
        self._agent.figures.count("kubelet_evictions", eviction.signal)
        self._evicted[pod.uid] = pod
        reason = messages.DISRUPTION
        verdict = Verdict(messages.REASON, eviction.message, eviction.grace, disruption=reason)
        self._agent.end(pod, verdict)

    def _tell(self, outcome: Outcome) -> None:
        before, now = self._agent.pressures, outcome.conditions
        if before == now:
            return
        self._agent.pressures = now
        self._report(now)
        for kind, reasons in _TOLD.items():
            if (kind in before) != (kind in now):
                reason = reasons[kind in now]
                name = self._agent.config.node_name
                self._speaker.say(reason, f"Node {name} status is now: {reason}")


def _lively(pod: Pod) -> bool:
    """Whether what a simulated pod uses may change without an event."""
    for key, value in objects.annotations(pod.object).items():
        if not key.startswith(_PREFIX):
            continue
        what = key[len(_PREFIX) :].partition(".")[0]
        if (what in _SIMULATED and "=" in value) or what == "load-from":
            return True
    if any(one.varies for one in pod.seen.containers):
        return True
    spec = objects.spec(pod.object)
    if any(one.get("command") or one.get("args") for one in spec.get("containers") or ()):
        return True
    return limits.limited(pod.object)
