"""The pods that each Service or disruption budget selects: no namespace is searched for them."""

from collections.abc import Callable, Sequence
from typing import Any

from cluster.api import objects
from cluster.client import informer
from cluster.controllers import context, selectedpods, selection

Look = Callable[[str, int], None]
Matters = Callable[[objects.Object | None, objects.Object | None], bool]


class PodsBySelector:
    """Follows a resource that selects pods, and the pods. It knows none until it listens."""

    def __init__(self, ctx: context.Context, resource: str) -> None:
        self._ctx = ctx
        self._source = ctx.shared(resource)
        self._pods = ctx.shared(context.PODS)
        self._selected = selectedpods.SelectedPods()

    def listen(self, look: Look, matters: Matters = lambda _old, _new: True) -> None:
        """Follow; do so before other handlers are added that ask.

        `look` is called with the key of each object that selects a pod which changed, or did
        before, and with the revision; for pods that are there at once. `matters` tells by the pod
        before and after whether it needs to be.
        """

        def pod_changed(change: informer.Change) -> None:
            concerned = self._selected.pod_changed(change.old, change.new)
            if concerned and matters(change.old, change.new):
                for key in concerned:
                    look(key, change.revision)

        self._ctx.on_change(self._source, self._source_changed)
        self._ctx.on_change(self._pods, pod_changed)

    def of(self, key: str) -> Sequence[objects.Object]:
        """The pods that an object selects."""
        found = (self._pods.store.get(pod) for pod in self._selected.pods(key))
        return [pod for pod in found if pod is not None]

    def count(self, key: str) -> int:
        """How many pods an object selects."""
        return self._selected.count(key)

    def selecting(self, pod: objects.Object) -> Sequence[str]:
        """The keys of the objects that select a pod."""
        return self._selected.choosers(objects.key(pod))

    def _source_changed(self, change: informer.Change) -> None:
        chooser: Any = change.new
        selector = selection.selector_of(chooser or {})
        if chooser is None or selector.nothing:
            self._selected.remove(change.key)
        elif not self._selected.knows(change.key, selector):
            space = objects.namespace(chooser)
            pods = self._pods.store.by_index(context.NAMESPACE, space)
            self._selected.put(change.key, selector, pods)
