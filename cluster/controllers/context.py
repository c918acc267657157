"""What a controller is built from: configuration, client, time, chance and the shared informers."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cluster.aio import clock
from cluster.api import objects, resources
from cluster.api.persistentvolumes import facts
from cluster.client import client, indexer, informer, recorder, workqueue
from cluster.controllers import selection
from cluster.controllers.config import Config
from cluster.controllers.job import indices as jobindices

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

CONTROLLER = "controller"
"""Index: the uid of the object's controller."""
ORPHANS = "orphans"
"""Index: the namespace of an object without a controller."""
NAMESPACE = "namespace"
"""Index: the namespace of an object."""
NODE = "node"
"""Index: the node of a pod."""
JOB_PODS = "job-pods"
"""Index: the uid of the job of a pod that runs, or is not counted."""
CLAIM_USERS = "claims"
"""Index: the keys of the claims that a pod uses. `with_claim_users` has it."""


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
    PODS: {**_OWNED, NAMESPACE: _by_namespace, NODE: _by_node, JOB_PODS: jobindices.of_pod},
    REPLICA_SETS: {**_OWNED, NAMESPACE: _by_namespace, **_SELECTS},
    REPLICATION_CONTROLLERS: {CONTROLLER: _by_controller, NAMESPACE: _by_namespace, **_SELECTS},
    DEPLOYMENTS: _SELECTS,
    DAEMON_SETS: _SELECTS,
    JOBS: {CONTROLLER: _by_controller, **_SELECTS},
    CONTROLLER_REVISIONS: _OWNED,
    BUDGETS: {NAMESPACE: _by_namespace},
}

_BY_NAMESPACE: Mapping[str, indexer.IndexFunction] = {NAMESPACE: _by_namespace}


def claims_of(pod: objects.Object) -> list[str]:
    """The keys of the claims that a pod uses."""
    if not any("persistentVolumeClaim" in v or "ephemeral" in v for v in volumes_of(pod)):
        return []
    space = objects.namespace(pod)
    return [f"{space}/{use.claim}" for use in facts.uses(pod)]


def volumes_of(pod: objects.Object) -> Sequence[objects.Object]:
    """spec.volumes of a pod."""
    return objects.spec(pod).get("volumes") or ()


_BY_CLAIM: Mapping[str, indexer.IndexFunction] = {CLAIM_USERS: claims_of}


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

    def with_claim_users(self) -> informer.Informer:
        """The pods, with an index of the claims that they use."""
        self.shared(PODS)
        return self.informers.get(PODS, indexers=_BY_CLAIM)

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


selector_of, matcher_of = selection.selector_of, selection.matcher_of
