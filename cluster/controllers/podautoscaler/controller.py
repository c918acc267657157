"""The autoscaler's controller: the shell around `decision`.

An autoscaler is looked at each `horizontal_pod_autoscaler_sync_period` seconds, the first time so
long after it was made or seen; nothing that happens makes it sooner, as in Kubernetes.
"""

from typing import Final

import structlog

from cluster.aio import tasks
from cluster.api import errors, objects, resources, selectors
from cluster.api.objects import Object
from cluster.client import informer, reconciler
from cluster.controllers import context, reporting, selectedpods
from cluster.controllers.podautoscaler import decision, model, sources, targets
from cluster.controllers.podautoscaler.history import History
from cluster.controllers.podautoscaler.model import Scale, Unavailable

AUTOSCALERS: Final = "horizontalpodautoscalers.autoscaling"


class HorizontalPodAutoscalers:
    """Keeps the size of every autoscaler's target in step with its metrics."""

    def __init__(self, ctx: context.Context, table: resources.Table) -> None:
        config = ctx.config
        self._ctx = ctx
        self._client = ctx.client
        self._table = table
        self._period = config.horizontal_pod_autoscaler_sync_period
        self._settings = model.Settings(
            config.horizontal_pod_autoscaler_tolerance,
            config.horizontal_pod_autoscaler_cpu_initialization_period,
            config.horizontal_pod_autoscaler_initial_readiness_delay,
            config.horizontal_pod_autoscaler_downscale_stabilization,
        )
        self._hpas = ctx.shared(AUTOSCALERS)
        self._pods = ctx.shared(context.PODS)
        self._sources = sources.Sources(ctx.client, table)
        self._selections = selectedpods.SelectedPods()
        self._histories: dict[str, History] = {}
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("horizontal-pod-autoscaler")
        self._log = structlog.get_logger().bind(controller="horizontalpodautoscaling")
        ctx.on_change(self._hpas, self._hpa_changed)
        ctx.on_change(self._pods, self._pod_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._hpas.synced()
        await self._pods.synced()
        async with tasks.Group("horizontalpodautoscaling") as group:
            group.spawn(self._recorder.run(), "recorder")
            work = reconciler.Reconciler(
                "horizontalpodautoscaling",
                self._queue,
                self.reconcile,
                workers=self._ctx.config.concurrent_horizontal_pod_autoscaler_syncs,
            )
            group.spawn(work.run(), "work")

    def _hpa_changed(self, change: informer.Change) -> None:
        if change.new is None:
            self._histories.pop(change.key, None)
            self._selections.remove(change.key)
        else:
            self._queue.add_after(change.key, self._period, change.revision)

    def _pod_changed(self, change: informer.Change) -> None:
        self._selections.pod_changed(change.old, change.new)

    async def reconcile(self, key: str) -> None:
        """See to one autoscaler, and again a period later."""
        hpa = self._hpas.store.get(key)
        if hpa is None:
            return
        try:
            await self._see_to(key, hpa)
        except errors.StatusError as failure:
            self._log.info("autoscaler not reconciled", key=key, error=failure.message)
        finally:
            self._queue.add_after(key, self._period)

    async def _see_to(self, key: str, hpa: Object) -> None:
        now = self._ctx.clock.now
        try:
            resource, path = targets.of(hpa, self._table)
            document = await self._client.read(path)
        except Unavailable as why:
            await self._report(hpa, decision.no_scale(hpa, why, now()))
            return
        except errors.StatusError as failure:
            await self._report(hpa, decision.no_scale(hpa, failure.message, now()))
            return
        if self._hpas.store.get(key) is None:
            return  # it went meanwhile: nothing must be kept of it
        scale = model.scale(document)
        measured = None
        if decision.needs_metrics(objects.spec(hpa), scale):
            measured = await self._measured(key, hpa, scale)
        history = self._histories.get(key)
        if history is None:
            history = History()
            if self._hpas.store.get(key) is not None:
                self._histories[key] = history
        basis = decision.Basis(history, self._settings, now())
        verdict = decision.decide(hpa, scale, measured, basis)
        if verdict.size is not None:
            await self._rescale(resource, document, hpa, verdict, history)
        await self._report(hpa, verdict)

    async def _measured(
        self, key: str, hpa: Object, scale: Scale
    ) -> decision.Measured | decision.NoSelector:
        """The pods and the metrics of an autoscaler, or why it has no pods."""
        if not scale.selector:
            return decision.SELECTOR_MISSING
        try:
            selector = selectors.parse_labels(scale.selector)
        except errors.BadRequest as error:
            return decision.selector_wrong(error.message)
        if not self._selections.knows(key, selector):
            namespace = objects.namespace(hpa)
            pods = self._pods.store.by_index(context.NAMESPACE, namespace)
            self._selections.put(key, selector, pods)
        sharing = self._selections.sharing(key)
        if len(sharing) > 1:
            return decision.selector_shared(scale.selector, sharing)
        found = [self._pods.store.get(pod) for pod in self._selections.pods(key)]
        own = [pod for pod in found if pod is not None]
        readings = await self._sources.read(hpa, scale.selector, own)
        return decision.Measured(own, readings)

    async def _rescale(
        self,
        resource: str,
        document: Object,
        hpa: Object,
        verdict: decision.Verdict,
        history: History,
    ) -> None:
        """Write the size that a verdict has."""
        now = self._ctx.clock.now
        wanted = document | {"spec": (document.get("spec") or {}) | {"replicas": verdict.size}}
        try:
            await self._client.update(resource, wanted, subresource="scale")
        except errors.StatusError as failure:
            decision.refused(verdict, hpa, failure.message, now())
        else:
            decision.scaled(verdict, hpa, model.scale(document), history, now())

    async def _report(self, hpa: Object, verdict: decision.Verdict) -> None:
        for kind, reason, message in verdict.events:
            self._recorder.event(hpa, kind, reason, message)
        if reporting.same(objects.status(hpa), verdict.status):
            return
        try:
            await self._client.update(
                AUTOSCALERS, hpa | {"status": verdict.status}, subresource="status"
            )
        except errors.StatusError as failure:
            self._recorder.event(hpa, "Warning", "FailedUpdateStatus", failure.message)
            raise
