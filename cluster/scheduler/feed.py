"""Turns what the informers say into changes of the cache, the queue and into cluster events."""

from cluster.api import objects
from cluster.scheduler import pods
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.queue.scheduling_queue import SchedulingQueue

Maybe = objects.Object | None


class Feed:
    """Takes changes of nodes and pods; `old` None: it is new, `new` None: it is gone."""

    def __init__(self, scheduler_name: str, cache: Cache, queue: SchedulingQueue) -> None:
        self._scheduler_name = scheduler_name
        self._cache = cache
        self._queue = queue

    def node(self, old: Maybe, new: Maybe, now: float) -> None:
        """A node appeared, changed or is gone."""
        if new is None:
            if old is not None:
                self._cache.remove_node(objects.name(old))
            return
        happened = [Event.NODE_ADD] if old is None else _node_events(old, new)
        if not happened:
            return
        self._cache.set_node(new)
        for event in happened:
            self._queue.saw(Occurrence(event, old, new), now)

    def pod(self, old: Maybe, new: Maybe, now: float) -> None:
        """A pod appeared, changed or is gone. One that has ended is as good as gone."""
        if new is None or pods.terminal(new):
            self._pod_gone(old if new is None else new, now)
        elif objects.spec(new).get("nodeName"):
            self._pod_placed(old, new, now)
        elif self._waits_for_us(new):
            self._pod_waits(new, now)
        else:
            self._queue.remove(objects.key(new))

    def _waits_for_us(self, pod: objects.Object) -> bool:
        return not objects.deleting(pod) and pods.scheduler_name(pod) == self._scheduler_name

    def _pod_waits(self, pod: objects.Object, now: float) -> None:
        key = objects.key(pod)
        if not self._cache.assumed(key, objects.uid(pod)) or key in self._queue:
            self._queue.set(pods.info(pod), now)

    def _pod_placed(self, old: Maybe, new: objects.Object, now: float) -> None:
        key = objects.key(new)
        if old is not None and _same(old, new) and self._cache.confirmed(key, objects.uid(new)):
            return
        known = self._cache.node_of(key)
        self._cache.set_pod(pods.info(new))
        self._queue.remove(key)
        if not known:
            self._queue.saw(Occurrence(Event.ASSIGNED_POD_ADD, old, new), now)

    def _pod_gone(self, pod: Maybe, now: float) -> None:
        if pod is None:
            return
        key = objects.key(pod)
        self._queue.remove(key)
        if self._cache.remove_pod(key) is not None:
            self._queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod, None), now)


def _node_events(old: objects.Object, new: objects.Object) -> list[Event]:
    """What changed of what the scheduler looks at; a heartbeat changes nothing."""
    found = []
    if objects.status(old).get("allocatable") != objects.status(new).get("allocatable"):
        found.append(Event.NODE_ALLOCATABLE)
    if objects.labels(old) != objects.labels(new):
        found.append(Event.NODE_LABELS)
    before, after = objects.spec(old), objects.spec(new)
    if any(before.get(name) != after.get(name) for name in ("taints", "unschedulable")):
        found.append(Event.NODE_TAINTS)
    return found


def _same(old: objects.Object, new: objects.Object) -> bool:
    """Whether only the status changed. A pod that is being deleted counts for less."""
    return (
        objects.spec(old) == objects.spec(new)
        and objects.labels(old) == objects.labels(new)
        and objects.deleting(old) == objects.deleting(new)
    )
