"""The node IPAM controller: the shell around `cidrs`."""

import structlog

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context
from cluster.controllers.nodeipam import cidrs

WORKERS = 32


class NodeIpamController:
    """Writes spec.podCIDR and spec.podCIDRs of nodes that have none."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._nodes = ctx.shared(context.NODES)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("cidrAllocator")
        self._log = structlog.get_logger().bind(controller="nodeipam")
        self._set = cidrs.CidrSets(ctx.config.node_networks())
        self._waiting: dict[str, None] = {}
        self._reserved: dict[str, tuple[str, ...]] = {}
        ctx.on_change(self._nodes, self._changed)

    async def run(self) -> None:
        """Serve until cancelled: only once every range that is in use is known."""
        await self._nodes.synced()
        work = reconciler.Reconciler("nodeipam", self._queue, self.reconcile, workers=WORKERS)
        async with tasks.Group("nodeipam") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        if change.new is None:
            self._waiting.pop(change.key, None)
            reserved = self._reserved.pop(change.key, None)
            self._set.release([*_ranges(change.object), *(reserved or ())])
            for name in self._waiting:
                self._queue.add(name, change.revision)
            return
        ranges = _ranges(change.new)
        for cidr in ranges:
            if not self._set.occupy(cidr):
                self._log.warning("range outside the cluster's", node=change.key, range=cidr)
        if not ranges:
            self._queue.add(change.key, change.revision)

    async def reconcile(self, name: str) -> None:
        """Give one node its ranges. What could not be written stays reserved for it."""
        node = self._nodes.store.get(name)
        if node is None or _ranges(node):
            self._waiting.pop(name, None)
            self._settle(name, node)
            return
        if name not in self._reserved:
            try:
                self._reserved[name] = self._set.allocate()
            except cidrs.Full as failure:
                self._refuse(node, failure)
                return
        ranges = self._reserved[name]
        patch = {
            "metadata": {"uid": objects.uid(node)},
            "spec": {"podCIDR": ranges[0], "podCIDRs": list(ranges)},
        }
        try:
            self._settle(name, await self._client.patch(context.NODES, name, patch))
        except errors.NotFound:
            self._settle(name, None)

    def _settle(self, name: str, node: objects.Object | None) -> None:
        """The reservation is over: the node has these ranges, or others, or is gone."""
        own = _ranges(node) if node is not None else []
        self._set.release([cidr for cidr in self._reserved.pop(name, ()) if cidr not in own])

    def _refuse(self, node: objects.Object, failure: cidrs.Full) -> None:
        name = objects.name(node)
        self._waiting[name] = None
        text = f"Node {name} status is now: CIDRNotAvailable"
        self._recorder.event(node, recorder.NORMAL, "CIDRNotAvailable", text)
        self._log.warning("no pod range for a node", node=name, why=str(failure))


def _ranges(node: objects.Object) -> list[str]:
    spec = objects.spec(node)
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))
