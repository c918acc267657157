"""Writes Node objects and their leases, for one node or a thousand: one task, one timer.

What is due together is written in one batch. Renewals are dealt out over the renewal period, and
fall on a common beat, so that many nodes cost a few batches a second.
"""

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
import structlog

from cluster.aio import backoff
from cluster.aio import clock as clocks
from cluster.api import errors, objects
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client import delayqueue, draining
from cluster.client.client import Client
from cluster.client.informer import Change
from cluster.kubelet.config import Config
from cluster.kubelet.node import description
from cluster.kubelet.node import health as healths

_BATCH: Final = 512
_BEAT: Final = 0.25
"""Seconds between the moments at which renewals fall due."""
_RETRY: Final = 1.0
_LEASES: Final = "leases.coordination.k8s.io"
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Node:
    """One node that is kept. `object` is the Node as the API has it, None until it is registered.

    `on_pod_cidr` is told the pod CIDRs once they are known, and when they change.
    """

    config: Config
    on_pod_cidr: Callable[[str], None]
    health: healths.Health = field(default_factory=healths.Health)
    object: objects.Object | None = None
    registered: bool = False
    exists: bool = False
    """The API had it before: labels are brought up to date, not the whole."""
    leased: bool = False
    pod_cidr: str = ""
    images: list[objects.Object] | None = None
    """status.images; None: not known yet, so what is shown stays."""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.config.node_name


