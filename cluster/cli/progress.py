"""What `kubemu up` shows while a cluster starts, and the picture when it stands."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cluster.aio import clock, tasks
from cluster.api import conditions, faults, objects
from cluster.cli import clusters, connection, dnsup, loglines
from cluster.launcher import controlling, kubeconfig, state, topology
from cluster.pb.cluster.v1 import control_pb2 as pb

if TYPE_CHECKING:
    from cluster.launcher.topology import Topology

_HOPELESS_AFTER: Final = 2
"""A process that ended so often before it was ever ready will not get ready."""


class NotUp(faults.Fault):
    """The cluster is not up in time, or not all of it may be; what runs goes on."""


class Hopeless(faults.Fault):
    """A process cannot start, so the cluster will not come up."""


class _Line:
    """One line that changes, on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self._status: Any = None
        if os.isatty(2):
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")

    def __enter__(self) -> "_Line":
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def say(self, text: str) -> None:
        if self._status:
            self._status.update(text)


class _Watch:
    """What is known of a cluster that starts."""

    def __init__(self, line: _Line, nodes: int, flag: str) -> None:
        self._line = line
        self._wanted = nodes
        self._flag = flag
        self._processes: dict[str, Any] = {}
        self._once_ready: set[str] = set()
        self._ready: dict[str, bool] = {}
        self.api_ready = asyncio.Event()
        self.processes_ready = asyncio.Event()
        self.nodes_ready = asyncio.Event()
        self.dns_ready = asyncio.Event()

    def processes(self, changed: list[Any]) -> None:
        """The supervisor tells of processes. Hopeless where one cannot start, NotUp where somebody
        has stopped or paused one.
        """
        for process in changed:
            self._processes[process.name] = process
            self._check_wanted(process)
            if process.phase == pb.Process.RUNNING:
                self._once_ready.add(process.name)
                if process.component == "apiserver":
                    self.api_ready.set()
            elif process.restarts >= _HOPELESS_AFTER and process.name not in self._once_ready:
                raise Hopeless(_why(process))
        if all(each.phase == pb.Process.RUNNING for each in self._processes.values()):
            self.processes_ready.set()
        self._say()

    def _check_wanted(self, process: Any) -> None:
        where = f"{process.name}{self._flag}"
        if process.paused:
            raise NotUp(f"{process.name} is paused; let it go on with: kubemu resume {where}")
        # Before its first start it has not ended either.
        if process.phase == pb.Process.STOPPED and process.last_exit:
            raise NotUp(f"{process.name} is stopped; start it with: kubemu start {where}")

    def node(self, change: Any) -> None:
        """The API server tells of a node."""
        node = change.new or change.old
        self._ready[objects.name(node)] = bool(change.new) and conditions.is_true(node, "Ready")
        if self.count >= self._wanted:
            self.nodes_ready.set()
        self._say()

    def dns(self, change: Any) -> None:
        """The API server tells of the Deployment of the name server."""
        if dnsup.answers(change.new):
            self.dns_ready.set()

    @property
    def count(self) -> int:
        """How many nodes are Ready."""
        return sum(self._ready.values())

    def missing(self) -> str:
        """What is not there yet."""
        if not self.api_ready.is_set():
            return "the API server does not answer"
        if not self.nodes_ready.is_set():
            return f"{self.count} of {self._wanted} nodes are Ready"
        late = [name for name in self._processes if name not in self._once_ready]
        return f"these processes are not ready: {', '.join(late)}"

    def _say(self) -> None:
        ready = f"{len(self._once_ready)}/{len(self._processes)} processes ready"
        self._line.say(f"{ready}, {self.count}/{self._wanted} nodes Ready")


