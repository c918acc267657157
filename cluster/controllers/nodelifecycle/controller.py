"""The node life cycle controller: the shell around health, zones, pacing and taints."""

import asyncio

import structlog

from cluster.aio import tasks
from cluster.api import conditions, errors, objects, timestamps
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context
from cluster.controllers.nodelifecycle import health, marking, pacing, taints, zones

LEASE_NAMESPACE = "kube-node-lease"
RETRIES = 5
"""How often one pass tries to write a node's status before it leaves it to the next."""


class NodeLifecycleController:
    """Watches heartbeats, marks silent nodes, taints them and marks their pods not ready."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._config = ctx.config
        self._client = ctx.client
        self._nodes = ctx.shared(context.NODES)
        self._leases = ctx.shared(context.LEASES)
        self._recorder = ctx.recorder("node-controller")
        self._marker = marking.PodMarker(ctx, self._recorder)
        self._queue = ctx.queue()
        self._log = structlog.get_logger().bind(controller="nodelifecycle")
        self._known: dict[str, objects.Object] = {}
        self._zones: dict[str, str] = {}
        """The zone of each node of `_known`."""
        self._signs: dict[str, health.Signs] = {}
        self._states: dict[str, zones.State] = {}
        self._paces: dict[str, pacing.Pace] = {}
        self._blind = False
        self._wake = asyncio.Event()
        self._rates = zones.Rates(
            normal=self._config.node_eviction_rate,
            secondary=self._config.secondary_node_eviction_rate,
            large_cluster=self._config.large_cluster_size_threshold,
            unhealthy_share=self._config.unhealthy_zone_threshold,
        )
        ctx.on_change(self._nodes, self._node_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._nodes, self._leases):
            await source.synced()
        tainting = reconciler.Reconciler("node-taints", self._queue, self._taint, workers=8)
        async with tasks.Group("nodelifecycle") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(tainting.run(), "taints")
            group.spawn(self._marker.run(), "pods")
            group.spawn(self._evict(), "evictions")
            group.spawn(self._monitor(), "monitor")

    def _node_changed(self, change: informer.Change) -> None:
        if change.new is not None and (
            change.old is None or _taint_inputs(change.old) != _taint_inputs(change.new)
        ):
            self._queue.add(change.key, change.revision)

    # NoSchedule taints

    async def _taint(self, name: str) -> None:
        node = self._nodes.store.get(name)
        if node is None:
            return
        wanted = taints.scheduling(node, timestamps.encode(self._ctx.clock.now()))
        if wanted is not None:
            await self._write_taints(node, wanted)

    # Heartbeats

    async def _monitor(self) -> None:
        while True:
            await self._pass()
            await asyncio.sleep(self._config.node_monitor_period)

    async def _pass(self) -> None:
        """Look at every node once."""
        nodes = list(self._nodes.store.list())
        self._classify(nodes)
        if self._blind:
            # The API was out of reach: silence then says nothing about the nodes.
            self._blind = False
            self._give_new_grace()
        by_zone: dict[str, list[bool]] = {}
        for node in nodes:
            try:
                current = await self._look_at(node)
            except errors.StatusError as failure:
                self._blind |= isinstance(failure, errors.ServiceUnavailable | errors.Timeout)
                self._log.warning(
                    "node health not updated", node=objects.name(node), error=str(failure)
                )
                continue
            if zones.EXCLUDED not in objects.labels(node):
                by_zone.setdefault(self._zone(node), []).append(current == "True")
        await self._handle_disruption(by_zone, nodes)
        if any(pace.queue for pace in self._paces.values()):
            self._wake.set()

    def _classify(self, nodes: list[objects.Object]) -> None:
        """Note nodes that came and went."""
        present = {objects.name(node): node for node in nodes}
        for name, node in present.items():
            if self._known.get(name) is not node:
                self._zones[name] = zones.zone_of(node)
            self._pace(self._zones[name])
            if name not in self._known:
                text = f"Node {name} event: Registered Node {name} in Controller"
                self._recorder.event(node, recorder.NORMAL, "RegisteredNode", text)
        for name, node in self._known.items():
            if name in present:
                continue
            text = f"Node {name} event: Removing Node {name} from Controller"
            self._recorder.event(node, recorder.NORMAL, "RemovingNode", text)
            self._pace(self._zones.pop(name)).remove(name)
            self._signs.pop(name, None)
            self._marker.forget(name)
        self._known = present

    def _zone(self, node: objects.Object) -> str:
        """The zone of a node, which is not read again at every pass."""
        name = objects.name(node)
        return self._zones[name] if self._known.get(name) is node else zones.zone_of(node)

    def _pace(self, zone: str) -> pacing.Pace:
        found = self._paces.get(zone)
        if found is None:
            now = asyncio.get_running_loop().time()
            found = self._paces[zone] = pacing.Pace(self._config.node_eviction_rate, now)
        return found

    async def _look_at(self, node: objects.Object) -> str | None:
        """Assess one node and do what follows; the status of Ready after that."""
        name = objects.name(node)
        assessed, node = await self._assess(name, node)
        if assessed.current is None:
            return None
        try:
            await self._pace_eviction(node, assessed.observed)
        except errors.StatusError as failure:
            self._log.info("taints not written, trying again", node=name, error=str(failure))
        went_down = assessed.current != "True" and assessed.observed == "True"
        if went_down:
            text = f"Node {name} status is now: NodeNotReady"
            self._recorder.event(node, recorder.NORMAL, "NodeNotReady", text)
        if assessed.observed != "True" or went_down:
            await self._marker.node_is_down(name, anew=went_down)
        else:
            self._marker.forget(name)
        return assessed.current

    async def _assess(
        self, name: str, node: objects.Object
    ) -> tuple[health.Assessment, objects.Object]:
        """Assess and, where the node fell silent, write that; again upon a conflict."""
        for attempt in range(RETRIES):
            assessed = health.assess(
                node,
                self._leases.store.get(f"{LEASE_NAMESPACE}/{name}"),
                self._signs.get(name),
                self._ctx.clock.now(),
                grace=self._config.node_monitor_grace_period,
                startup_grace=self._config.node_startup_grace_period,
            )
            self._signs[name] = assessed.signs
            if assessed.conditions is None:
                return assessed, node
            status = {**objects.status(node), "conditions": assessed.conditions}
            try:
                written = await self._client.update(
                    context.NODES, {**node, "status": status}, subresource="status"
                )
            except errors.Conflict:
                if attempt == RETRIES - 1:
                    raise
                node = await self._client.get(context.NODES, name)
            else:
                return assessed, written
        raise errors.conflict(context.NODES, name, errors.MODIFIED)

    async def _handle_disruption(
        self, by_zone: dict[str, list[bool]], nodes: list[objects.Object]
    ) -> None:
        booting = not self._states
        outcome = zones.update(self._states, by_zone, self._rates)
        loop_time = asyncio.get_running_loop().time()
        for zone, rate in outcome.rates.items():
            self._pace(zone).set_rate(rate, loop_time)
        if outcome.entered:
            if booting:
                self._log.info("no node is ready yet: no evictions until one is")
            else:
                self._log.warning("all nodes are not ready: no more evictions")
        if self._states and all(state is zones.State.FULL for state in self._states.values()):
            # At every pass, as one that fails (a stale node, a lost request) must not stand.
            for node in nodes:
                await self._release(self._nodes.store.get(objects.name(node)) or node)
        if outcome.left:
            self._log.info("some nodes are ready again: evictions go on")
            self._give_new_grace()

    def _give_new_grace(self) -> None:
        now = self._ctx.clock.now()
        for name, signs in self._signs.items():
            self._signs[name] = health.Signs(now, signs.heartbeat, signs.renewed)

    async def _release(self, node: objects.Object) -> None:
        """Take a node's evicting taints off; one that fails is seen to in the next pass."""
        try:
            await self._reachable(node)
        except errors.StatusError as failure:
            self._log.info("taints not removed", node=objects.name(node), error=str(failure))

    # NoExecute taints

    async def _pace_eviction(self, node: objects.Object, observed: str) -> None:
        """Take a ready node's evicting taints off; queue a silent one for them."""
        if observed == "True":
            await self._reachable(node)
            return
        pace = self._pace(self._zone(node))
        opposite = taints.UNREACHABLE if observed == "False" else taints.NOT_READY
        if taints.has(node, opposite, "NoExecute"):
            # Its pods are being evicted already: the other taint takes over at once.
            await self._write_evicting(node, observed)
            return
        wanted = taints.NOT_READY if observed == "False" else taints.UNREACHABLE
        name = objects.name(node)
        if not taints.has(node, wanted, "NoExecute") and name in pace.taken:
            pace.remove(name)
        if pace.add(name, objects.uid(node)):
            self._wake.set()

    async def _reachable(self, node: objects.Object) -> None:
        self._pace(self._zone(node)).remove(objects.name(node))
        await self._write_evicting(node, "True")

    async def _write_evicting(self, node: objects.Object, ready: str) -> None:
        if ready == "True" and not objects.spec(node).get("taints"):
            return  # what nearly every node is, at every pass
        wanted = taints.evicting(node, ready, timestamps.encode(self._ctx.clock.now()))
        if wanted is not None:
            await self._write_taints(node, wanted)

    async def _evict(self) -> None:
        """Put NoExecute taints on queued nodes, each zone at its pace."""
        while True:
            now = asyncio.get_running_loop().time()
            for pace in list(self._paces.values()):
                for name in pace.due(now):
                    await self._evict_node(pace, name)
            waits = [pace.next_in(now) for pace in self._paces.values()]
            soonest = min((wait for wait in waits if wait is not None), default=None)
            self._wake.clear()
            try:
                async with asyncio.timeout(soonest):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _evict_node(self, pace: pacing.Pace, name: str) -> None:
        node = self._nodes.store.get(name)
        ready = conditions.find(node, "Ready") if node is not None else None
        if node is None or ready is None or ready["status"] == "True":
            return
        try:
            await self._write_evicting(node, ready["status"])
        except errors.NotFound:
            return
        except errors.StatusError as failure:
            self._log.info("node not tainted, trying again", node=name, error=str(failure))
            pace.retry(name)

    async def _write_taints(self, node: objects.Object, wanted: taints.Taints) -> None:
        """Write all taints of a node, if it is still as it was read. errors.Conflict."""
        meta = objects.meta(node)
        patch = {
            "metadata": {"uid": meta.get("uid"), "resourceVersion": meta.get("resourceVersion")},
            "spec": {"taints": wanted or None},
        }
        await self._client.patch(context.NODES, objects.name(node), patch)


def _taint_inputs(node: objects.Object) -> tuple[object, ...]:
    """What NoSchedule taints depend on."""
    spec = objects.spec(node)
    shown = [
        (found.get("type"), found.get("status"))
        for found in objects.status(node).get("conditions") or ()
    ]
    return spec.get("unschedulable"), spec.get("taints"), shown
