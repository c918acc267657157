"""NodeMetrics and PodMetrics: what was collected, of the nodes and pods that there are.

Source: kubernetes-sigs/metrics-server, pkg/api. An object carries the labels of its node or pod.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Final

from cluster.aio.clock import Clock
from cluster.api import errors, quantity, timestamps
from cluster.api.objects import Object
from cluster.api.resources import metrics
from cluster.apiserver.usage.collector import EVERYTHING, Usages
from cluster.apiserver.usage.summary import NodeUsage, PodUsage, Usage
from cluster.apiserver.virtual.computed import Source
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.selection import Selection

WINDOW: Final = "15s"
"""What a kubelet tells is the mean of about so long."""
_BILLION: Final = 10**9


def sources(cache: WatchCache, usages: Usages, clock: Clock) -> dict[str, Source]:
    """The sources of the group, by resource id."""
    return {
        metrics.NODES: NodeMetrics(cache, usages, clock),
        metrics.PODS: PodMetrics(cache, usages, clock),
    }


class NodeMetrics:
    """A `computed.Source`."""

    def __init__(self, cache: WatchCache, usages: Usages, clock: Clock) -> None:
        self._cache = cache
        self._usages = usages
        self._clock = clock

    async def get(self, namespace: str, name: str) -> Object:
        """What a node uses. errors.NotFound."""
        entry = self._cache.get("nodes", "", name)
        if entry is None:
            raise errors.not_found("nodes", name)
        usage = (await self._usages.usage()).get(name)
        if usage is None:
            raise errors.not_found("nodemetrics.metrics.k8s.io", name)
        return _node(entry, usage, self._clock.now())

    async def list(self, namespace: str) -> Sequence[Object]:
        """What nodes use, those left out that do not answer."""
        known, now = await self._usages.usage(), self._clock.now()
        return [
            _node(entry, known[entry.name], now)
            for entry in self._cache.of("nodes").select(EVERYTHING)
            if entry.name in known
        ]


class PodMetrics:
    """A `computed.Source`."""

    def __init__(self, cache: WatchCache, usages: Usages, clock: Clock) -> None:
        self._cache = cache
        self._usages = usages
        self._clock = clock

    async def get(self, namespace: str, name: str) -> Object:
        """What a pod uses. errors.NotFound."""
        if self._cache.get("pods", namespace, name) is None:
            raise errors.not_found("pods", name)
        known = await self._usages.usage()
        entry = self._cache.get("pods", namespace, name)
        for found in _pods((entry,) if entry is not None else (), known, self._clock.now()):
            return found
        raise errors.not_found("podmetrics.metrics.k8s.io", f"{namespace}/{name}")

    async def list(self, namespace: str) -> Sequence[Object]:
        """What the running pods of a namespace use."""
        known = await self._usages.usage()
        entries = self._cache.of("pods").select(Selection(namespace))
        return list(_pods(entries, known, self._clock.now()))


def _pods(entries: Iterable[Entry], known: Mapping[str, NodeUsage], now: float) -> Iterator[Object]:
    for entry in entries:
        node = known.get(entry.field("spec.nodeName"))
        if node is None or entry.field("status.phase") != "Running":
            continue
        usage = node.pods.get((entry.namespace, entry.name))
        if usage is not None:
            yield _pod(entry, usage, now)


def _node(entry: Entry, usage: NodeUsage, now: float) -> Object:
    return _measured(entry, usage.at, now) | {"usage": _usage(usage.usage)}


def _pod(entry: Entry, usage: PodUsage, now: float) -> Object:
    containers = [
        {"name": name, "usage": _usage(used)} for name, used in sorted(usage.containers.items())
    ]
    return _measured(entry, usage.at, now) | {"containers": containers}


def _measured(entry: Entry, at: float, now: float) -> Object:
    metadata: Object = {"name": entry.name}
    if entry.namespace:
        metadata["namespace"] = entry.namespace
    metadata["creationTimestamp"] = timestamps.encode(now)
    if entry.labels:
        metadata["labels"] = entry.labels
    return {"metadata": metadata, "timestamp": timestamps.encode(at), "window": WINDOW}


def _usage(used: Usage) -> Object:
    return {"cpu": _cores(used.cpu), "memory": _bytes(used.memory)}


@lru_cache(4096)
def _cores(billionths: int) -> str:
    return quantity.format(Fraction(billionths, _BILLION))


@lru_cache(4096)
def _bytes(count: int) -> str:
    return quantity.format(count, binary=True)
