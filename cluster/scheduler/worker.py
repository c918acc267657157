"""The loop of a scheduler that leads: informers feed the queue and the node table, decisions become
bindings.
"""

import asyncio
import contextlib
import dataclasses
import functools
import random as randomness
from typing import Final

import structlog

from cluster.aio import clock, tasks
from cluster.api import objects
from cluster.client import cause, informer
from cluster.client.client import Client
from cluster.scheduler import binding, explain, figures, pods, reporting
from cluster.scheduler.config import Config
from cluster.scheduler.core import Core, Decision, Failed, Placed, Unfit
from cluster.scheduler.feed import Feed
from cluster.scheduler.framework.points import PostFilterResult
from cluster.scheduler.framework.status import Code, Status
from cluster.scheduler.nodes import workloads
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins import guard, registry
from cluster.scheduler.plugins.handle import Handle
from cluster.scheduler.preemption.budgets import Budgets
from cluster.scheduler.preemption.executor import Executor
from cluster.scheduler.queue.scheduling_queue import QueuedPod, SchedulingQueue, Timing
from cluster.scheduler.volumes import store as storage

_PODS: Final = "status.phase!=Succeeded,status.phase!=Failed"
_NOTHING: Final = PostFilterResult()
_TURN: Final = 64
"""Decisions between two turns of the loop: watches and bindings go on in between."""


