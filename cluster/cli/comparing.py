"""What `kubemu compare` runs on, and how it shows what came of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cluster.api import durations, errors, objects
from cluster.api.objects import Object
from cluster.cli import simulating, tables
from cluster.cli.simulating import Unusable
from cluster.kubelet import config as kubelet
from cluster.launcher import topology

if TYPE_CHECKING:
    from cluster.lab.comparing.figures import Change, Figures

MOST_NODES: Final = 1_000
_SECONDS: Final = 60.0
_CLASSES: Final = "runtimeclasses.node.k8s.io"
_OF_CLASSES: Final = ("handler", "overhead", "scheduling")
_NONE: Final = "-"
_UNITS: Final = (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10))
_OF_NODES: Final = "node.kubernetes.io/"
"""Taints of this prefix tell how a node is; the lab's nodes are well."""


def of_topology(wanted: topology.Topology) -> list[kubelet.Config]:
    """The nodes of a cluster file, as the lab takes them. Unusable."""
    found = [_node(one.name, one.size, one.labels, one.taints) for one in wanted.nodes]
    for group in wanted.hollow:
        for number in range(group.count):
            zone = group.zones[number % len(group.zones)] if group.zones else ""
            labels = {**group.labels, **({topology.ZONE_LABEL: zone} if zone else {})}
            found.append(_node(f"{group.prefix}-{number}", group.size, labels, group.taints))
    return checked(found)


def like(count: int, size: topology.Size) -> list[kubelet.Config]:
    """`count` nodes of one size. Unusable."""
    return checked([_node(f"node-{number}", size, {}, ()) for number in range(1, count + 1)])


def checked(found: list[kubelet.Config]) -> list[kubelet.Config]:
    """The nodes, where a lab can have so many. Unusable."""
    if not 1 <= len(found) <= MOST_NODES:
        raise Unusable(f"there are {len(found)} nodes: a comparison takes 1 to {MOST_NODES:,}")
    return found


def of_cluster(name: str, kubeconfig: Path | None) -> tuple[list[kubelet.Config], list[Object]]:
    """The nodes and the runtime classes of a cluster that runs. faults.Fault."""
    reached = simulating.reached(name, kubeconfig)

    async def story() -> tuple[Sequence[Object], Sequence[Object]]:
        async with reached.client("kubemu-compare") as client, asyncio.timeout(_SECONDS):
            return (await client.list("nodes")).items, (await client.list(_CLASSES)).items

    try:
        nodes, classes = asyncio.run(story())
    except TimeoutError as error:
        raise Unusable(f"the API server does not answer within {_SECONDS:g} s") from error
    except errors.StatusError as error:
        raise Unusable(f"the state of the cluster cannot be read: {error.message}") from error
    bare = [_bare(one) for one in classes]
    return checked([of_node(one) for one in nodes]), bare


def _bare(found: Object) -> Object:
    """A runtime class as a manifest would have it."""
    kept: Object = {key: found[key] for key in _OF_CLASSES if key in found}
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": objects.name(found)},
        **kept,
    }


def of_node(node: Object) -> kubelet.Config:
    """A node of a cluster as the lab takes it. Unusable."""
    status, spec = objects.status(node), objects.spec(node)
    room = status.get("capacity") or {}
    size = topology.Size(
        room.get("cpu", "4"), room.get("memory", "16Gi"), int(room.get("pods", "110"))
    )
    taints = [
        f"{one['key']}={one.get('value') or ''}:{one['effect']}"
        for one in spec.get("taints") or ()
        if not one["key"].startswith(_OF_NODES)
    ]
    return _node(objects.name(node), size, objects.labels(node), taints)


def _node(
    name: str, size: topology.Size, labels: Mapping[str, str], taints: Sequence[str]
) -> kubelet.Config:
    try:
        return kubelet.Config(
            name,
            cpu=size.cpu,
            memory=size.memory,
            max_pods=size.pods,
            labels=dict(labels),
            taints=tuple(kubelet.taint(text) for text in taints),
        )
    except ValueError as error:
        raise Unusable(f"node {name}: {error}") from error


def show(found: Sequence["Figures"], replicas_of: str) -> None:
    """Print the figures side by side."""
    rows = [(title, *(cell(one) for one in found)) for title, cell in _ROWS]
    tables.show(["", *(one.runtime_class.upper() for one in found)], rows)
    told = [f"{one.runtime_class}: {why}" for one in found for why in one.problems]
    if replicas_of:
        told.insert(0, f"replicas are those of {replicas_of}")
    for line in told:
        click.echo(f"\n{line}" if line is told[0] else line)


def _changed(change: "Change | None") -> str:
    if change is None:
        return _NONE
    if change.seconds is None:
        return f"never ({change.ready} of {change.wanted} Ready)"
    return durations.format(change.seconds)


def _memory(amount: int) -> str:
    for unit, size in _UNITS:
        if amount >= size:
            return f"{amount / size:.1f}{unit}"
    return str(amount)


def _cpu(amount: int) -> str:
    return f"{amount}m"


def _of_startup(name: str) -> Callable[["Figures"], str]:
    def cell(one: "Figures") -> str:
        return durations.format(getattr(one.startup, name)) if one.startup else _NONE

    return cell


_ROWS: Final[tuple[tuple[str, Callable[["Figures"], str]], ...]] = (
    ("pods placed", lambda one: f"{one.placed} of {one.pods}"),
    ("pods pending", lambda one: str(one.pending)),
    ("pods Ready", lambda one: str(one.ready)),
    ("replicas that fit one node", lambda one: str(one.density.node) if one.density else _NONE),
    ("replicas that fit all nodes", lambda one: str(one.density.cluster) if one.density else _NONE),
    ("CPU requested, with overhead", lambda one: _cpu(one.requested.cpu)),
    ("memory requested, with overhead", lambda one: _memory(one.requested.memory)),
    ("CPU overhead", lambda one: _cpu(one.overhead.cpu)),
    ("memory overhead", lambda one: _memory(one.overhead.memory)),
    ("first pod Ready", _of_startup("first")),
    ("start-up of a pod, median", _of_startup("median")),
    ("start-up of a pod, 99%", _of_startup("p99")),
    ("all pods Ready", _of_startup("all")),
    ("from 1 replica to all", lambda one: _changed(one.scaling)),
    ("Ready again after a node died", lambda one: _changed(one.recovery)),
)
