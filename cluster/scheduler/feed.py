"""Turns what the informers say into changes of the cache, the queue and into cluster events."""

from collections.abc import Collection
from typing import Any

from cluster.api import objects
from cluster.scheduler import pods
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.queue.scheduling_queue import SchedulingQueue
from cluster.scheduler.volumes import feed as volumes

Maybe = objects.Object | None


class Feed:
    """Takes changes of nodes and pods; `old` None: it is new, `new` None: it is gone."""

    def __init__(
        self, scheduler_names: Collection[str], cache: Cache, queue: SchedulingQueue
    ) -> None:
        self._scheduler_names = frozenset(scheduler_names)
        self._cache = cache
        self._queue = queue

    def node(self, old: Maybe, new: Maybe, now: float) -> None:
        """A node appeared, changed or is gone."""
        if new is None:
            if old is not None:
                self._cache.remove_node(objects.name(old))
                self._queue.saw(Occurrence(Event.NODE_DELETE, old, None), now)
            return
        happened = [Event.NODE_ADD] if old is None else _node_events(old, new)
        if not happened and old is not None and _images(old) == _images(new):
            return
        self._cache.set_node(new)
        for event in happened:
            self._queue.saw(Occurrence(event, old, new), now)

    def namespace(self, old: Maybe, new: Maybe) -> None:
        """A namespace appeared, changed or is gone."""
        if new is not None:
            self._cache.namespaces.set(new)
        elif old is not None:
            self._cache.namespaces.remove(objects.name(old))

    def workload(self, resource: str, old: Maybe, new: Maybe) -> None:
        """A Service, or a controller of pods, appeared, changed or is gone."""
        if new is not None:
            self._cache.workloads.set(resource, new)
        elif old is not None:
            self._cache.workloads.remove(resource, objects.key(old))

    def storage(self, resource: str, old: Maybe, new: Maybe, now: float) -> None:
        """A claim, a volume, or what says how they are made, appeared, changed or is gone."""
        occurrence = volumes.take(self._cache.volumes, resource, old, new)
        if occurrence is not None:
            self._queue.saw(occurrence, now)

    def pod(self, old: Maybe, new: Maybe, now: float) -> None:
        """A pod appeared, changed or is gone. One that has ended is as good as gone."""
        if new is None or pods.terminal(new):
            self._pod_gone(old if new is None else new, now)
        elif objects.spec(new).get("nodeName"):
            self._pod_placed(old, new, now)
        else:
            self._pod_unplaced(old, new, now)

    def _waits_for_us(self, pod: objects.Object) -> bool:
        return not objects.deleting(pod) and pods.scheduler_name(pod) in self._scheduler_names

    def _pod_unplaced(self, old: Maybe, new: objects.Object, now: float) -> None:
        """A pod without a node; not only our own may have been promised one."""
        key = objects.key(new)
        info = pods.info(new)
        if self._cache.assumed(key, info.uid):
            if objects.deleting(new):
                self._pod_gone(new, now)  # its binding will fail: what it held is free already
                return
            if key not in self._queue:
                return
        else:
            self._nominate(old, info, now)
        if self._waits_for_us(new):
            self._queue.set(info, now)
        else:
            self._queue.remove(key)

    def _nominate(self, old: Maybe, pod: pods.PodInfo, now: float) -> None:
        """Follow the API, unless it only does not know yet what was promised here."""
        nominations = self._cache.nominations
        before = objects.status(old).get("nominatedNodeName") or "" if old is not None else ""
        said, known = pod.nominated_node_name, nominations.node_of(pod.key)
        node = known if said == before and known else said
        if node:
            nominations.put(pod, node)
        if known and node != known:
            if not node:
                nominations.drop(pod.key)
            self._room_left(pod, now)

    def _room_left(self, pod: pods.PodInfo, now: float) -> None:
        """A promise has ended: the room is there for pods of no higher priority."""
        occurrence = Occurrence(Event.ASSIGNED_POD_DELETE, pod.object, None)
        self._queue.saw(occurrence, now, highest=pod.priority)

    def _pod_placed(self, old: Maybe, new: objects.Object, now: float) -> None:
        key = objects.key(new)
        same = old is not None and _same(old, new)
        if same and _started(old) == _started(new) and self._cache.confirmed(key, objects.uid(new)):
            return
        info = pods.info(new)
        # One that was placed here is in the cache already, but nobody has been told of it yet.
        known = self._cache.node_of(key) and not self._cache.assumed(key, info.uid)
        self._cache.set_pod(info)
        self._cache.nominations.drop(key)
        self._queue.remove(key)
        if not known:
            self._queue.saw(Occurrence(Event.ASSIGNED_POD_ADD, old, new), now)
        elif old is not None and objects.spec(old).get("nodeName") and not same:
            self._queue.saw(Occurrence(Event.ASSIGNED_POD_UPDATE, old, new), now)

    def _pod_gone(self, pod: Maybe, now: float) -> None:
        if pod is None:
            return
        key = objects.key(pod)
        self._queue.remove(key)
        promised = self._cache.nominations.drop(key)
        if self._cache.remove_pod(key) is not None:
            self._queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod, None), now)
        elif promised:
            self._room_left(pods.info(pod), now)


def _images(node: objects.Object) -> Any:
    """The images on a node: they make it better for some pods, but never fit for any."""
    return objects.status(node).get("images")


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


def _started(pod: Maybe) -> Any:
    """Its start time: how important a pod is to preemption depends on it."""
    return objects.status(pod).get("startTime") if pod is not None else None


def _same(old: objects.Object, new: objects.Object) -> bool:
    """Whether only the status changed. A pod that is being deleted counts for less."""
    return (
        objects.spec(old) == objects.spec(new)
        and objects.labels(old) == objects.labels(new)
        and objects.deleting(old) == objects.deleting(new)
    )