class Worker:
    """The state and the loop of a scheduler that leads."""

    def __init__(
        self,
        config: Config,
        *,
        client: Client,
        clock: clock.Clock,
        random: randomness.Random,
        history: explain.History,
        events: reporting.Recorders,
    ) -> None:
        self._config = config
        self._history = history
        self._clock = clock
        cache = Cache()
        self._budgets = Budgets()
        handle = Handle(cache, client, random, config.emulates, self._budgets)
        self._profiles = registry.profiles(config.served, handle, config.plugins)
        self._cores = {
            profile.scheduler_name: Core(profile, cache, random, history)
            for profile in self._profiles
        }
        self._queue = SchedulingQueue(self._profiles, _timing(config))
        self._feed = Feed(self._profiles.names, cache, self._queue)
        self._executor = Executor(
            handle.preempting, cache, self, client=client, clock=clock, recorder=events
        )
        self._attempts = figures.Attempts()
        self._attempts.follow_queue(self._queue.counts)
        self._wake = asyncio.Event()
        self._slots = binding.Slots(config.parallel_bindings, self._wake.set)
        self.reporter = reporting.Reporter(client, clock, events)
        self._log = structlog.get_logger().bind(component="scheduler")

    def follow(self, informers: informer.Informers) -> None:
        """Hear of nodes and pods, and of what says which pods belong together."""
        informers.get("nodes").on_change(self._on_node)
        informers.get("namespaces").on_change(self._on_namespace)
        for resource in (workloads.SERVICES, *workloads.CONTROLLERS.values()):
            informers.get(resource).on_change(functools.partial(self._on_workload, resource))
        for resource in storage.RESOURCES:
            informers.get(resource).on_change(functools.partial(self._on_storage, resource))
        informers.get("pods", fields=_PODS).on_change(self._on_pod)
        informers.get("poddisruptionbudgets.policy").on_change(self._on_budget)

    def prepared(self, key: str, now: float, *, failed: bool) -> None:
        """The victims of a pod are on their way out, or could not be evicted."""
        self._queue.prepared(key, now, failed=failed)
        self._wake.set()

    def waits(self, key: str) -> tuple[str, str]:
        """Where a pod waits (see SchedulingQueue.where), and why it is gated."""
        where, pod = self._queue.where(key), self._queue.pod(key)
        if where != "gated" or pod is None:
            return where, ""
        status = self._profiles.admit(pod)
        return where, f"{status.plugin}: {status.message}"

    async def run(self, group: tasks.Group) -> None:
        """Schedule until cancelled; bindings are tasks of `group`."""
        while True:
            self._wake.clear()
            for _ in range(_TURN):
                queued = self._next()
                if queued is None:
                    break
                self._attempt(queued, group)
            else:
                await asyncio.sleep(0)
                continue
            await self._rest()

    @property
    def _full(self) -> bool:
        """Whether no more pods may be on their way to their nodes."""
        return self._slots.full

    def _next(self) -> QueuedPod | None:
        return None if self._full else self._queue.pop(self._clock.now())

    async def _rest(self) -> None:
        """Wait until something happens, or the next pod's time comes."""
        at = None if self._full else self._queue.next_time()
        seconds = None if at is None else max(0.0, at - self._clock.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _attempt(self, queued: QueuedPod, group: tasks.Group) -> None:
        pod = queued.pod
        self.reporter.warn_unsupported(pod)
        loop = asyncio.get_running_loop()
        began = loop.time()
        decision = self._decide(queued)
        self._attempts.decided(took := loop.time() - began)
        if isinstance(decision, Placed):
            self._slots.taken += 1
            group.spawn(self._bind(queued, decision, began), f"bind/{pod.key}")
        elif isinstance(decision, Unfit):
            self._attempts.ended(pods.scheduler_name(pod.object), figures.UNSCHEDULABLE, took)
            self._unfit(queued, decision, group)
        else:
            self._attempts.ended(pods.scheduler_name(pod.object), figures.ERROR, took)
            self._give_up(queued, reporting.SCHEDULER_ERROR, decision.message, ())

    def _unfit(self, queued: QueuedPod, unfit: Unfit, group: tasks.Group) -> None:
        """Let the pod wait, for room that is made for it where there are victims."""
        pod, result = queued.pod, unfit.result
        if result.victims and result.nominated_node_name:
            self._attempts.preempted()
            self._executor.begin(pod)
        self._give_up(queued, reporting.UNSCHEDULABLE, unfit.message, unfit.rejected_by, result)
        if result.victims and result.nominated_node_name:
            preparation = self._executor.prepare(pod, result.nominated_node_name, result.victims)
            group.spawn(preparation, f"preempt/{pod.key}")

    def _decide(self, queued: QueuedPod) -> Decision:
        try:
            return self._core(queued.pod).schedule(queued.pod, self._clock.now())
        except Exception as fault:  # noqa: BLE001  (a plugin's fault fails the one pod's attempt)
            self._log.exception("scheduling failed", pod=queued.pod.key)
            message = guard.told(fault)
            self._history.failed(queued.pod.key, queued.pod.uid, self._clock.now(), message)
            return Failed(message)

    def _core(self, pod: pods.PodInfo) -> Core:
        """Who decides for the pod: its profile is of its scheduler's name."""
        return self._cores[pods.scheduler_name(pod.object)]

    async def _bind(self, queued: QueuedPod, placed: Placed, began: float) -> None:
        pod = queued.pod
        core = self._core(pod)
        try:
            with cause.because(objects.revision(pod.object)):
                status = await binding.bind(core.profile, self._config, pod, placed, self._slots)
        except Exception as fault:  # noqa: BLE001  (a plugin's fault fails the one pod's attempt)
            self._log.exception("binding failed", pod=pod.key)
            status = Status(Code.ERROR, (guard.told(fault),))
        finally:
            self._slots.taken -= 1
            self._wake.set()
        took = asyncio.get_running_loop().time() - began
        self._attempts.ended(pods.scheduler_name(pod.object), _result(status), took)
        if status.ok:
            self._queue.done(queued)
            self.reporter.scheduled(pod, placed.node)
            for plugin in core.profile.post_binds:
                plugin.post_bind(placed.state, pod, placed.node)
            return
        core.release(placed.state, pod, placed.node)
        self._history.undone(pod.key, pod.uid, status.message)
        self._log.info("binding failed", pod=pod.key, node=placed.node, error=status.message)
        if status.rejected:
            rejected_by = (status.plugin,)
            self._give_up(queued, reporting.UNSCHEDULABLE, status.message, rejected_by)
        else:
            self._give_up(queued, reporting.SCHEDULER_ERROR, status.message, ())

    def _give_up(
        self,
        queued: QueuedPod,
        reason: str,
        message: str,
        rejected_by: tuple[str, ...],
        result: PostFilterResult = _NOTHING,
    ) -> None:
        """End an attempt without a node; say so, unless the pod is gone or bound by now."""
        if self._queue.failed(queued, rejected_by, self._clock.now()):
            self.reporter.failed(queued.pod, reason, message, result.nominated_node_name)

    def _on_node(self, change: informer.Change) -> None:
        self._feed.node(change.old, change.new, self._clock.now())
        self._wake.set()

    def _on_budget(self, change: informer.Change) -> None:
        if change.new is not None:
            self._budgets.set(change.new)
        elif change.old is not None:
            self._budgets.remove(objects.namespace(change.old), objects.name(change.old))

    def _on_namespace(self, change: informer.Change) -> None:
        self._feed.namespace(change.old, change.new)

    def _on_workload(self, resource: str, change: informer.Change) -> None:
        self._feed.workload(resource, change.old, change.new)

    def _on_storage(self, resource: str, change: informer.Change) -> None:
        self._feed.storage(resource, change.old, change.new, self._clock.now())
        self._wake.set()

    def _on_pod(self, change: informer.Change) -> None:
        self._feed.pod(change.old, change.new, self._clock.now())
        self._wake.set()


def _result(status: Status) -> str:
    if status.ok:
        return figures.SCHEDULED
    return figures.UNSCHEDULABLE if status.rejected else figures.ERROR


def _timing(config: Config) -> Timing:
    """Before Kubernetes 1.33 nobody's backoff was cut short."""
    if config.emulates(33):
        return config.timing
    return dataclasses.replace(config.timing, pop_from_backoff=False)
