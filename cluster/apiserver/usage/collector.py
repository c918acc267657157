"""Asks kubelets what their nodes use, when somebody asks and the last answers are old.

A question waits for the nodes that answered the last time (or were never asked). Those that were
silent are asked too, but nobody waits for them: a dead node costs its first round a few seconds.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import structlog

from cluster.aio import rpc, tasks
from cluster.api import errors, objects
from cluster.apiserver.kubelets.protocol import Connector, Unreachable
from cluster.apiserver.usage import summary
from cluster.apiserver.usage.summary import NodeUsage
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.selection import Selection
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

RESOLUTION: Final = 15.0
"""Answers are this old at most before kubelets are asked again: --metric-resolution."""
KEPT: Final = 2 * RESOLUTION
"""The answer of a node that says nothing more is shown this long."""
NODE_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 10.0
"""How long a node may take to answer, and how long who asks waits for all of them."""
AT_ONCE: Final = 32
"""Nodes that are asked at the same time."""
SILENT_AT_ONCE: Final = 8

EVERYTHING: Final = Selection()
_FAILURES = (Unreachable, errors.StatusError, rpc.Failure, TimeoutError, summary.Unreadable)


class Usages(Protocol):
    """Who knows what nodes use."""

    async def usage(self) -> Mapping[str, NodeUsage]:
        """What is known of the nodes that answer, by name."""
        ...


class Nobody:
    """Knows of no node: for an API server without a way to kubelets."""

    async def usage(self) -> Mapping[str, NodeUsage]:
        """Nothing."""
        return {}


class Collector:
    """`usage` answers while `run` runs. Times are the loop's."""

    def __init__(self, cache: WatchCache, kubelets: Connector) -> None:
        self._cache = cache
        self._kubelets = kubelets
        self._wanted = asyncio.Event()
        self._done: asyncio.Future[None] | None = None
        self._found: dict[str, tuple[float, NodeUsage]] = {}
        self._silent: dict[str, None] = {}
        self._collected = -RESOLUTION
        self._log = structlog.get_logger().bind(component="apiserver")

    async def usage(self) -> Mapping[str, NodeUsage]:
        """What the nodes use that answered lately; waits for news where there is none."""
        loop = asyncio.get_running_loop()
        if self._done is None and loop.time() - self._collected >= RESOLUTION:
            self._done = loop.create_future()
            self._wanted.set()
        if self._done is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WAIT_SECONDS):
                    await asyncio.shield(self._done)
        oldest = loop.time() - KEPT
        return {name: usage for name, (at, usage) in self._found.items() if at >= oldest}

    async def run(self) -> None:
        """Collect when it is asked for, until cancelled. Run again, it answers who still waits."""
        if self._done is not None:
            self._wanted.set()
        async with tasks.Group("usage") as group:
            silent: asyncio.Task[None] | None = None
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                entries = list(self._cache.of("nodes").select(EVERYTHING))
                self._forget([entry.name for entry in entries])
                quiet = [entry for entry in entries if entry.name in self._silent]
                await self._ask(
                    [entry for entry in entries if entry.name not in self._silent], AT_ONCE
                )
                self._collected = asyncio.get_running_loop().time()
                if self._done is not None:
                    self._done.set_result(None)
                    self._done = None
                if quiet and (silent is None or silent.done()):
                    silent = group.spawn(self._ask(quiet, SILENT_AT_ONCE), "silent nodes")

    async def _ask(self, nodes: Sequence[Entry], at_once: int) -> None:
        waiting = iter(nodes)
        async with tasks.Group("summaries") as group:
            for number in range(min(at_once, len(nodes))):
                group.spawn(self._worker(waiting), str(number))

    async def _worker(self, waiting: Iterator[Entry]) -> None:
        for entry in waiting:
            name = entry.name
            try:
                found = await self._summary(entry.document(), name)
            except Exception as failure:  # noqa: BLE001  (one node's fault is not the others')
                if name not in self._silent:
                    unexpected = None if isinstance(failure, _FAILURES) else failure
                    self._log.info(
                        "no usage of a node", node=name, error=str(failure), exc_info=unexpected
                    )
                self._silent[name] = None
            else:
                self._silent.pop(name, None)
                self._found[name] = asyncio.get_running_loop().time(), found

    async def _summary(self, node: objects.Object, name: str) -> NodeUsage:
        async with asyncio.timeout(NODE_SECONDS):
            async with self._kubelets.kubelet(node) as kubelet:
                page = await kubelet.page(
                    pb.PageRequest(node=name, method="GET", path="/stats/summary")
                )
        if page.status != 200:
            raise summary.Unreadable(f"the kubelet answers {page.status}")
        return summary.read(page.body)

    def _forget(self, names: Sequence[str]) -> None:
        """Nodes that are gone are nobody's any more."""
        present = dict.fromkeys(names)
        self._found = {name: known for name, known in self._found.items() if name in present}
        self._silent = {name: None for name in self._silent if name in present}
