"""A ServiceAccount `default` in every namespace that is not going."""

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import client, informer, reconciler
from cluster.controllers import context, reporting

NAME = "default"
RESOURCE = "serviceaccounts"


class ServiceAccountController:
    """Makes the account, and makes it again where somebody removed it."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._namespaces = ctx.shared(context.NAMESPACES)
        self._accounts = ctx.shared(RESOURCE)
        self._queue = ctx.queue()
        ctx.on_change(self._namespaces, self._namespace_changed)
        ctx.on_change(self._accounts, self._account_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("serviceaccount") as group:
            work = reconciler.Reconciler("serviceaccount", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _namespace_changed(self, change: informer.Change) -> None:
        if change.new is not None:
            self._queue.add(change.key, change.revision)

    def _account_changed(self, change: informer.Change) -> None:
        if change.new is None and objects.name(change.object) == NAME:
            self._queue.add(objects.namespace(change.object), change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one namespace."""
        namespace = self._namespaces.store.get(key)
        if namespace is None or not is_active(namespace):
            return
        if self._accounts.store.get(f"{key}/{NAME}") is not None:
            return
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": NAME, "namespace": key},
        }
        await create_in(self._client, RESOURCE, account)


def is_active(namespace: objects.Object) -> bool:
    """Whether content may still be made in a namespace."""
    phase = objects.status(namespace).get("phase") or "Active"
    return bool(phase == "Active") and not objects.deleting(namespace)


async def create_in(api: client.Client, resource: str, obj: objects.Object) -> None:
    """Create `obj`, if it is not there and its namespace is not going."""
    try:
        await api.create(resource, obj)
    except errors.AlreadyExists:
        return
    except errors.Forbidden as failure:
        if not reporting.namespace_terminating(failure):
            raise
