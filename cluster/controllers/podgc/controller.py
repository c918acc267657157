"""The pod garbage collector: the shell around `decision`."""

import asyncio
from collections.abc import Sequence

import structlog

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.api.operations import Operation
from cluster.client import informer
from cluster.controllers import context, podstate, podwrites
from cluster.controllers.podgc import decision

PERIOD = 20.0
"""Seconds between passes."""
QUARANTINE = 40.0
"""Seconds that a node must be missing before its pods are ended: it may be about to register."""
BATCH = 200


class PodGarbageCollector:
    """Ends pods that no kubelet will end."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._pods = ctx.shared(context.PODS)
        self._nodes = ctx.shared(context.NODES)
        self._missing_since: dict[str, float] = {}
        self._log = structlog.get_logger().bind(controller="podgc")
        self._wake = asyncio.Event()
        self._finished: dict[str, None] = {}
        self._leaving: dict[str, None] = {}
        ctx.on_change(self._pods, self._pod_changed)

    def _pod_changed(self, change: informer.Change) -> None:
        """A pod that begins to end and was never bound has nobody to wait for."""
        old, pod = change.old, change.new
        self._sort(change.key, pod)
        if pod is None or not objects.deleting(pod) or objects.spec(pod).get("nodeName"):
            return
        if old is None or not objects.deleting(old):
            self._wake.set()

    def _sort(self, key: str, pod: objects.Object | None) -> None:
        """Remember which pods a pass has to look at: most are at home on their node."""
        _note(self._finished, key, pod is not None and podstate.is_finished(pod))
        _note(self._leaving, key, pod is not None and objects.deleting(pod))

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._pods, self._nodes):
            await source.synced()
        async with tasks.Group("podgc") as group:
            group.spawn(self._passes(), "passes")

    async def _passes(self) -> None:
        while True:
            self._wake.clear()
            await self._pass()
            try:
                async with asyncio.timeout(PERIOD):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _pass(self) -> None:
        nodes = {objects.name(node): node for node in self._nodes.store.list()}
        threshold = self._ctx.config.terminated_pod_gc_threshold
        suspects = dict(self._leaving)
        if 0 < threshold < len(self._finished):
            suspects |= self._finished
        for node in self._pods.store.index_values(context.NODE):
            if node not in nodes:
                suspects |= dict.fromkeys(self._pods.store.index_keys(context.NODE, node))
        pods = [pod for key in suspects if (pod := self._pods.store.get(key)) is not None]
        doomed = decision.decide(pods, nodes, threshold)
        await self._end([*doomed.finished, *doomed.stuck])
        for name in await self._gone(doomed):
            await self._end(doomed.missing_nodes[name], orphaned=True)

    async def _gone(self, doomed: decision.Doomed) -> list[str]:
        """Missing nodes that have been missing long enough, and that the API does not know."""
        now = asyncio.get_running_loop().time()
        self._missing_since = {
            name: self._missing_since.get(name, now) for name in doomed.missing_nodes
        }
        gone = []
        for name, since in self._missing_since.items():
            if now - since < QUARANTINE:
                continue
            try:
                await self._client.get(context.NODES, name)
            except errors.NotFound:
                gone.append(name)
            except errors.StatusError as failure:
                self._log.warning("node not looked up", node=name, error=str(failure))
        return gone

    async def _end(self, pods: Sequence[objects.Object], *, orphaned: bool = False) -> None:
        for start in range(0, len(pods), BATCH):
            batch = pods[start : start + BATCH]
            marks = [mark for pod in batch if (mark := self._mark(pod, orphaned)) is not None]
            await self._submit("pod not marked as failed", marks)
            deletions = [podwrites.deletion(pod, grace=0) for pod in batch]
            await self._submit("pod not deleted", deletions)

    def _mark(self, pod: objects.Object, orphaned: bool) -> Operation | None:
        if not orphaned:
            return podwrites.failed(pod)
        return podwrites.disrupted(
            pod,
            "DeletionByPodGC",
            "PodGC: node no longer exists",
            self._ctx.clock.now(),
            failed=True,
        )

    async def _submit(self, complaint: str, operations: Sequence[Operation]) -> None:
        """Write; what fails is told of, and comes up again in the next pass."""
        outcomes = await self._client.submit_all(operations)
        for operation, outcome in zip(operations, outcomes, strict=True):
            if isinstance(outcome, errors.StatusError) and not isinstance(
                outcome, errors.NotFound | errors.Conflict
            ):
                self._log.warning(complaint, pod=operation.name, error=str(outcome))


def _note(kept: dict[str, None], key: str, belongs: bool) -> None:
    if belongs:
        kept[key] = None
    else:
        kept.pop(key, None)
