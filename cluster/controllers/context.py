"""What a controller is built from: configuration, client, time, chance and the shared informers."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cluster.aio import clock
from cluster.api import objects, resources
from cluster.client import client, indexer, informer, recorder, workqueue
from cluster.controllers import selection
from cluster.controllers.config import Config

PODS = "pods"
NODES = "nodes"
SERVICES = "services"
ENDPOINTS = "endpoints"
NAMESPACES = "namespaces"
REPLICA_SETS = "replicasets.apps"
REPLICATION_CONTROLLERS = "replicationcontrollers"
DEPLOYMENTS = "deployments.apps"
STATEFUL_SETS = "statefulsets.apps"
DAEMON_SETS = "daemonsets.apps"
CONTROLLER_REVISIONS = "controllerrevisions.apps"
ENDPOINT_SLICES = "endpointslices.discovery.k8s.io"
BUDGETS = "poddisruptionbudgets.policy"
JOBS = "jobs.batch"
CRON_JOBS = "cronjobs.batch"
LEASES = "leases.coordination.k8s.io"
CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
STORAGE_CLASSES = "storageclasses.storage.k8s.io"

CONTROLLER = "controller"
"""Index: the uid of the object's controller."""
ORPHANS = "orphans"
"""Index: the namespace of an object without a controller."""
NAMESPACE = "namespace"
"""Index: the namespace of an object."""
NODE = "node"
"""Index: the node of a pod."""


def _by_controller(obj: objects.Object) -> list[str]:
    owner = objects.controller_of(obj)
    return [owner["uid"]] if owner is not None else []


def _orphans(obj: objects.Object) -> list[str]:
    return [objects.namespace(obj)] if objects.controller_of(obj) is None else []


def _by_namespace(obj: objects.Object) -> list[str]:
    return [objects.namespace(obj)]


def _by_node(obj: objects.Object) -> list[str]:
    node = objects.spec(obj).get("nodeName")
    return [node] if node else []


_SELECTS: Mapping[str, indexer.IndexFunction] = {selection.SELECTION: selection.demand}
_OWNED: Mapping[str, indexer.IndexFunction] = {CONTROLLER: _by_controller, ORPHANS: _orphans}

_INDEXERS: dict[str, Mapping[str, indexer.IndexFunction]] = {
    PODS: {**_OWNED, NAMESPACE: _by_namespace, NODE: _by_node},
    REPLICA_SETS: {**_OWNED, **_SELECTS},
    REPLICATION_CONTROLLERS: {CONTROLLER: _by_controller, **_SELECTS},
    DEPLOYMENTS: _SELECTS,
    DAEMON_SETS: _SELECTS,
    JOBS: {CONTROLLER: _by_controller, **_SELECTS},
    CONTROLLER_REVISIONS: _OWNED,
}

_BY_NAMESPACE: Mapping[str, indexer.IndexFunction] = {NAMESPACE: _by_namespace}


@dataclass(slots=True)
class Context:
    """One controller's share of the manager. After `close` its handlers hear nothing more: the
    informers are shared and outlive a controller that crashed.
    """

    config: Config
    client: client.Client
    clock: clock.Clock
    random: random.Random
    informers: informer.Informers
    _closed: bool = field(default=False, init=False)

    def shared(
        self, resource: str, also: Mapping[str, indexer.IndexFunction] | None = None
    ) -> informer.Informer:
        """The shared informer of a resource, with the indices that several controllers use, and
        with those that only the caller does.
        """
        indexers = {**_INDEXERS.get(resource, {}), **(also or {})}
        return self.informers.get(resource, indexers=indexers)

    def by_namespace(self, resource: str) -> informer.Informer:
        """The same, with an index of namespaces at the least."""
        self.shared(resource)
        return self.informers.get(resource, indexers=_BY_NAMESPACE)

    def on_change(self, source: informer.Informer, handler: informer.Handler) -> None:
        """Call `handler` for each change, and now for what is there already, until `close`."""

        def hear(change: informer.Change) -> None:
            if not self._closed:
                handler(change)

        source.on_change(hear)

    def on_resource(self, table: resources.Table, handler: Callable[[str], None]) -> None:
        """Call `handler` with the id of each resource that comes, goes or changes."""

        def hear(resource: str) -> None:
            if not self._closed:
                handler(resource)

        table.on_change(hear)

    def close(self) -> None:
        """The controller has ended."""
        self._closed = True

    def queue(self) -> workqueue.WorkQueue:
        """A new work queue."""
        return workqueue.WorkQueue(self.random)

    def recorder(self, component: str) -> recorder.Recorder:
        """A new recorder of events; its `run` is the controller's to start."""
        return recorder.Recorder(self.client, self.clock, self.random, component)


def settle(size: int, a_second: float) -> float:
    """Seconds to wait for more changes before looking at `size` things again.

    Looking costs time in proportion to the size; waiting in proportion bounds the share of time
    that is spent looking, and a small set waits next to nothing.
    """
    return size / a_second
