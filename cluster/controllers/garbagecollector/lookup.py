"""Looking owners up at the API, and remembering those that are not there.

An object's uid never comes back, so what was absent once stays absent. Lookups of one owner that
are asked for together are one.
"""

import asyncio
from collections import OrderedDict
from typing import TypeVar

from cluster.api import errors, objects, resources
from cluster.client import client
from cluster.controllers.garbagecollector import graph
from cluster.controllers.garbagecollector.verdict import State

_K = TypeVar("_K")

KEPT = 500
"""How many absent owners are remembered, as Kubernetes' controller does."""


class Lookup:
    """Tells the state of owners."""

    def __init__(self, api: client.Client, table: resources.Table) -> None:
        self._client = api
        self._table = table
        self._absent: OrderedDict[tuple[graph.Owner, str], None] = OrderedDict()
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._asking: dict[tuple[graph.Owner, str], asyncio.Future[State]] = {}

    def gone(self, uid: str) -> None:
        """The watch told that the object of this uid was deleted."""
        _remember(self._gone, uid)

    def row_of(self, api_version: str, kind: str) -> resources.Resource | None:
        """The resource of a reference's kind; None for a kind that is not served (any more)."""
        return self._table.of_kind(api_version, kind)

    async def state(self, owner: graph.Owner, namespace: str) -> State:
        """Whether `owner` exists, as named by an object of `namespace`. errors.StatusError."""
        row = self.row_of(owner.api_version, owner.kind)
        if row is not None and row.namespaced and not namespace:
            # Nobody can tell which namespace is meant, so the owner is not absent either.
            raise errors.NotFound("cluster-scoped objects cannot refer to namespaced owners")
        asked = (owner, namespace)
        if owner.uid in self._gone or asked in self._absent:
            return State.ABSENT
        pending = self._asking.get(asked)
        if pending is not None:
            return await asyncio.shield(pending)
        future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self._asking[asked] = future
        try:
            found = await self._ask(owner, namespace)
            if found is State.ABSENT:
                _remember(self._absent, asked)
            future.set_result(found)
            return found
        except BaseException as failure:
            future.set_exception(_for_others(failure))
            future.exception()  # the others may be none
            raise
        finally:
            del self._asking[asked]

    async def _ask(self, owner: graph.Owner, namespace: str) -> State:
        row = self.row_of(owner.api_version, owner.kind)
        if row is None:
            # Nobody can tell: Kubernetes does not delete on a guess, and neither do we.
            raise errors.NotFound(f'no matches for kind "{owner.kind}" in "{owner.api_version}"')
        try:
            found = await self._client.get(row.id, owner.name, namespace if row.namespaced else "")
        except errors.NotFound:
            return State.ABSENT
        if objects.uid(found) != owner.uid:
            return State.ABSENT
        finalizers = objects.meta(found).get("finalizers") or ()
        if objects.deleting(found) and graph.FOREGROUND in finalizers:
            return State.WAITING
        return State.SOLID


def _for_others(failure: BaseException) -> BaseException:
    """What those hear who waited for the same answer."""
    if isinstance(failure, errors.StatusError):
        return errors.from_status(failure.status())
    return errors.ServiceUnavailable("the lookup was given up")


def _remember(kept: OrderedDict[_K, None], item: _K) -> None:
    kept[item] = None
    kept.move_to_end(item)
    while len(kept) > KEPT:
        kept.popitem(last=False)