async def show(
    wanted: "Topology", folder: state.Folder, began: float, *, within: float, wait: bool
) -> None:
    """Wait for the cluster, if asked to, and draw it. NotUp, Hopeless."""
    with _Line() as line:
        if wait:
            watch = _Watch(line, wanted.size, _flag(folder.name))
            await _wait(folder, watch, within, dns="dns" in wanted.all_addons)
    taken = clock.SystemClock().now() - began
    _picture(wanted, folder, taken if wait else None)


async def _wait(folder: state.Folder, watch: _Watch, within: float, *, dns: bool) -> None:
    plan = clusters.plan(folder)
    try:
        async with (
            asyncio.timeout(within),
            controlling.connect(Path(plan.control)) as remote,
            tasks.Group("up") as group,
        ):
            follower = group.spawn(_follow(remote, watch), "processes")
            await watch.api_ready.wait()
            async with _nodes(folder, watch, dns=dns):
                await watch.nodes_ready.wait()
                await watch.processes_ready.wait()
                if dns:
                    await _dns(watch)
            follower.cancel()
    except TimeoutError:
        flag = _flag(folder.name)
        raise NotUp(
            f"after {within:g} s {watch.missing()}; it goes on starting: look at it with "
            f"kubemu status{flag} and kubemu logs PROCESS{flag}, or end it with kubemu down{flag}"
        ) from None


async def _dns(watch: _Watch) -> None:
    """Wait for the name server for a moment: who has deleted it gets none."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(dnsup.SECONDS):
            await watch.dns_ready.wait()


async def _follow(remote: controlling.Remote, watch: _Watch) -> None:
    async for changed in remote.watch():
        watch.processes(changed)


@asynccontextmanager
async def _nodes(folder: state.Folder, watch: _Watch, *, dns: bool) -> AsyncIterator[None]:
    """Tell `watch` of nodes, and of the name server, as long as the block lasts."""
    import random

    from cluster.client import informer

    reached = connection.of_kubeconfig(folder.kubeconfig)
    async with reached.client("kubemu") as client, tasks.Group("nodes") as group:
        informers = informer.Informers(client, random.Random(os.urandom(16)))  # noqa: S311
        informers.get("nodes").on_change(watch.node)
        if dns:
            chosen = f"metadata.name={dnsup.NAME}"
            deployments = informers.get(
                "deployments.apps", namespace=dnsup.NAMESPACE, fields=chosen
            )
            deployments.on_change(watch.dns)
        informers.start(group)
        yield
        group.cancel()


def _why(process: Any) -> str:
    said = process.status or loglines.last(Path(process.log)) or process.last_exit
    return f"{process.name} does not start: {said}; its log is {process.log}"


def _picture(wanted: "Topology", folder: state.Folder, taken: float | None) -> None:
    server = kubeconfig.access(folder.kubeconfig).server
    processes = len(clusters.plan(folder).processes)
    flag = _flag(wanted.name)
    ready = f" in {taken:.1f} s" if taken is not None else ", and its nodes are on their way"
    click.echo(f"Cluster {wanted.name} is up{ready}.\n")
    registry = clusters.registry(folder)
    rows = {
        "API server": f"{server} (Kubernetes {wanted.kubernetes_version})",
        **({"registry": f"{registry}: kubemu image push {registry}/NAME"} if registry else {}),
        "nodes": _nodes_shown(wanted),
        "processes": f"{processes}: kubemu ps{flag}",
        "kubeconfig": str(folder.kubeconfig),
    }
    for name, text in rows.items():
        click.echo(f"  {name:12}{text}")
    click.echo(f"\n  export KUBECONFIG={folder.kubeconfig}\n  kubectl get nodes")


def _nodes_shown(wanted: "Topology") -> str:
    names = [node.name for node in wanted.nodes]
    shown = [", ".join(names) if len(names) <= 6 else f"{names[0]} … {names[-1]}"] if names else []
    shown += [f"{group.count} hollow ({group.prefix}-0…)" for group in wanted.hollow]
    return " and ".join(shown)


def _flag(name: str) -> str:
    return "" if name == topology.DEFAULT_NAME else f" --name {name}"
