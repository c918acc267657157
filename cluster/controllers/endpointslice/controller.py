"""The EndpointSlice controller: the shell around `endpoints` and `packing`."""

from collections.abc import Iterable, Sequence

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context, podsbyselector, reporting
from cluster.controllers.endpointslice import (
    endpoints,
    hintmemory,
    hints,
    packing,
    triggertimes,
    writing,
    zoneshares,
)

SETTLE_RATE = 5_000.0
"""Endpoints looked at a second, at most, because of changes of single pods (context.settle)."""
NODES_CHANGED = ""
"""In the queue, in place of a Service: the zones' shares may be others now."""


class EndpointSliceController:
    """Keeps the slices of every Service with a selector in line with its pods."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._services = ctx.shared(context.SERVICES)
        self._pods = ctx.shared(context.PODS)
        self._nodes = ctx.shared(context.NODES)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("endpoint-slice-controller")
        self._written = writing.SliceWriter(ctx)
        self._times = triggertimes.TriggerTimes()
        self._hints = hintmemory.Memory()
        self._automatic: dict[str, None] = {}
        self._shares: zoneshares.Shares | None = None
        self._selected = podsbyselector.PodsBySelector(ctx, context.SERVICES)
        self._selected.listen(self._look_later, endpoints.changed)
        ctx.on_change(self._services, self._service_changed)
        ctx.on_change(self._written.slices, self._slice_changed)
        ctx.on_change(self._nodes, self._node_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        work = reconciler.Reconciler(
            "endpointslice",
            self._queue,
            self.reconcile,
            workers=self._ctx.config.concurrent_service_endpoint_syncs,
        )
        async with tasks.Group("endpointslice") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    # What happened

    def _service_changed(self, change: informer.Change) -> None:
        if change.new is None:
            self._written.forget(change.key)
        self._queue.add(change.key, change.revision)

    def _slice_changed(self, change: informer.Change) -> None:
        for side in (change.old, change.new):
            name = objects.labels(side).get(packing.SERVICE_NAME) if side is not None else None
            if side is not None and name and _is_managed(side):
                self._look_later(f"{objects.namespace(side)}/{name}", change.revision)

    def _node_changed(self, change: informer.Change) -> None:
        """Whether there is a node, and in which zone, shows in the endpoints of its pods."""
        if zoneshares.facts(change.old) != zoneshares.facts(change.new):
            self._shares = None
            if self._automatic:
                self._queue.add_after(NODES_CHANGED, 1.0, change.revision)
        before, after = (_zone(side) for side in (change.old, change.new))
        if before == after:
            return
        for pod in self._pods.store.by_index(context.NODE, objects.name(change.object)):
            for key in self._selected.selecting(pod):
                self._look_later(key, change.revision)

    def _look_later(self, key: str, revision: int) -> None:
        size = self._selected.count(key)
        self._queue.add_after(key, context.settle(size, SETTLE_RATE), revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Bring the slices of one Service in line."""
        if key == NODES_CHANGED:
            self._look_at_shares()
            return
        service = self._services.store.get(key)
        if service is None:
            self._forget(key)
            return  # its slices are garbage, and collected as such
        spec = objects.spec(service)
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            return  # the slices of a service without selector are its maker's own
        if self._written.stale(key):
            self._queue.add_after(key, 1.0)
            return
        matching = self._selected.of(key)
        self._tell_lost(service, matching)
        try:
            await self._write(key, service, matching)
        except errors.StatusError as failure:
            if not isinstance(failure, errors.Conflict | errors.NotFound):
                self._tell_failure(service, str(failure))
            raise

    def _forget(self, key: str) -> None:
        self._automatic.pop(key, None)
        self._hints.forget(key)
        self._times.forget(key)
        self._written.forget(key)

    async def _write(
        self, key: str, service: objects.Object, pods: Sequence[objects.Object]
    ) -> None:
        wanted = endpoints.desired(service, pods, self._zone_of)
        existing = [
            found
            for found in self._written.of_service(key)
            if _is_managed(found) and not objects.deleting(found)
        ]
        changes = packing.plan(
            packing.of_service(service),
            [hints.bare(found) for found in existing],
            wanted,
            self._ctx.config.max_endpoints_per_slice,
            endpoints.address_types(service),
        )
        notices = self._hint(key, service, changes, existing)
        when = self._times.next(service, pods)
        for found in (*changes.create, *changes.update):
            triggertimes.stamp(found, when)
        if objects.deleting(service):
            changes.create.clear()  # the garbage collector would have to run after them
        try:
            await self._written.carry_out(key, changes)
        except errors.StatusError as failure:
            if not reporting.namespace_terminating(failure):
                raise
        for notice in notices:
            kind = recorder.WARNING if notice.warning else recorder.NORMAL
            self._recorder.event(service, kind, notice.reason, notice.message)

    def _hint(
        self,
        key: str,
        service: objects.Object,
        changes: packing.Changes,
        existing: Sequence[objects.Object],
    ) -> list[hintmemory.Notice]:
        if hints.is_automatic(service):
            self._automatic[key] = None
        else:
            self._automatic.pop(key, None)
        shares = self._known_shares() if key in self._automatic else {}
        known = hints.Known(shares, self._hints, self._ctx.config.emulates)
        return hints.add(service, changes, existing, known)

    def _known_shares(self) -> zoneshares.Shares:
        if self._shares is None:
            self._shares = zoneshares.of(self._nodes.store.list())
        return self._shares

    def _look_at_shares(self) -> None:
        """Look again at services whose hints do not do any more, or that could have some now."""
        shares = self._known_shares()
        waiting = [key for key in self._automatic if shares and key not in self._hints.populated]
        for key in dict.fromkeys([*self._hints.overloaded(shares), *waiting]):
            self._queue.add(key)

    def _tell_lost(self, service: objects.Object, pods: Iterable[objects.Object]) -> None:
        """A pod whose node is not there is left out until it is; the node's coming tells."""
        if objects.spec(service).get("publishNotReadyAddresses"):
            return
        lost = [pod for pod in pods if not endpoints.is_placed(pod, self._zone_of)]
        for pod in filter(endpoints.belongs, lost):
            node = objects.spec(pod).get("nodeName") or ""
            text = f"skipping Pod {objects.name(pod)} for Service {objects.key(service)}"
            self._tell_failure(service, f"{text}: Node {node} Not Found")
            return  # the first of them says enough

    def _tell_failure(self, service: objects.Object, why: str) -> None:
        text = f"Error updating Endpoint Slices for Service {objects.key(service)}: {why}"
        self._recorder.event(service, recorder.WARNING, "FailedToUpdateEndpointSlices", text)

    def _zone_of(self, node: str) -> str | None:
        return _zone(self._nodes.store.get(node))


def _zone(node: objects.Object | None) -> str | None:
    """The zone of a node, "" where it has none; None for no node."""
    return zoneshares.zone_of(node) if node is not None else None


def _is_managed(found: objects.Object) -> bool:
    return objects.labels(found).get(packing.MANAGED_BY) == packing.CONTROLLER
