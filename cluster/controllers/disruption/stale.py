"""Pods that were to be disrupted, and then were not: after a while they say so no more."""

from typing import Final

from cluster.aio import tasks
from cluster.api import conditions, errors, objects, timestamps
from cluster.client import informer, reconciler
from cluster.controllers import context, podstate, podwrites

TIMEOUT: Final = 120.0
"""Seconds within which the deletion follows the condition: stalePodDisruptionTimeout."""
BY_KUBELET: Final = "TerminationByKubelet"
"""A kubelet may take any time between the condition and the end."""


def due_in(pod: objects.Object, now: float) -> float | None:
    """Seconds until the condition DisruptionTarget is out of date; None where it never will be."""
    if objects.deleting(pod) or podstate.is_finished(pod):
        return None
    found = conditions.find(pod, podwrites.DISRUPTION_TARGET)
    if found is None or found.get("status") != "True" or found.get("reason") == BY_KUBELET:
        return None
    since = found.get("lastTransitionTime")
    return max(0.0, timestamps.decode(since) + TIMEOUT - now) if since else 0.0


class StaleDisruptions:
    """Sets such conditions to False."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._clock = ctx.clock
        self._pods = ctx.shared(context.PODS)
        self._queue = ctx.queue()
        ctx.on_change(self._pods, self._changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("stale-disruptions") as group:
            work = reconciler.Reconciler("stale-disruptions", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        wait = due_in(change.new, self._clock.now()) if change.new is not None else None
        if wait is not None:
            self._queue.add_after(change.key, wait, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one pod."""
        pod = self._pods.store.get(key)
        now = self._clock.now()
        wait = due_in(pod, now) if pod is not None else None
        if pod is None or wait is None:
            return
        if wait > 0:
            self._queue.add_after(key, wait)
            return
        (outcome,) = await self._client.submit_all([podwrites.spared(pod, now)])
        if isinstance(outcome, errors.StatusError) and not isinstance(outcome, errors.NotFound):
            raise outcome