class NodeKeeper:
    """Registers nodes, posts their status, renews their leases. `run` serves until cancelled."""

    def __init__(self, client: Client, clock: clocks.Clock, generator: random.Random) -> None:
        self._client = client
        self._clock = clock
        self._random = generator
        self._nodes: dict[str, Node] = {}
        self._dirty: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._delayed = delayqueue.DelayQueue(lambda key, _cause: self._due(key))
        self._unshown: set[str] = set()
        self.shown = asyncio.Event()
        """Every node is in the API, and says there where its kubelet listens now."""
        self._log = structlog.get_logger().bind(component="kubelet")

    def add(self, node: Node) -> None:
        """Keep a node."""
        self._nodes[node.name] = node
        self._unshown.add(node.name)
        self._due(f"node/{node.name}")

    def set_pressures(self, name: str, found: tuple[str, ...]) -> None:
        """Post what a node is short of now."""
        node = self._nodes[name]
        if node.health.pressures != found:
            node.health = replace(node.health, pressures=found)
            self._due(f"node/{name}")

    def set_images(self, name: str, found: list[objects.Object]) -> None:
        """Post which images a node has now."""
        node = self._nodes[name]
        if node.images != found:
            node.images = found
            shown = objects.status(node.object).get("images") if node.object else None
            if (shown or []) != found:
                self._due(f"node/{name}")

    def set_health(self, name: str, found: healths.Health) -> None:
        """Post another health of a node; what it is short of stays."""
        node = self._nodes[name]
        found = replace(found, pressures=node.health.pressures)
        if node.health != found:
            node.health = found
            self._due(f"node/{name}")

    def on_node(self, change: Change) -> None:
        """Hear of a Node: the handler of an informer. Others than the kept ones are ignored."""
        node = self._nodes.get(objects.name(change.object))
        if node is None:
            return
        if not node.registered:
            # The answer to its registration is older, and may come later.
            if change.new is not None:
                self._learn(node, change.new)
            return
        if change.new is None:
            # As with a kubelet: the node comes back when its kubelet is started again.
            self._log.warning("the Node was deleted", node=node.name)
            return
        self._learn(node, change.new)
        if not healths.told(change.new, node.health):
            self._due(f"node/{node.name}")

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        pause = backoff.Backoff(self._random, initial=0.1, maximum=5.0)
        await draining.drain(self._dirty, self._wake, self._write, pause)

    def _due(self, key: str) -> None:
        self._dirty[key] = None
        self._wake.set()

    async def _write(self) -> bool:
        """Write a batch of what is due; False where the API should be left alone a while."""
        keys = list(self._dirty)[:_BATCH]
        now = self._clock.now()
        operations = []
        for key in keys:
            del self._dirty[key]
            kind, _, name = key.partition("/")
            node = self._nodes[name]
            operations.append(_lease(node, now) if kind == "lease" else _node(node, now))
        outcomes = await self._client.submit_all(operations)
        welcome = True
        for key, operation, outcome in zip(keys, operations, outcomes, strict=True):
            welcome &= self._settle(key, operation, outcome)
        return welcome

    def _settle(
        self, key: str, operation: Operation, outcome: objects.Object | errors.StatusError
    ) -> bool:
        """Note what became of a write; False where the API should be left alone a while."""
        kind, _, name = key.partition("/")
        node = self._nodes[name]
        if isinstance(outcome, errors.StatusError):
            return self._failed(key, node, operation, outcome)
        if kind == "lease":
            self._leased(node)
        elif not node.registered:
            self._registered(node, outcome)
        else:
            self._learn(node, outcome)
            self._show(node)
            self._heartbeat(node)
        return True

    def _failed(
        self, key: str, node: Node, operation: Operation, failure: errors.StatusError
    ) -> bool:
        later = isinstance(failure, draining.AWAY)
        if later:
            self._due(key)
            return False
        if operation.verb is Verb.CREATE and isinstance(failure, errors.AlreadyExists):
            if operation.resource == _LEASES:
                node.leased = True
            else:
                node.exists = True
            self._due(key)
        elif operation.resource == _LEASES and isinstance(failure, errors.NotFound):
            node.leased = False
            self._delayed.add(key, _RETRY, 0)
        elif node.registered and isinstance(failure, errors.NotFound):
            self._show(node)  # it was deleted: that was said when it was heard
            self._heartbeat(node)
        else:
            self._log.warning(
                "the Node or its lease was not written", node=node.name, error=str(failure)
            )
            self._delayed.add(key, _RETRY * (1 + self._random.random()), 0)
        return True

    def _registered(self, node: Node, found: objects.Object) -> None:
        node.registered = True
        self._learn(node, found)
        shown = node.object or found
        current = description.shows_port(shown, node.config)
        if current:
            self._show(node)
        if current and healths.told(shown, node.health) and objects.status(shown).get("capacity"):
            self._heartbeat(node)
        else:
            self._due(f"node/{node.name}")
        self._due(f"lease/{node.name}")

    def _show(self, node: Node) -> None:
        """The API server can reach the node's kubelet, or never will."""
        self._unshown.discard(node.name)
        if not self._unshown:
            self.shown.set()

    def _learn(self, node: Node, found: objects.Object) -> None:
        if node.object is None or objects.revision(found) >= objects.revision(node.object):
            node.object = found
        cidr = description.pod_cidr(found)
        if cidr and cidr != node.pod_cidr:
            node.pod_cidr = cidr
            node.on_pod_cidr(cidr)

    def _heartbeat(self, node: Node) -> None:
        period = node.config.node_status_report_frequency
        self._later(f"node/{node.name}", period * (0.9 + 0.1 * self._random.random()))

    def _leased(self, node: Node) -> None:
        period = node.config.node_lease_duration * node.config.lease_renew_fraction
        # The first renewal comes at any time within the period: nodes that started together part.
        share = 0.96 + 0.08 * self._random.random() if node.leased else self._random.random()
        node.leased = True
        self._later(f"lease/{node.name}", period * share)

    def _later(self, key: str, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._delayed.add(key, math.floor((now + seconds) / _BEAT + 1) * _BEAT - now, 0)


def _node(node: Node, now: float) -> Operation:
    """What brings the Node up to date: its registration, its labels, or its status."""
    config = node.config
    if node.registered and node.object is not None:
        before = objects.status(node.object).get("conditions") or []
        shown = description.status(config, node.health, before, now)
        if node.images is not None:
            shown["images"] = node.images
        body: Any = {"status": shown}
        return _patch("nodes", "", node.name, body, "status")
    if node.exists:
        known = {
            "metadata": {
                "labels": description.labels(config),
                "annotations": description.annotations(config),
            }
        }
        return _patch("nodes", "", node.name, known)
    made = description.node(config, node.health, now)
    return Operation(Verb.CREATE, "nodes", "", node.name, body=_encode(made))


def _lease(node: Node, now: float) -> Operation:
    space = description.LEASE_NAMESPACE
    if node.leased:
        body = description.renewal(node.config, now)
        return _patch(_LEASES, space, node.name, body, want_object=False)
    made = description.lease(node.object or {}, node.config, now)
    return Operation(Verb.CREATE, _LEASES, space, node.name, body=_encode(made), want_object=False)


def _patch(
    resource: str,
    space: str,
    name: str,
    body: objects.Object,
    subresource: str = "",
    *,
    want_object: bool = True,
) -> Operation:
    return Operation(
        Verb.PATCH, resource, space, name, subresource, _encode(body), MERGE_PATCH,
        want_object=want_object,
    )  # fmt: skip
