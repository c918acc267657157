"""What a cluster has from its birth: namespaces, priority classes, the `kubernetes` Service, the
storage class `standard` that clusters of kind and minikube have, and a RuntimeClass for each
handler of kubemu's runtime.

kube-apiserver makes these at its start and so does `ensure`; what is there already stays. Where
RBAC is a mode of authorization, its bootstrap policy belongs to it.
"""

import asyncio
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from cluster.api import errors, identity, objects, timestamps
from cluster.api.objects import Object
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.api.persistentvolumes import local
from cluster.api.validation import endpoints
from cluster.apiserver import codec
from cluster.apiserver.authz.policy import ensuring

if TYPE_CHECKING:
    from cluster.apiserver.registry import Registry

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
STORAGE_CLASS = "standard"
"""The controller manager's local-volume-provisioner."""
RUNTIME_CLASSES = {
    "container": {"cpu": "5m", "memory": "16Mi"},
    "vm": {"cpu": "250m", "memory": "1Gi"},
}
"""Runtime classes by name, each of the runtime's handler of that name, and the overhead of a pod:
what a shim process takes, and what a guest operating system and its monitor take.
"""
SERVICE_RANGE = "10.96.0.0/12"
USER = identity.User("system:apiserver", (identity.MASTERS, identity.AUTHENTICATED))
_PRIORITIES = (
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another "
        "node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
)


@dataclass(frozen=True, slots=True)
class Initial:
    """Where the API is found inside the cluster.

    The `kubernetes` Service gets the first address of `service_range`; its EndpointSlice names
    `advertise` and `port`, and is left out where `advertise` is "".
    """

    service_range: str = SERVICE_RANGE
    advertise: str = ""
    port: int = 6443
    addons: tuple[str, ...] = ()
    """What else the cluster has: names of `addons`."""

    @property
    def service_address(self) -> str:
        """The cluster IP of the `kubernetes` Service."""
        return str(ipaddress.ip_network(self.service_range)[1])


async def ensure(registry: "Registry", initial: Initial) -> None:
    """Make what is missing. errors.StatusError where the store refuses it.

    Where several servers share a store, where they are is `advertising`'s to tell.
    """
    first = registry.cache.get("namespaces", "", NAMESPACES[0]) is None
    # In this order: one lives in the other, and a namespace tells that this was done before.
    for wanted in (_classes(first=first), _namespaces(), _contents(initial)):
        operations = [_create(registry, obj) for obj in wanted]
        await _write(registry, [each for each in operations if not _present(registry, each)])
    await _service_range(registry, initial)
    if registry.authz.enforced:
        await ensuring.ensure(registry, USER)
    if initial.advertise and not registry.freshness.shared:
        await _advertise(registry, initial)
    if initial.addons:
        # Imported here: the lab mostly has none.
        from cluster.apiserver import addons

        await addons.ensure(registry, initial.addons, initial.service_range, USER)


RESTORE_SECONDS = 10.0
"""How often kube-apiserver looks after its Service (pkg/controlplane/controller)."""


async def keep(registry: "Registry", initial: Initial) -> None:
    """Make what users delete of the `kubernetes` Service anew, until cancelled."""
    log = structlog.get_logger().bind(component="apiserver")
    while True:
        await asyncio.sleep(RESTORE_SECONDS)
        try:
            await restore(registry, initial)
        except errors.StatusError as error:
            log.warning("cannot restore the kubernetes Service", error=error.message)


async def restore(registry: "Registry", initial: Initial) -> None:
    """Make the `kubernetes` Service and what it leads to where they are missing.

    errors.StatusError where the store refuses it.
    """
    service = _create(registry, _service(initial))
    if not _present(registry, service):
        await _write(registry, [service])
    if initial.advertise and not registry.freshness.shared:
        await _advertise(registry, initial, missing=True)


async def _write(registry: "Registry", missing: list[Operation]) -> None:
    for result in await registry.write(missing, USER):
        if isinstance(result, errors.StatusError) and not isinstance(result, errors.AlreadyExists):
            raise result


