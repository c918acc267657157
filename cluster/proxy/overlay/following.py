"""Feeds the tables from watches: Nodes and NetworkPolicies always, and while there is a policy Pods
and Namespaces too. Of objects only what the tables make of them is kept.
"""

import asyncio
import random as randoms
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from cluster.aio import tasks
from cluster.api import objects
from cluster.client.client import Client, Event
from cluster.client.reflector import Reflector
from cluster.proxy.overlay.tables import Tables

_NODES: Final = "nodes"
_POLICIES: Final = "networkpolicies.networking.k8s.io"
_PODS: Final = "pods"
_NAMESPACES: Final = "namespaces"


class _Sink:
    """Tells of each object of a resource that comes, changes or goes, and then `done`."""

    def __init__(
        self,
        put: Callable[[objects.Object], None],
        remove: Callable[[str], None],
        done: Callable[[], None],
    ) -> None:
        self._put = put
        self._remove = remove
        self._done = done
        self._known: dict[str, None] = {}
        self.synced = False

    def replace(self, items: Sequence[objects.Object], _revision: int) -> None:
        """See `reflector.Sink`."""
        self.synced = True
        before, self._known = self._known, {objects.key(item): None for item in items}
        for key in before:
            if key not in self._known:
                self._remove(key)
        for item in items:
            self._put(item)
        self._done()

    def apply(self, events: Sequence[Event]) -> None:
        """See `reflector.Sink`."""
        for event in events:
            key = objects.key(event.object)
            if event.type != "DELETED":
                self._known[key] = None
                self._put(event.object)
            elif key in self._known:
                del self._known[key]
                self._remove(key)
        self._done()

    def empty(self) -> None:
        """Forget all."""
        self.replace([], 0)
        self.synced = False


class Following:
    """Runs the watches, and calls `changed` when there may be something to program."""

    def __init__(
        self, tables: Tables, client: Client, random: randoms.Random, changed: Callable[[], None]
    ) -> None:
        self._tables = tables
        self._client = client
        self._random = random
        self._changed = changed
        self._was_settled = False
        self._group: tasks.Group | None = None
        self._for_policies: list[asyncio.Task[None]] = []
        self._policies: dict[str, None] = {}
        compiler = tables.compiler
        self._sinks = {
            _NODES: _Sink(tables.set_node, tables.remove_node, self._done),
            _POLICIES: _Sink(self._policy, self._no_policy, self._policies_done),
            _PODS: _Sink(compiler.set_pod, compiler.remove_pod, self._done),
            _NAMESPACES: _Sink(
                lambda one: compiler.set_namespace(objects.name(one), objects.labels(one)),
                lambda name: compiler.set_namespace(name, None),
                self._done,
            ),
        }
        self._log = structlog.get_logger().bind(component="kube-proxy")

    @property
    def settled(self) -> bool:
        """Whether all is known that the tables are about."""
        needed = self._sinks if self._policies else (_NODES, _POLICIES)
        return all(self._sinks[resource].synced for resource in needed)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with tasks.Group("overlay") as self._group:
            self._follow(_NODES)
            self._follow(_POLICIES)

    def _follow(self, resource: str) -> asyncio.Task[None]:
        if self._group is None:
            raise RuntimeError("nothing is followed yet")
        generator = randoms.Random(self._random.random())  # noqa: S311  (jitter)
        reflector = Reflector(self._client, resource, self._sinks[resource], generator)
        return self._group.spawn(reflector.run(), resource)

    def _policy(self, obj: objects.Object) -> None:
        key = objects.key(obj)
        try:
            self._tables.compiler.set_policy(obj)
        except ValueError as error:
            # The API server lets no such selector in; a policy that has one selects nothing.
            self._log.error("NetworkPolicy has no sense", policy=key, error=str(error))
            self._tables.compiler.remove_policy(key)
        self._policies[key] = None

    def _no_policy(self, key: str) -> None:
        self._tables.compiler.remove_policy(key)
        self._policies.pop(key, None)

    def _policies_done(self) -> None:
        """Pods and namespaces are of interest as long as there is a policy."""
        if self._policies and not self._for_policies:
            self._for_policies = [self._follow(_PODS), self._follow(_NAMESPACES)]
        elif not self._policies and self._for_policies:
            for task in self._for_policies:
                task.cancel()
            self._for_policies = []
            self._sinks[_PODS].empty()
            self._sinks[_NAMESPACES].empty()
        self._done()

    def _done(self) -> None:
        if self.settled and (self._tables.changed or not self._was_settled):
            self._was_settled = True
            self._changed()
