"""Which static pod of a node has which name, and which mirror the API shows of it.

One name has one pod at a time: a manifest that changes makes another pod, which waits until all of
the one before has ended.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from cluster.api import objects
from cluster.kubelet.pods import Pod
from cluster.kubelet.staticpods.mirrors import is_mirror_of


class Keeper(Protocol):
    """What the agent of the node does with pods."""

    pods: dict[str, Pod]

    def added(
        self,
        obj: objects.Object,
        revision: int,
        *,
        static: bool = False,
        mirror: objects.Object | None = None,
    ) -> Pod:
        """Begin a pod."""
        ...

    def changed(self, pod: Pod, new: objects.Object, revision: int) -> None:
        """Hear of another object of it."""
        ...

    def removed(self, pod: Pod, last: objects.Object, revision: int) -> None:
        """End it."""
        ...

    def untouched(self, pod: Pod) -> bool:
        """Whether nothing has been done for it yet."""
        ...

    def drop(self, pod: Pod) -> None:
        """Forget one that is untouched."""
        ...

    def reconcile(self, pod: Pod) -> None:
        """Compare its status with what the API shows."""
        ...


class StaticNames:
    """See the module. Names are `namespace/name`."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._pods: dict[str, Pod] = {}
        self._held: dict[str, objects.Object] = {}
        """Static pods that wait until the one of their name is gone."""
        self._mirrors: dict[str, objects.Object] = {}
        self.on_change: Callable[[str], None] = _not_told
        """Told the name of a static pod or mirror of which something changed."""

    def __iter__(self) -> Iterator[str]:
        """The names of static pods and of mirrors."""
        return iter({**self._pods, **self._held, **self._mirrors})

    def set(self, manifests: list[objects.Object]) -> None:
        """Hear of all static pods of this node; those that are not among them any more end."""
        wanted = {objects.key(one): one for one in manifests}
        for name, pod in list(self._pods.items()):
            if name not in wanted or objects.uid(wanted[name]) != pod.uid:
                del self._pods[name]
                self._keeper.removed(pod, pod.object, 0)
        self._held = {}
        for name, obj in wanted.items():
            known = self._pods.get(name)
            if known is not None:
                if objects.spec(obj) != objects.spec(known.object):
                    kept = {**obj, "status": objects.status(known.object)}
                    self._keeper.changed(known, kept, 0)
            elif self._leaving(name):
                self._held[name] = obj
            else:
                self._begin(name, obj)
            self.on_change(name)

    def of(self, name: str) -> tuple[objects.Object | None, objects.Object | None]:
        """The static pod of a name, until all of it has ended, and the mirror of that name."""
        pod = self._pods.get(name) or self._leaving(name)
        return (pod.object if pod is not None else None), self._mirrors.get(name)

    def of_mirror(self, name: str, uid: str) -> Pod | None:
        """The static pod whose mirror has a name and an uid."""
        pod = self._pods.get(name)
        shown = pod.mirror if pod is not None else None
        return pod if shown is not None and objects.uid(shown) == uid else None

    def on_mirror(self, obj: objects.Object, new: objects.Object | None) -> None:
        """Hear of a mirror from the API; `new` is None where it was deleted."""
        name = objects.key(obj)
        if new is None:
            self._mirrors.pop(name, None)
        else:
            self._mirrors[name] = new
        pod = self._pods.get(name)
        if pod is not None and new is not None and is_mirror_of(new, pod.object):
            pod.mirror = new
            pod.object = {**pod.object, "status": objects.status(new)}
            self._keeper.reconcile(pod)
        elif pod is not None:
            pod.mirror = pod.written = None
        self.on_change(name)

    def hold(self, leaving: Pod) -> None:
        """A static pod waits that has the name of one that is still leaving."""
        pod = self._pods.get(leaving.key)
        if pod is not None and self._keeper.untouched(pod):
            del self._pods[leaving.key]
            self._keeper.drop(pod)
            self._held[leaving.key] = pod.object

    def succeed(self, name: str) -> None:
        """A pod is gone: the static pod that waited for its name begins."""
        held = self._held.pop(name, None)
        if held is not None:
            self._begin(name, held)
        if held is not None or name in self._mirrors:
            self.on_change(name)

    def _leaving(self, name: str) -> Pod | None:
        """The static pod that had a name and still is on its way out."""
        for pod in self._keeper.pods.values():
            if pod.memory.removed and pod.key == name:
                return pod
        return None

    def _begin(self, name: str, obj: objects.Object) -> None:
        mirror = self._mirrors.get(name)
        if mirror is not None and is_mirror_of(mirror, obj):
            obj = {**obj, "status": objects.status(mirror)}
        else:
            mirror = None
        self._pods[name] = self._keeper.added(obj, 0, static=True, mirror=mirror)


def _not_told(_name: str) -> None:
    return
