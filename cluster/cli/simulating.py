"""What `kubemu scheduler simulate` and `kubemu explain` share: manifests, the state of a cluster,
and the configuration of its scheduler.
"""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cluster.aio import clock
from cluster.api import completion, errors, faults, identity, objects, resources, rules, schema
from cluster.api.objects import Object
from cluster.cli import clusters, connection, schedulerconfig
from cluster.launcher import state
from cluster.launcher.processes import Process
from cluster.scheduler.config import Config

if TYPE_CHECKING:
    from cluster.client.client import Client
    from cluster.scheduler.simulation.run import Simulation

SCHEDULER: Final = "scheduler"
_SOMEBODY: Final = identity.User("kubernetes-admin", (identity.MASTERS, identity.AUTHENTICATED))
_CLUSTER_WIDE: Final = ("nodes", "namespaces", "persistentvolumes")
Typed = tuple[resources.Resource, Object]


class Unusable(faults.Fault):
    """A manifest cannot be used; the message says which document, and why."""


def manifest(path: str, text: str, namespace: str, *, strict: bool) -> list[Typed]:
    """The objects of a manifest, with their defaults. `strict`: they are checked as the API would.

    Unusable.
    """
    from cluster.api import yaml_text

    try:
        documents = yaml_text.documents(text)
    except yaml_text.Unreadable as error:
        raise Unusable(f"{path} is not YAML: {error}") from error
    found = [
        _typed(obj, namespace, f"{path}, document {number}", strict=strict)
        for number, obj in _numbered(documents)
    ]
    return [one for one in found if one is not None]


def scheduler_processes(folder: state.Folder) -> list[Process]:
    """The scheduler processes of a cluster that `kubemu up` started."""
    return [one for one in clusters.plan(folder).processes if one.component == SCHEDULER]


def flag(process: Process, name: str) -> str:
    """The value of a flag that a process was started with, or ""."""
    prefix = f"--{name}="
    values = [one.removeprefix(prefix) for one in process.argv if one.startswith(prefix)]
    return values[-1] if values else ""


def config(path: Path | None, version: str) -> Config:
    """A scheduler's configuration: of a file, or the default one."""
    fields = schedulerconfig.fields(schedulerconfig.load(path)) if path is not None else {}
    return Config(kubernetes_version=version, **fields)


def of_cluster(folder: state.Folder) -> Config:
    """The configuration of a running cluster's scheduler."""
    found = scheduler_processes(folder)
    path = flag(found[0], "config") if found else ""
    version = flag(found[0], "kubernetes-version") if found else ""
    return config(Path(path) if path else None, version)


def simulation(wanted: Config, seed: int) -> "Simulation":
    """A simulation of nothing yet. Unusable."""
    from cluster.scheduler.simulation.run import Simulation

    made = random.Random(seed)  # noqa: S311 - nothing secret comes of it
    try:
        return Simulation(wanted, made, clock.SystemClock().now())
    except ValueError as error:
        raise Unusable(str(error)) from error


async def read(client: "Client", into: "Simulation") -> dict[str, Object]:
    """Take the present state of a cluster; its pods by key. errors.StatusError."""
    from cluster.scheduler.simulation import state as states

    pods: dict[str, Object] = {}
    for resource in states.RESOURCES:
        try:
            listing = await client.list(resource)
        except errors.NotFound:
            continue  # this version has no such kind
        for obj in listing.items:
            if resource == states.PODS:
                pods[objects.key(obj)] = obj
            into.state.take(resource, obj)
    return pods


def reached(name: str, kubeconfig: Path | None) -> connection.Connection:
    """The API server of a cluster by name, or of a kubeconfig. faults.Fault."""
    if kubeconfig is not None:
        found = connection.of_kubeconfig(kubeconfig)
        if not found.servers:
            raise Unusable(f"{kubeconfig} is of no cluster of kubemu: it names no gRPC address")
        return found
    return connection.of_kubeconfig(clusters.running(name).kubeconfig)


def _numbered(documents: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Documents, with the items of lists in place of the lists."""
    for number, obj in enumerate(documents, 1):
        if obj is None:
            continue
        if isinstance(obj, dict) and str(obj.get("kind", "")).endswith("List"):
            listed = obj.get("items")
            yield from ((number, item) for item in (listed if isinstance(listed, list) else ()))
        else:
            yield number, obj


def _typed(obj: Any, namespace: str, where: str, *, strict: bool) -> Typed | None:
    if not isinstance(obj, dict) or not obj.get("kind") or not obj.get("apiVersion"):
        raise Unusable(f"{where}: an object needs apiVersion and kind")
    version, kind = str(obj["apiVersion"]), str(obj["kind"])
    row = resources.built_in().of_kind(version, kind)
    if row is None:
        if not strict:
            return None
        raise Unusable(f'{where}: no matches for kind "{kind}" in version "{version}"')
    if not isinstance(obj.get("metadata"), dict) or not objects.name(obj):
        raise Unusable(f"{where}: metadata.name is missing")
    if row.namespaced and not objects.namespace(obj):
        obj = obj | {"metadata": objects.meta(obj) | {"namespace": namespace}}
    try:
        made, _ = completion.completed(row, obj, schema.NEWEST, "Strict" if strict else "Ignore")
        if strict:
            _check(row, made)
    except errors.StatusError as error:
        raise Unusable(f"{where}: {error.message}") from error
    return row, made


def _check(row: resources.Resource, made: Object) -> None:
    """Go through a creation as the API server does: what it fills in (a Job's selector) is not
    missing. errors.StatusError.
    """
    # Objects that were saved from a cluster may be given as they are.
    meta = {key: value for key, value in objects.meta(made).items() if key != "resourceVersion"}
    drawn = random.Random(0)  # noqa: S311 - what it draws is thrown away
    rules.for_create(row, {**made, "metadata": meta}, rules.Request(0.0, drawn, _SOMEBODY))
