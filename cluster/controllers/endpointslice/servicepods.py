"""The pods of each Service, kept as pods and selectors change: no namespace is searched."""

from collections.abc import Callable, Sequence

from cluster.api import objects
from cluster.client import informer
from cluster.controllers import context, selectedpods, selection
from cluster.controllers.endpointslice import endpoints


class ServicePods:
    """Knows no pods until it listens."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._pods = ctx.shared(context.PODS)
        self._selected = selectedpods.SelectedPods()

    def listen(self, look: Callable[[str, int], None]) -> None:
        """Follow Services and pods; do so before other handlers are added that ask.

        `look` is called with the key of a Service one of whose endpoints is another now, and with
        the revision: at once for those that are there.
        """
        self._look = look
        self._ctx.on_change(self._ctx.shared(context.SERVICES), self._service_changed)
        self._ctx.on_change(self._pods, self._pod_changed)

    def of(self, service: str) -> Sequence[objects.Object]:
        """The pods that a Service selects."""
        found = (self._pods.store.get(key) for key in self._selected.pods(service))
        return [pod for pod in found if pod is not None]

    def count(self, service: str) -> int:
        """How many pods a Service selects."""
        return self._selected.count(service)

    def services_of(self, pod: objects.Object) -> Sequence[str]:
        """The keys of the Services that select a pod."""
        return self._selected.choosers(objects.key(pod))

    def _service_changed(self, change: informer.Change) -> None:
        service = change.new
        if service is None or not objects.spec(service).get("selector"):
            self._selected.remove(change.key)
            return
        selector = selection.selector_of(service)
        if not self._selected.knows(change.key, selector):
            space = objects.namespace(service)
            pods = self._pods.store.by_index(context.NAMESPACE, space)
            self._selected.put(change.key, selector, pods)

    def _pod_changed(self, change: informer.Change) -> None:
        services = self._selected.pod_changed(change.old, change.new)
        if services and endpoints.changed(change.old, change.new):
            for service in services:
                self._look(service, change.revision)
