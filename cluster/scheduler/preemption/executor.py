"""Evicts the victims of a pod, beside the scheduling of others (Kubernetes: KEP-4832).

While that goes on the plugin keeps the pod out of the queue; who is told at the end is `Waiting`.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from cluster.aio import tasks
from cluster.aio.clock import Clock
from cluster.api import conditions, errors, objects, timestamps
from cluster.api.operations import STRATEGIC_PATCH
from cluster.client import cause
from cluster.client.client import Client
from cluster.client.recorder import NORMAL
from cluster.scheduler import pods
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins.defaultpreemption import (
    DISRUPTION_TARGET,
    PREEMPTION_BY_SCHEDULER,
)
from cluster.scheduler.pods import PodInfo

_SECONDS: Final = 30.0


class Recorder(Protocol):
    """What it needs of an event recorder."""

    def event(
        self, obj: objects.Object, type: str, reason: str, message: str, action: str = ""
    ) -> None:
        """Note an event."""
        ...


class Waiting(Protocol):
    """Who lets pods wait: the queue."""

    def prepared(self, key: str, now: float, *, failed: bool) -> None:
        """The victims of a pod are being deleted; `failed`: not all of them, so try at once."""
        ...


class Executor:
    """Carries out what DefaultPreemption decided. `preempting`: whose victims are being evicted, by
    uid; every profile's plugin looks at it.
    """

    def __init__(
        self,
        preempting: dict[str, None],
        cache: Cache,
        queue: Waiting,
        *,
        client: Client,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self._preempting = preempting
        self._cache = cache
        self._queue = queue
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._log = structlog.get_logger().bind(component="scheduler")

    def begin(self, pod: PodInfo) -> None:
        """From now on the pod waits for `prepare`, which must follow."""
        self._preempting[pod.uid] = None

    async def prepare(self, pod: PodInfo, node: str, victims: Sequence[PodInfo]) -> None:
        """Evict the victims, and take their promise from pods of lower priority."""
        failed = True
        try:
            with cause.because(objects.revision(pod.object)):
                async with asyncio.timeout(_SECONDS):
                    await self._clear_nominations(pod, node)
                    failed = not await self._evict_all(pod, node, victims)
        except TimeoutError:
            self._log.warning("preemption not done in time", pod=pod.key, node=node)
        finally:
            self._preempting.pop(pod.uid, None)
            self._queue.prepared(pod.key, self._clock.now(), failed=failed)

    async def _evict_all(self, pod: PodInfo, node: str, victims: Sequence[PodInfo]) -> bool:
        """Whether every one is gone, or going."""
        async with tasks.Group("preemption") as group:
            evictions = [
                group.spawn(self._evict(pod, node, victim), victim.key) for victim in victims
            ]
        return all(eviction.result() for eviction in evictions)

    async def _evict(self, pod: PodInfo, node: str, victim: PodInfo) -> bool:
        """Whether the victim is gone, or going."""
        obj = victim.object
        if objects.deleting(obj):
            return True
        try:
            await self._disrupt(pod, victim)
            await self._client.delete(
                "pods", objects.name(obj), objects.namespace(obj), uid=victim.uid
            )
        except errors.NotFound:
            return True
        except errors.StatusError as failure:
            self._log.warning("victim not evicted", victim=victim.key, error=str(failure))
            return False
        text = f"Preempted by pod {pod.uid} on node {node}"
        self._recorder.event(obj, NORMAL, "Preempted", text, "Preempting")
        return True

    async def _disrupt(self, pod: PodInfo, victim: PodInfo) -> None:
        """Say in the victim's status why it ends."""
        name = pods.scheduler_name(pod.object)
        condition: objects.Object = {
            "type": DISRUPTION_TARGET,
            "status": "True",
            "reason": PREEMPTION_BY_SCHEDULER,
            "message": f"{name}: preempting to accommodate a higher priority pod",
        }
        known = conditions.find(victim.object, DISRUPTION_TARGET) or {}
        if all(known.get(field) == value for field, value in condition.items()):
            return
        if known.get("status") != "True":
            condition["lastTransitionTime"] = timestamps.encode(self._clock.now())
        await self._patch_status(victim, {"conditions": [condition]})

    async def _clear_nominations(self, pod: PodInfo, node: str) -> None:
        """Pods of lower priority may not fit any more: let them look for another node."""
        lower = self._cache.nominations.below(node, pod.priority)
        for one in lower:
            self._cache.nominations.drop(one.key)
        async with tasks.Group("nominations") as group:
            for one in lower:
                group.spawn(self._clear(one), one.key)

    async def _clear(self, pod: PodInfo) -> None:
        try:
            await self._patch_status(pod, {"nominatedNodeName": None})
        except errors.NotFound:
            pass  # deleted meanwhile
        except errors.StatusError as failure:
            self._log.warning("nomination not cleared", pod=pod.key, error=str(failure))

    async def _patch_status(self, pod: PodInfo, status: objects.Object) -> None:
        patch = {"metadata": {"uid": pod.uid}, "status": status}
        await self._client.patch(
            "pods", objects.name(pod.object), patch, objects.namespace(pod.object),
            subresource="status", patch_type=STRATEGIC_PATCH,
        )  # fmt: skip
