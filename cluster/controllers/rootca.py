"""The ConfigMap `kube-root-ca.crt` in every namespace: what pods check the API server with."""

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, reconciler
from cluster.controllers import context, serviceaccount

NAME = "kube-root-ca.crt"
RESOURCE = "configmaps"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal"
    " endpoints such as the internal service IP or kubernetes.default.svc. No other usage is"
    " guaranteed across distributions of Kubernetes clusters."
)


class RootCaController:
    """Publishes the CA, and puts it right where somebody changed it."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._data = {"ca.crt": ctx.config.root_ca}
        self._namespaces = ctx.shared(context.NAMESPACES)
        self._maps = ctx.shared(RESOURCE)
        self._queue = ctx.queue()
        ctx.on_change(self._namespaces, self._namespace_changed)
        ctx.on_change(self._maps, self._map_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("rootca") as group:
            work = reconciler.Reconciler("rootca", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _namespace_changed(self, change: informer.Change) -> None:
        if change.new is not None:
            self._queue.add(change.key, change.revision)

    def _map_changed(self, change: informer.Change) -> None:
        if objects.name(change.object) == NAME and change.old is not None:
            self._queue.add(objects.namespace(change.object), change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one namespace."""
        namespace = self._namespaces.store.get(key)
        if namespace is None or not serviceaccount.is_active(namespace):
            return
        found = self._maps.store.get(f"{key}/{NAME}")
        if found is None:
            await serviceaccount.create_in(self._client, RESOURCE, self._wanted(key))
        elif found.get("data") != self._data:
            try:
                await self._client.update(RESOURCE, {**found, "data": self._data})
            except errors.NotFound:
                return

    def _wanted(self, namespace: str) -> objects.Object:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": namespace,
                "annotations": {"kubernetes.io/description": DESCRIPTION},
            },
            "data": self._data,
        }
