"""The Endpoints controller: the shell around `subsets`."""

import asyncio
from typing import Any, Final

from cluster.aio import tasks
from cluster.api import errors, objects, timestamps
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context, podsbyselector, reporting, staleness
from cluster.controllers.endpoints import subsets
from cluster.controllers.endpointslice import endpoints

SETTLE_RATE: Final = 5_000.0
"""Endpoints looked at a second, at most, because of changes of single pods (context.settle)."""
HEADLESS: Final = "service.kubernetes.io/headless"
MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
CONTROLLER: Final = "endpoint-controller"
CHANGED: Final = "endpoints.kubernetes.io/last-change-trigger-time"
OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"
_LEADER: Final = "control-plane.alpha.kubernetes.io/leader"


class EndpointsController:
    """Keeps the Endpoints of every Service with a selector in line with its pods."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._services = ctx.shared(context.SERVICES)
        self._endpoints = ctx.shared(context.ENDPOINTS)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder(CONTROLLER)
        self._writes = staleness.OwnWrites()
        self._selected = podsbyselector.PodsBySelector(ctx, context.SERVICES)
        self._selected.listen(self._look_later, endpoints.changed)
        ctx.on_change(self._services, self._service_changed)
        ctx.on_change(self._endpoints, self._endpoints_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        work = reconciler.Reconciler(
            "endpoints",
            self._queue,
            self.reconcile,
            workers=self._ctx.config.concurrent_endpoint_syncs,
        )
        async with tasks.Group("endpoints") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    # What happened

    def _service_changed(self, change: informer.Change) -> None:
        if change.new is None:
            self._writes.forget(change.key)
        self._queue.add(change.key, change.revision)

    def _endpoints_changed(self, change: informer.Change) -> None:
        """One that was deleted comes again; one without a Service goes, if it was left behind."""
        if change.new is None or (change.old is None and _is_own(change.new)):
            self._look_later(change.key, change.revision)

    def _look_later(self, key: str, revision: int) -> None:
        size = self._selected.count(key)
        self._queue.add_after(key, context.settle(size, SETTLE_RATE), revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Bring the Endpoints of one Service in line."""
        service = self._services.store.get(key)
        if service is None:
            await self._remove(key)
            return
        spec = objects.spec(service)
        external = not spec.get("selector") or spec.get("type") == "ExternalName"
        if external or objects.deleting(service):
            return  # those of a service without selector are its maker's own
        shown = staleness.shown_by(self._endpoints.store)
        if self._writes.stale(key, shown, self._loop_time()):
            self._queue.add_after(key, 1.0)
            return
        found = self._endpoints.store.get(key)
        told = subsets.desired(service, self._selected.of(key))
        wanted = _wanted(service, found, told, self._ctx.clock.now())
        if wanted is not None:
            await self._write(key, found, wanted)

    async def _remove(self, key: str) -> None:
        """The Service is gone: what was made for it goes. Others' Endpoints have no Service."""
        self._writes.forget(key)
        found = self._endpoints.store.get(key)
        if found is None or not _is_own(found):
            return
        namespace, _, name = key.partition("/")
        try:
            await self._client.delete(
                context.ENDPOINTS, name, namespace, uid=objects.uid(found), propagation="Background"
            )
        except errors.NotFound:
            return

    async def _write(self, key: str, found: objects.Object | None, wanted: objects.Object) -> None:
        try:
            if found is None:
                written = await self._client.create(context.ENDPOINTS, wanted)
            else:
                written = await self._client.update(context.ENDPOINTS, wanted)
        except errors.StatusError as failure:
            if reporting.namespace_terminating(failure):
                return
            if not isinstance(failure, errors.Conflict | errors.NotFound | errors.AlreadyExists):
                self._tell(found is None, key, wanted, failure)
            raise
        self._writes.note(key, key, written, self._loop_time())

    def _tell(self, new: bool, key: str, obj: objects.Object, failure: Exception) -> None:
        reason, text = "FailedToUpdateEndpoint", f"Failed to update endpoint {key}: {failure}"
        if new:
            reason = "FailedToCreateEndpoint"
            text = f"Failed to create endpoint for service {key}: {failure}"
        self._recorder.event(obj, recorder.WARNING, reason, text)

    def _loop_time(self) -> float:
        return asyncio.get_running_loop().time()


def _is_own(found: objects.Object) -> bool:
    """Whether the controller made it: one for leader election, or a user's, is not touched."""
    if _LEADER in objects.annotations(found):
        return False
    return objects.labels(found).get(MANAGED_BY) == CONTROLLER


def _wanted(
    service: objects.Object,
    found: objects.Object | None,
    addresses: list[objects.Object],
    now: float,
) -> objects.Object | None:
    """The object to write; None where what is there says the same already."""
    cut = subsets.truncated(addresses)
    labels = _labels(service)
    shown = addresses if cut is None else cut
    if found is not None:
        annotated = OVER_CAPACITY in objects.annotations(found)
        same = (found.get("subsets") or []) == shown and objects.labels(found) == labels
        if same and annotated == (cut is not None):
            return None
    metadata: dict[str, Any] = dict(objects.meta(found)) if found is not None else {}
    metadata |= {
        "name": objects.name(service),
        "namespace": objects.namespace(service),
        "labels": labels,
    }
    annotations = {**(metadata.get("annotations") or {}), CHANGED: timestamps.encode(now)}
    annotations.pop(OVER_CAPACITY, None)
    if cut is not None:
        annotations[OVER_CAPACITY] = "truncated"
    metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": shown}


def _labels(service: objects.Object) -> dict[str, str]:
    labels = {name: value for name, value in objects.labels(service).items() if name != HEADLESS}
    if objects.spec(service).get("clusterIP") == "None":
        labels[HEADLESS] = ""
    labels[MANAGED_BY] = CONTROLLER
    return labels
