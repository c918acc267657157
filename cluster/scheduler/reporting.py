"""Tells the world what became of a pod: events, and the PodScheduled condition."""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from cluster.aio import tasks
from cluster.aio.clock import Clock
from cluster.api import conditions, errors, objects, timestamps
from cluster.api.operations import STRATEGIC_PATCH
from cluster.client import cause, recorder
from cluster.client.client import Client
from cluster.client.recorder import NORMAL, WARNING
from cluster.scheduler import diagnosis, unsupported
from cluster.scheduler.pods import PodInfo, scheduler_name

UNSCHEDULABLE: Final = "Unschedulable"
SCHEDULER_ERROR: Final = "SchedulerError"
_CONDITION: Final = "PodScheduled"
_MOST_WAITING: Final = 10_000
_AT_ONCE: Final = 256
_SECONDS: Final = 30.0
_REMEMBERED_OWNERS: Final = 1024


class Recorder(Protocol):
    """What it needs of an event recorder."""

    def event(
        self, obj: objects.Object, type: str, reason: str, message: str, action: str = ""
    ) -> None:
        """Note an event."""
        ...


class Recorders:
    """A recorder for each profile, by whose name pods' events are told (`named`, one at least)."""

    def __init__(self, named: Mapping[str, recorder.Recorder]) -> None:
        self.named = named
        self._first = next(iter(named.values()))

    def event(
        self, obj: objects.Object, type: str, reason: str, message: str, action: str = ""
    ) -> None:
        """Note an event."""
        chosen = self.named.get(scheduler_name(obj), self._first)
        chosen.event(obj, type, reason, message, action)


class Reporter:
    """Notes events at once, and writes status in its own time: the last word on each pod."""

    def __init__(self, client: Client, clock: Clock, recorder: Recorder) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._waiting: dict[str, tuple[PodInfo, objects.Object]] = {}
        self._wake = asyncio.Event()
        self._warned: dict[str, None] = {}
        self._log = structlog.get_logger().bind(component="scheduler")

    def scheduled(self, pod: PodInfo, node: str) -> None:
        """The pod is bound."""
        message = f"Successfully assigned {pod.key} to {node}"
        self._recorder.event(pod.object, NORMAL, "Scheduled", message, "Binding")

    def failed(self, pod: PodInfo, reason: str, message: str, nominated: str | None = None) -> None:
        """The pod was not scheduled; `reason` is UNSCHEDULABLE or SCHEDULER_ERROR.

        `nominated`: the node that it is promised from now on, "" for none; None: as it was.
        """
        text = diagnosis.cut(message)
        self._recorder.event(pod.object, WARNING, "FailedScheduling", text, "Scheduling")
        status: objects.Object = {}
        condition = {
            "type": _CONDITION, "status": "False", "reason": reason, "message": message,
        }  # fmt: skip
        known = conditions.find(pod.object, _CONDITION) or {}
        if any(known.get(field) != value for field, value in condition.items()):
            if known.get("status") != condition["status"]:
                condition["lastTransitionTime"] = timestamps.encode(self._clock.now())
            status["conditions"] = [condition]
        before = self._waiting.pop(pod.key, None)
        if nominated is None and before is not None and before[0].uid == pod.uid:
            nominated = before[1].get("nominatedNodeName", nominated)
        if nominated is not None and (before is not None or nominated != pod.nominated_node_name):
            status["nominatedNodeName"] = nominated or None
        if status:
            self._put(pod, status)

    def warn_unsupported(self, pod: PodInfo) -> None:
        """Say, once for all pods of an owner, what of its requirements is not looked at."""
        missing = unsupported.requirements(pod.object)
        if not missing:
            return
        owner = objects.controller_of(pod.object)
        known = (owner or {}).get("uid") or pod.uid
        if known in self._warned:
            return
        self._warned[known] = None
        if len(self._warned) > _REMEMBERED_OWNERS:
            del self._warned[next(iter(self._warned))]
        text = f"the scheduler does not have {', '.join(missing)} yet: placed without it"
        self._recorder.event(pod.object, WARNING, "NotImplementedYet", text, "Scheduling")
        self._log.warning("requirement not looked at", pod=pod.key, missing=missing)

    async def run(self) -> None:
        """Write conditions until cancelled."""
        while True:
            await self._wake.wait()
            batch = list(self._waiting)[:_AT_ONCE]
            taken = [self._waiting.pop(key) for key in batch]
            if not self._waiting:
                self._wake.clear()
            async with tasks.Group("conditions") as group:
                for pod, status in taken:
                    group.spawn(self._write(pod, status), pod.key)

    def _put(self, pod: PodInfo, status: objects.Object) -> None:
        self._waiting[pod.key] = (pod, status)
        if len(self._waiting) > _MOST_WAITING:
            dropped = next(iter(self._waiting))
            del self._waiting[dropped]
            self._log.warning("too many conditions to write; dropped one", pod=dropped)
        self._wake.set()

    async def _write(self, pod: PodInfo, status: objects.Object) -> None:
        obj = pod.object
        patch = {"metadata": {"uid": pod.uid}, "status": status}
        try:
            with cause.because(objects.revision(obj)):
                async with asyncio.timeout(_SECONDS):
                    await self._client.patch(
                        "pods", objects.name(obj), patch, objects.namespace(obj),
                        subresource="status", patch_type=STRATEGIC_PATCH,
                    )  # fmt: skip
        except errors.NotFound:
            pass  # deleted meanwhile
        except (TimeoutError, errors.StatusError) as failure:
            self._log.warning("condition not written", pod=pod.key, error=str(failure))
