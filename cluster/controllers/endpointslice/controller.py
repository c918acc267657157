"""The EndpointSlice controller: the shell around `endpoints` and `packing`."""

from collections.abc import Mapping

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context
from cluster.controllers.endpointslice import endpoints, packing, writing

ZONE_LABEL = "topology.kubernetes.io/zone"
SETTLE_RATE = 5_000.0
"""Endpoints looked at a second, at most, because of changes of single pods (context.settle)."""


class EndpointSliceController:
    """Keeps the slices of every Service with a selector in line with its pods."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._services = ctx.shared(context.SERVICES)
        self._pods = ctx.shared(context.PODS)
        self._nodes = ctx.shared(context.NODES)
        self._slices = ctx.shared(context.ENDPOINT_SLICES)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("endpoint-slice-controller")
        self._written = writing.SliceWriter(ctx.client, self._slices)
        self._sizes: dict[str, int] = {}
        ctx.on_change(self._services, self._service_changed)
        ctx.on_change(self._pods, self._pod_changed)
        ctx.on_change(self._slices, self._slice_changed)
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

    def _pod_changed(self, change: informer.Change) -> None:
        if not endpoints.changed(change.old, change.new):
            return
        labels = [objects.labels(pod) for pod in (change.old, change.new) if pod is not None]
        for service in self._services.store.by_index(
            context.NAMESPACE, objects.namespace(change.object)
        ):
            selector = objects.spec(service).get("selector")
            if selector and any(selector.items() <= own.items() for own in labels):
                self._look_later(objects.key(service), change.revision)

    def _slice_changed(self, change: informer.Change) -> None:
        labels = objects.labels(change.object)
        name = labels.get(packing.SERVICE_NAME)
        if name and labels.get(packing.MANAGED_BY) == packing.CONTROLLER:
            key = f"{objects.namespace(change.object)}/{name}"
            self._look_later(key, change.revision)

    def _node_changed(self, change: informer.Change) -> None:
        """A node's zone shows in the endpoints of its pods."""
        before, after = (_zone(side) for side in (change.old, change.new))
        if before == after:
            return
        for pod in self._pods.store.by_index(context.NODE, objects.name(change.object)):
            for service in self._services.store.by_index(context.NAMESPACE, objects.namespace(pod)):
                selector = objects.spec(service).get("selector")
                if selector and selector.items() <= objects.labels(pod).items():
                    self._look_later(objects.key(service), change.revision)

    def _look_later(self, key: str, revision: int) -> None:
        size = self._sizes.get(key, 0)
        self._queue.add_after(key, context.settle(size, SETTLE_RATE), revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Bring the slices of one Service in line."""
        service = self._services.store.get(key)
        if service is None:
            self._sizes.pop(key, None)
            self._written.forget(key)
            return  # its slices are garbage, and collected as such
        if objects.deleting(service):
            return
        selector = objects.spec(service).get("selector")
        if not selector or objects.spec(service).get("type") == "ExternalName":
            return  # the slices of a service without selector are its maker's own
        if self._written.stale(key):
            self._queue.add_after(key, 1.0)
            return
        space = objects.namespace(service)
        matching = [
            pod
            for pod in self._pods.store.by_index(context.NAMESPACE, space)
            if selector.items() <= objects.labels(pod).items()
        ]
        self._sizes[key] = len(matching)
        wanted = endpoints.desired(service, matching, self._zone_of)
        existing = [
            found
            for found in self._slices.store.by_index(context.NAMESPACE, space)
            if _is_own(found, objects.name(service))
        ]
        limit = self._ctx.config.max_endpoints_per_slice
        try:
            owner, families = packing.of_service(service), endpoints.address_types(service)
            await self._written.carry_out(
                key, packing.plan(owner, existing, wanted, limit, families)
            )
        except errors.StatusError as failure:
            if not isinstance(failure, errors.Conflict | errors.NotFound):
                text = f"Error updating Endpoint Slices for Service {key}: {failure}"
                self._recorder.event(
                    service, recorder.WARNING, "FailedToUpdateEndpointSlices", text
                )
            raise

    def _zone_of(self, node: str) -> str:
        return _zone(self._nodes.store.get(node))


def _zone(node: objects.Object | None) -> str:
    labels: Mapping[str, str] = objects.labels(node) if node is not None else {}
    return labels.get(ZONE_LABEL, "")


def _is_own(found: objects.Object, service: str) -> bool:
    labels = objects.labels(found)
    return (
        labels.get(packing.SERVICE_NAME) == service
        and labels.get(packing.MANAGED_BY) == packing.CONTROLLER
        and not objects.deleting(found)
    )
