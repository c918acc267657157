"""ClusterRoles with an aggregationRule hold the rules of all ClusterRoles that it selects.

Source: k8s.io/kubernetes pkg/controller/clusterroleaggregation.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cluster.aio import tasks
from cluster.api import objects, selectors
from cluster.api.objects import Object
from cluster.client import informer, reconciler
from cluster.controllers import context

RESOURCE = "clusterroles.rbac.authorization.k8s.io"


def gathered(role: Object, every: Iterable[Object]) -> list[dict[str, Any]]:
    """The rules that an aggregated role should have: those of the selected roles, in the order of
    their names, each once. Pure.
    """
    chosen = [_matcher(selector) for selector in _selectors(role)]
    found: dict[str, dict[str, Any]] = {}
    for other in sorted(every, key=objects.name):
        if objects.name(other) == objects.name(role):
            continue
        labels = objects.labels(other)
        if any(matches(labels) for matches in chosen):
            for rule in other.get("rules") or ():
                found.setdefault(repr(sorted(rule.items())), rule)
    return list(found.values())


def _selectors(role: Object) -> list[Object]:
    return (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or []


def _matcher(selector: Object) -> Callable[[Mapping[str, str]], bool]:
    try:
        return selectors.of(selector).matches
    except ValueError:
        return selectors.NOTHING.matches


class ClusterRoleAggregation:
    """Keeps aggregated roles up: any change of a role may concern each of them, which are few."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._roles = ctx.shared(RESOURCE)
        self._aggregated: dict[str, None] = {}
        self._queue = ctx.queue()
        ctx.on_change(self._roles, self._changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("clusterrole-aggregation") as group:
            work = reconciler.Reconciler("clusterrole-aggregation", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        if change.new is not None and _selectors(change.new):
            self._aggregated[change.key] = None
        else:
            self._aggregated.pop(change.key, None)
        for key in self._aggregated:
            self._queue.add(key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one aggregated role."""
        role = self._roles.store.get(key)
        if role is None or not _selectors(role) or objects.deleting(role):
            return
        wanted = gathered(role, self._roles.store.list())
        if wanted == (role.get("rules") or []):
            return
        await self._client.update(RESOURCE, {**role, "rules": wanted})