async def _service_range(registry: "Registry", initial: Initial) -> None:
    """The ServiceCIDR `kubernetes`, and that it is ready, where this version has the kind."""
    row = registry.table.of_kind("networking.k8s.io/v1", "ServiceCIDR")
    if row is None or registry.cache.get(row.id, "", "kubernetes") is not None:
        return
    obj: Object = {
        "apiVersion": row.api_version,
        "kind": row.kind,
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": [initial.service_range]},
    }
    await _write(registry, [_create(registry, obj)])
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
        "lastTransitionTime": timestamps.encode(registry.clock.now()),
    }
    body = codec.document({"status": {"conditions": [ready]}})
    await _write(
        registry,
        [
            Operation(
                Verb.PATCH,
                row.id,
                "",
                "kubernetes",
                "status",
                body=body,
                patch_type=MERGE_PATCH,
            )
        ],
    )


def _classes(*, first: bool) -> Iterator[Object]:
    """The default storage class and the runtime classes, at the very first start: a user may
    delete or change them, or make another storage class the default.
    """
    if not first:
        return
    yield {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": local.NAME,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }
    for name, overhead in RUNTIME_CLASSES.items():
        yield {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": name},
            "handler": name,
            "overhead": {"podFixed": dict(overhead)},
        }


def _namespaces() -> Iterator[Object]:
    for name in NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _contents(initial: Initial) -> Iterator[Object]:
    for namespace in NAMESPACES:
        # The controller manager would make them a moment later; so pods need not wait for it, and
        # an API server by itself takes pods.
        meta = {"name": "default", "namespace": namespace}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    for name, value, description in _PRIORITIES:
        yield {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        }
    yield _service(initial)


def _service(initial: Initial) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": initial.service_address,
            "ports": [
                {"name": "https", "port": 443, "protocol": "TCP", "targetPort": initial.port}
            ],
        },
    }


def _advertised(initial: Initial) -> Iterator[tuple[Object, Object]]:
    """The Service's EndpointSlice and, where such an address may be there, its Endpoints; of each
    the document without what says where this server is, and that.
    """
    port = {"name": "https", "port": initial.port, "protocol": "TCP"}
    named = {"name": "kubernetes", "namespace": "default"}
    place = {"addresses": [initial.advertise], "conditions": {"ready": True}}
    labels = {"kubernetes.io/service-name": "kubernetes"}
    yield (
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**named, "labels": labels},
            "addressType": "IPv6" if ":" in initial.advertise else "IPv4",
        },
        {"endpoints": [place], "ports": [port]},
    )
    if not endpoints.special("", initial.advertise):
        labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
        yield (
            {"apiVersion": "v1", "kind": "Endpoints", "metadata": {**named, "labels": labels}},
            {"subsets": [{"addresses": [{"ip": initial.advertise}], "ports": [port]}]},
        )


async def _advertise(registry: "Registry", initial: Initial, *, missing: bool = False) -> None:
    """Name this server in what the Service leads to, in place of where it was before; with
    `missing` only in what is not there.
    """
    operations = []
    for full, wanted in _advertised(initial):
        operation = _create(registry, {**full, **wanted})
        if not _present(registry, operation):
            operations.append(operation)
        elif not missing:
            operations.append(
                Operation(
                    Verb.PATCH,
                    operation.resource,
                    "default",
                    "kubernetes",
                    body=codec.document(wanted),
                    patch_type=MERGE_PATCH,
                )
            )
    for result in await registry.write(operations, USER) if operations else ():
        if isinstance(result, errors.StatusError):
            log = structlog.get_logger().bind(component="apiserver")
            log.warning("cannot advertise the API server", error=result.message)


def _create(registry: "Registry", obj: Object) -> Operation:
    row = registry.table.of_kind(obj["apiVersion"], obj["kind"])
    if row is None:
        raise RuntimeError(f"the table of resources has no {obj['kind']}")
    return Operation(
        Verb.CREATE, row.id, objects.namespace(obj), objects.name(obj), body=codec.document(obj)
    )


def _present(registry: "Registry", operation: Operation) -> bool:
    try:
        found = registry.cache.get(operation.resource, operation.namespace, operation.name)
    except errors.InternalError:
        return True  # it is there, encrypted with a key that is not
    return found is not None
