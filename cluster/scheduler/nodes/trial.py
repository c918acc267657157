"""A trial: what would be if these pods were gone from their nodes, or those were there.

The cache itself is changed, so that whoever counts pods through a listener judges the trial state
without knowing of it, and is made as it was at the end of the `with`. Nobody else looks meanwhile:
a trial never waits. Rows end with the generation of usage that they had, for nothing changed.
"""

from types import TracebackType
from typing import Self

from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.pods import PodInfo


class Trial:
    """Takes pods out of the cache and puts them in, for as long as the `with` lasts."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._before: dict[int, int] = {}
        self._out: dict[str, tuple[PodInfo, str, bool]] = {}
        self._in: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for key in list(self._in):
            self._cache.remove_pod(key)
        for pod, node, assumed in list(self._out.values()):
            self._cache.restore(pod, node, assumed=assumed)
        for row, generation in self._before.items():
            self._cache.table.usage_changed[row] = generation

    def take_out(self, pod: PodInfo) -> None:
        """The pod is not on its node."""
        node = self._cache.node_of(pod.key)
        assumed = self._cache.assumed(pod.key, pod.uid)
        self._remember(node)
        self._cache.remove_pod(pod.key)
        self._out[pod.key] = (pod, node, assumed)

    def put_back(self, pod: PodInfo) -> None:
        """A pod that was taken out is on its node again."""
        pod, node, assumed = self._out.pop(pod.key)
        self._cache.restore(pod, node, assumed=assumed)

    def put_in(self, pod: PodInfo, node: str) -> None:
        """A pod that has no node is on this one."""
        self._remember(node)
        self._cache.assume(pod, node)
        self._in[pod.key] = None

    def remove(self, pod: PodInfo) -> None:
        """A pod that was put in has no node again."""
        del self._in[pod.key]
        self._cache.remove_pod(pod.key)

    def _remember(self, node: str) -> None:
        row = self._cache.table.row(node)
        if row is not None:
            self._before.setdefault(row, int(self._cache.table.usage_changed[row]))
