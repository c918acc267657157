"""The disruption controller: the shell around `decision`."""

from typing import Final

from cluster.aio import tasks
from cluster.api import objects, resources
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context, podsbyselector, reporting
from cluster.controllers.disruption import decision, scales, stale
from cluster.controllers.podautoscaler import questions

BUDGETS: Final = context.BUDGETS
_UNMANAGED: Final = (
    "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. "
    "As a result, the status of the PDB cannot be calculated correctly, which may result in "
    'undefined behavior. To account for these pods please set ".spec.minAvailable" field of the '
    "PDB to an integer value."
)


class DisruptionController:
    """Keeps the status of every PodDisruptionBudget."""

    def __init__(self, ctx: context.Context, table: resources.Table) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._pods = ctx.shared(context.PODS)
        self._budgets = ctx.shared(BUDGETS)
        self._scales = scales.Scales(ctx, table)
        self._stale = stale.StaleDisruptions(ctx)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("controllermanager")
        self._selected = podsbyselector.PodsBySelector(ctx, BUDGETS)
        self._selected.listen(self._queue.add)
        ctx.on_change(self._budgets, self._budget_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._pods, self._budgets, self._scales):
            await source.synced()
        async with tasks.Group("disruption") as group:
            group.spawn(self._recorder.run(), "recorder")
            work = reconciler.Reconciler("disruption", self._queue, self.reconcile)
            group.spawn(work.run(), "work")
            group.spawn(self._stale.run(), "stale")

    def _budget_changed(self, change: informer.Change) -> None:
        if change.new is not None:
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one budget."""
        budget = self._budgets.store.get(key)
        if budget is None:
            return
        space, pods = objects.namespace(budget), self._selected.of(key)
        if not pods:
            self._recorder.event(budget, recorder.NORMAL, "NoPods", "No matching pods found")
        now = self._ctx.clock.now()
        try:
            wanted = await self._scales.of(space, pods) if decision.needs_scales(budget) else {}
            behind = self._pods.revision < objects.revision(budget)
            outcome = decision.decide(budget, pods, wanted, now, behind=behind)
        except decision.Incalculable as failure:
            await self._fail(budget, failure, now)
            return
        self._tell(budget, outcome)
        await self._write(budget, outcome.status)
        if outcome.recheck is not None:
            self._queue.add_after(key, outcome.recheck)

    async def _fail(
        self, budget: objects.Object, failure: decision.Incalculable, now: float
    ) -> None:
        why = str(failure)
        text = f"Failed to calculate the number of expected pods: {why}"
        reason = "CalculateExpectedPodCountFailed"
        self._recorder.event(budget, recorder.WARNING, reason, text)
        await self._write(budget, decision.failed(budget, why, now))

    def _tell(self, budget: objects.Object, outcome: decision.Outcome) -> None:
        if outcome.unmanaged:
            selector = questions.shown_selector(objects.spec(budget).get("selector"))
            text = _UNMANAGED.format(selector=selector)
            self._recorder.event(budget, recorder.WARNING, "UnmanagedPods", text)
        space, name = objects.namespace(budget), objects.name(budget)
        for pod in outcome.overdue:
            found = self._pods.store.get(f"{space}/{pod}")
            if found is not None:
                text = f"Pod was expected by PDB {space}/{name} to be deleted but it wasn't"
                self._recorder.event(found, recorder.WARNING, "NotDeleted", text)

    async def _write(self, budget: objects.Object, status: objects.Object) -> None:
        if not reporting.same(objects.status(budget), status):
            await self._client.update(BUDGETS, budget | {"status": status}, subresource="status")
