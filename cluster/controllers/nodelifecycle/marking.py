"""Pods of nodes that are not ready are not ready: says so in their status.

The kubelet would, but it is silent. Services stop sending traffic to them by this.
"""

import structlog

from cluster.aio import tasks
from cluster.api import conditions, errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context, podwrites


class PodMarker:
    """Marks the pods of nodes that went down, and pods that come to nodes that are down."""

    def __init__(self, ctx: context.Context, events: recorder.Recorder) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._nodes = ctx.shared(context.NODES)
        self._pods = ctx.shared(context.PODS)
        self._recorder = events
        self._late = ctx.queue()
        self._marked: dict[str, None] = {}
        self._log = structlog.get_logger().bind(controller="nodelifecycle")
        ctx.on_change(self._pods, self._pod_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._pods.synced()
        async with tasks.Group("node-pods") as group:
            late = reconciler.Reconciler("node-pods", self._late, self._mark_late)
            group.spawn(late.run(), "late")

    async def node_is_down(self, name: str, *, anew: bool) -> None:
        """Mark the pods of a node that is down, once; again while that fails, and when it goes
        down `anew`. A write whose answer was lost, or a manager that died, may have made it so.
        """
        if not anew and name in self._marked:
            return
        self._marked.pop(name, None)
        try:
            await self._mark(list(self._pods.store.by_index(context.NODE, name)))
        except errors.StatusError as failure:
            self._log.info("pods not marked, trying again", node=name, error=str(failure))
        else:
            self._marked[name] = None

    def forget(self, name: str) -> None:
        """The node is ready, or gone."""
        self._marked.pop(name, None)

    def _pod_changed(self, change: informer.Change) -> None:
        new, old = change.new, change.old
        if new is None or not objects.spec(new).get("nodeName"):
            return
        if old is None or not objects.spec(old).get("nodeName"):
            node = self._nodes.store.get(objects.spec(new)["nodeName"])
            # Nearly every pod comes to a healthy node: only the others are worth a look.
            if node is not None and _is_down(node):
                self._late.add(change.key, change.revision)

    async def _mark_late(self, key: str) -> None:
        pod = self._pods.store.get(key)
        node = self._nodes.store.get(objects.spec(pod).get("nodeName", "")) if pod else None
        if pod is not None and node is not None and _is_down(node):
            await self._mark([pod])

    async def _mark(self, pods: list[objects.Object]) -> None:
        """Set Ready to False in these pods. Raises the first failure other than NotFound."""
        now = self._ctx.clock.now()
        marked = [
            (pod, operation)
            for pod in pods
            if (operation := podwrites.not_ready(pod, now)) is not None
        ]
        outcomes = await self._client.submit_all([operation for _, operation in marked])
        failure: errors.StatusError | None = None
        for (pod, _), outcome in zip(marked, outcomes, strict=True):
            if not isinstance(outcome, errors.StatusError):
                text = "Node is not ready"
                self._recorder.event(pod, recorder.WARNING, "NodeNotReady", text)
            elif not isinstance(outcome, errors.NotFound):
                failure = failure or outcome
        if failure is not None:
            raise failure


def _is_down(node: objects.Object) -> bool:
    """Whether the node says that it is not ready; one that never said anything is not down."""
    ready = conditions.find(node, "Ready")
    return ready is not None and ready["status"] != "True"
