"""The EndpointSliceMirroring controller: the shell around `mirror`."""

from typing import Final

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context, reporting
from cluster.controllers.endpointslice import packing, writing
from cluster.controllers.endpointslicemirroring import mirror

_FAILED: Final = "FailedToUpdateEndpointSlices"


class EndpointSliceMirroring:
    """Keeps slices of the Endpoints that users make for Services without a selector."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._services = ctx.shared(context.SERVICES)
        self._endpoints = ctx.shared(context.ENDPOINTS)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("endpoint-slice-mirroring-controller")
        self._written = writing.SliceWriter(ctx)
        ctx.on_change(self._services, self._service_changed)
        ctx.on_change(self._endpoints, self._endpoints_changed)
        ctx.on_change(self._written.slices, self._slice_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        workers = self._ctx.config.mirroring_concurrent_service_endpoint_syncs
        work = reconciler.Reconciler(
            "endpointslicemirroring", self._queue, self.reconcile, workers=workers
        )
        async with tasks.Group("endpointslicemirroring") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    # What happened

    def _service_changed(self, change: informer.Change) -> None:
        sides = [_has_selector(side) for side in (change.old, change.new)]
        if sides[0] != sides[1]:
            self._queue.add(change.key, change.revision)

    def _endpoints_changed(self, change: informer.Change) -> None:
        sides = [side is not None and mirror.wanted(side) for side in (change.old, change.new)]
        if any(sides):
            self._queue.add(change.key, change.revision)

    def _slice_changed(self, change: informer.Change) -> None:
        labels = objects.labels(change.object)
        name = labels.get(packing.SERVICE_NAME)
        if name and labels.get(packing.MANAGED_BY) == mirror.CONTROLLER:
            self._queue.add(f"{objects.namespace(change.object)}/{name}", change.revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Bring the slices of one Endpoints object in line."""
        found, service = self._endpoints.store.get(key), self._services.store.get(key)
        if self._written.stale(key):
            self._queue.add_after(key, 1.0)
            return
        existing = self._existing(key)
        if found is None or service is None or not mirror.wanted(found):
            await self._written.carry_out(key, packing.Changes(delete=existing))
            if found is None:
                self._written.forget(key)
            return
        if objects.spec(service).get("selector") or objects.deleting(found):
            return  # what was mirrored before the service had a selector stays, as in Kubernetes
        limit = self._ctx.config.mirroring_max_endpoints_per_subset
        desired = mirror.desired(found, limit)
        self._tell_left_out(found, desired, limit)
        await self._write(
            key, found, packing.plan(mirror.owner(found), existing, desired.groups, limit)
        )

    async def _write(self, key: str, found: objects.Object, changes: packing.Changes) -> None:
        try:
            await self._written.carry_out(key, changes)
        except errors.StatusError as failure:
            if reporting.namespace_terminating(failure):
                return
            if not isinstance(failure, errors.Conflict | errors.NotFound):
                text = f"Error updating mirrored Endpoint Slices for Endpoints {key}: {failure}"
                self._recorder.event(found, recorder.WARNING, _FAILED, text)
            raise

    def _tell_left_out(self, found: objects.Object, told: mirror.Mirrored, limit: int) -> None:
        if told.invalid:
            text = f"Skipped {told.invalid} invalid IP addresses when mirroring to EndpointSlices"
            self._recorder.event(found, recorder.WARNING, "InvalidIPAddress", text)
        if told.skipped:
            text = (
                f"A max of {limit} addresses can be mirrored to EndpointSlices per Endpoints "
                f"subset. {told.skipped} addresses were skipped"
            )
            self._recorder.event(found, recorder.WARNING, "TooManyAddressesToMirror", text)

    def _existing(self, key: str) -> list[objects.Object]:
        return [
            found
            for found in self._written.of_service(key)
            if objects.labels(found).get(packing.MANAGED_BY) == mirror.CONTROLLER
            and not objects.deleting(found)
        ]


def _has_selector(service: objects.Object | None) -> bool | None:
    """Whether a Service selects; None where there is none."""
    return None if service is None else bool(objects.spec(service).get("selector"))
