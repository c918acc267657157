"""The taint eviction controller: the shell around `schedule`."""

import asyncio

import structlog

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, recorder
from cluster.controllers import context, podwrites
from cluster.controllers.tainteviction import schedule, toleration

REASON = "DeletionByTaintManager"
MESSAGE = "Taint manager: deleting due to NoExecute taint"
BATCH = 200
"""Pods that are evicted together at most."""
TRY_AGAIN = 1.0
"""Seconds after which a failed eviction is tried again."""


class TaintEvictionController:
    """Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._nodes = ctx.shared(context.NODES)
        self._pods = ctx.shared(context.PODS)
        self._recorder = ctx.recorder("taint-eviction-controller")
        self._log = structlog.get_logger().bind(controller="tainteviction")
        self._schedule = schedule.Schedule()
        self._taints: dict[str, list[objects.Object]] = {}
        self._wake = asyncio.Event()
        ctx.on_change(self._nodes, self._node_changed)
        ctx.on_change(self._pods, self._pod_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._nodes, self._pods):
            await source.synced()
        async with tasks.Group("tainteviction") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(self._evict(), "evictions")

    def _node_changed(self, change: informer.Change) -> None:
        name = objects.name(change.object)
        before = self._taints.get(name, [])
        after = toleration.no_execute(change.new) if change.new is not None else []
        if before == after:
            return
        if after:
            self._taints[name] = after
        else:
            self._taints.pop(name, None)
        if change.new is None:
            return  # the pods of a node that is gone are the pod garbage collector's
        for pod in self._pods.store.by_index(context.NODE, name):
            self._judge(pod)

    def _pod_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if new is None:
            if self._schedule.forget(change.key):
                self._say(change.object, "Cancelling deletion of Pod")
            return
        spec, before = objects.spec(new), objects.spec(old or {})
        facts = ("nodeName", "tolerations")
        if old is not None and all(spec.get(name) == before.get(name) for name in facts):
            return
        if self._taints.get(spec.get("nodeName") or ""):
            self._judge(new)

    def _judge(self, pod: objects.Object) -> None:
        spec = objects.spec(pod)
        cancelled = self._schedule.update(
            objects.key(pod),
            spec.get("tolerations") or [],
            self._taints.get(spec.get("nodeName") or "", []),
            asyncio.get_running_loop().time(),
        )
        if cancelled:
            self._say(pod, "Cancelling deletion of Pod")
        self._wake.set()

    def _say(self, pod: objects.Object, what: str) -> None:
        text = f"{what} {objects.key(pod)}"
        self._recorder.event(pod, recorder.NORMAL, "TaintManagerEviction", text)

    async def _evict(self) -> None:
        """Evict each pod at its time."""
        while True:
            now = asyncio.get_running_loop().time()
            due = self._schedule.take_due(now)
            for start in range(0, len(due), BATCH):
                await self._evict_all(due[start : start + BATCH])
            self._wake.clear()
            try:
                async with asyncio.timeout_at(self._schedule.next_due()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _evict_all(self, keys: list[str]) -> None:
        found = [(key, self._pods.store.get(key)) for key in keys]
        pods = [(key, pod) for key, pod in found if pod is not None and not objects.deleting(pod)]
        for _, pod in pods:
            self._say(pod, "Marking for deletion Pod")
        now = self._ctx.clock.now()
        marks = [
            mark
            for _, pod in pods
            if (mark := podwrites.disrupted(pod, REASON, MESSAGE, now)) is not None
        ]
        for outcome in await self._client.submit_all(marks):
            if isinstance(outcome, errors.StatusError):
                # Only the condition is missing then; the deletion below counts, and is retried.
                self._log.debug("pod not marked", error=str(outcome))
        outcomes = await self._client.submit_all([podwrites.deletion(pod) for _, pod in pods])
        loop_time = asyncio.get_running_loop().time()
        for (key, _), outcome in zip(pods, outcomes, strict=True):
            if isinstance(outcome, errors.StatusError) and not isinstance(
                outcome, errors.NotFound | errors.Conflict
            ):
                self._log.warning("pod not evicted", pod=key, error=str(outcome))
                self._schedule.again(key, loop_time, TRY_AGAIN)
