"""`kubemu up`: from a topology to a cluster whose nodes are Ready."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cluster.aio import clock
from cluster.api import faults, schema
from cluster.cli import clusters, filewins, flags, imagescriptsflag
from cluster.cli.commands import down
from cluster.launcher import (
    addressing,
    launching,
    nodesofplan,
    ports,
    resolvers,
    shapes,
    state,
    topology,
)
from cluster.launcher import plan as plans
from cluster.launcher.topology import Topology

_SUPERVISOR_UP_WITHIN = 30.0
_FIRST_REGISTRY = 5000
_FIRST_ETCD = 2379
_NAMED = 5


class Exists(faults.Fault):
    """A cluster of this name is there already, and is not the one asked for."""


@click.command()
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Cluster file: nodes, sizes, zones, taints, flags.",
)
@flags.option(
    "nodes",
    "How many nodes with processes of their own.",
    click.IntRange(0, 10_000),
    default=None,
    show_default="3",
)
@flags.option(
    "hollow",
    "How many hollow nodes: simulated, thousands in one process.",
    click.IntRange(0, 10_000),
    default=None,
    show_default="0",
)
@flags.option(
    "name", "Name of the cluster.", clusters.NAME, default=None, show_default=topology.DEFAULT_NAME
)
@flags.option(
    "port",
    "Port of the API server.",
    click.IntRange(1, 65535),
    default=None,
    show_default="6443, or the next free one",
)
@flags.option(
    "kubernetes-version",
    f"Kubernetes version emulated, {schema.VERSIONS[0]} to {schema.VERSIONS[-1]}.",
    click.Choice(schema.VERSIONS),
    default=None,
    metavar="VERSION",
    show_default=topology.KUBERNETES_VERSION,
)
@flags.option(
    "scheduler-config",
    "KubeSchedulerConfiguration file: the scheduler's profiles and plugins.",
    click.Path(dir_okay=False, path_type=Path),
)
@imagescriptsflag.OPTION
@click.option(
    "--registry/--no-registry",
    default=None,
    help="Whether there is a registry of images, which nodes pull from.  [default: registry]",
)
@flags.option(
    "driver",
    "What runs containers: sim emulates them, oci runs processes (Linux, crun or runc), auto does "
    "that where it can.",
    click.Choice(topology.DRIVERS),
    default=None,
    show_default="sim",
)
@flags.option(
    "network-backend",
    "How pods of different nodes reach each other: vxlan (as with flannel), routed (as with "
    "Calico, without encapsulation), mesh (as with Weave, around links that are cut).",
    click.Choice(topology.BACKENDS),
    default=None,
    show_default="vxlan",
)
@click.option(
    "--dns/--no-dns",
    default=None,
    help="Whether there is a name server of the cluster, CoreDNS.  [default: dns]",
)
@flags.option(
    "addons",
    "What else the cluster has: ingress (ingress-nginx).",
    flags.LIST,
    default=None,
    show_default="none",
)
@click.option(
    "--ha",
    is_flag=True,
    help="Two API servers behind a balancer, two schedulers and two controller managers that elect "
    "a leader, three members of etcd (which has to be installed).",
)
@click.option("--wait/--no-wait", default=True, help="Wait until all nodes are Ready.")
@flags.option("timeout", "How long to wait.", flags.DURATION, default="60s")
def up(
    path: Path | None,
    nodes: int | None,
    hollow: int | None,
    name: str | None,
    *,
    port: int | None,
    kubernetes_version: str | None,
    scheduler_config: Path | None,
    image_scripts: Path | None,
    registry: bool | None,
    driver: str | None,
    network_backend: str | None,
    dns: bool | None,
    addons: tuple[str, ...] | None,
    ha: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Start a cluster: three nodes, unless you say otherwise.

    Every component is a process of its own under a supervisor, which restarts what dies. Nothing
    needs root, and everything is in ~/.kubemu (or $KUBEMU_HOME).
    """
    began = clock.SystemClock().now()
    wanted = read_topology(path) if path else topology.simple()
    told: dict[str, Any] = {
        "nodes": nodes,
        "hollow": hollow,
        "name": name,
        "port": port,
        "kubernetes_version": kubernetes_version,
        "scheduler_config": scheduler_config,
        "image_scripts": image_scripts,
        "driver": driver,
        "network_backend": network_backend,
        "dns": dns,
        "addons": addons,
    }
    if path:
        told |= dict.fromkeys(filewins.overruled(path, click.get_current_context()))
    wanted = _changed(wanted, registry=registry, **told)
    if ha:
        wanted = topology.several(wanted)
    _check_driver(wanted)
    _check_etcd(wanted)
    folder = clusters.folder(wanted.name)
    with ports.Claims() as claims, _interruptible(folder):
        if state.holder(folder) is None:
            _start(wanted, folder, claims)
        else:
            check_same(wanted, folder)
        from cluster.cli import progress

        try:
            asyncio.run(progress.show(wanted, folder, began, within=timeout, wait=wait))
        except progress.Hopeless:
            down.take_down(folder, keep_data=True, quiet=True)
            raise


@contextlib.contextmanager
def _interruptible(folder: state.Folder) -> Iterator[None]:
    """Say what an interrupted start leaves behind."""
    try:
        yield
    except KeyboardInterrupt:
        if state.holder(folder) is not None:
            click.echo(f"\nIt goes on starting; end it with: kubemu down --name {folder.name}")
        raise


def _changed(
    wanted: Topology,
    *,
    port: int | None,
    scheduler_config: Path | None,
    image_scripts: Path | None,
    **told: Any,
) -> Topology:
    """The cluster, but for what flags and the environment say."""
    wanted = topology.changed(
        wanted,
        api_port=port,
        scheduler_config=_checked(scheduler_config),
        image_scripts=_scripts(image_scripts),
        **told,
    )
    unknown = [name for name in wanted.addons if name not in topology.ADDONS]
    if unknown:
        known = ", ".join(topology.ADDONS)
        raise click.UsageError(f"There is no addon {unknown[0]!r}: --addons takes {known}.")
    if not wanted.size:
        raise click.UsageError("A cluster needs a node: --nodes or --hollow must be more than 0.")
    return wanted


def _check_driver(wanted: Topology) -> None:
    """Say now what this machine lacks, and not in the logs of every node alone."""
    if wanted.driver == "sim":
        return
    from cluster.runtime.oci import facts

    found = facts.look(str(wanted.flags.get("runtime", {}).get("oci-runtime", "")))
    problem = found.problem()
    if problem and wanted.driver == "oci":
        raise click.ClickException(problem)
    for text in [f"containers are emulated. {problem}"] if problem else found.warnings():
        click.echo(f"Note: {text}", err=True)


def _check_etcd(wanted: Topology) -> None:
    """Say now that etcd is missing, and how to get it."""
    if wanted.etcd_members and shutil.which("etcd") is None:
        raise click.ClickException(
            "There is no etcd on the PATH, which several API servers store in. Install it (Debian "
            "and Ubuntu: apt-get install etcd-server; macOS: brew install etcd; releases are at "
            "https://github.com/etcd-io/etcd/releases), or leave out --ha and etcd."
        )


def _checked(path: Path | None) -> str | None:
    """The whole path of a scheduler's configuration that can be used."""
    if path is None:
        return None
    from cluster.cli import schedulerconfig

    schedulerconfig.load(path)
    return str(path.absolute())


def _scripts(path: Path | None) -> str | None:
    """The whole path of a file of image scripts that can be used."""
    if path is None:
        return None
    imagescriptsflag.load(path)
    return str(path.absolute())


def read_topology(path: Path) -> Topology:
    """What a cluster file says. marked_yaml.InvalidFile; click.UsageError."""
    from cluster.cli import flagcheck
    from cluster.launcher import topology_file

    try:
        return topology_file.load(path, flagcheck.complaints)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not a text in UTF-8.") from error


def _start(wanted: Topology, folder: state.Folder, claims: ports.Claims) -> None:
    """Start the daemon; certificates are made while it and its zygote import."""
    left = state.leftovers(folder)
    if left:
        raise Exists(
            f"{len(left)} processes of an earlier cluster {wanted.name} still run "
            f"({', '.join(left)}); end them with: kubemu down --name {wanted.name}"
        )
    check_kept(wanted, folder)
    _tell_of_nodes(wanted, folder)
    api = claims.choose(wanted.api_port)
    grpc = claims.choose(wanted.grpc_port, api + 1, "ports.grpc")
    images = 0
    if wanted.registry:
        images = claims.choose(wanted.registry_port, _FIRST_REGISTRY, "ports.registry")
    places: list[tuple[int, int]] = []
    for number in range(wanted.apiservers if wanted.apiservers > 1 else 0):
        last = places[-1][1] if places else grpc
        rest = claims.choose(0, last + 1, f"API server {number + 1}")
        places.append((rest, grpc if not number else claims.choose(0, rest + 1)))
    members = _member_ports(wanted, folder, claims)
    nodes = addressing.choose(wanted.name, addressing.kept(folder.addresses), claims.claim)
    chosen = plans.Ports(
        api, grpc, images, tuple(places), tuple(members), nodes, resolvers.of_machine()
    )
    folder.prepare()
    from cluster.cli import supervise

    command = (*supervise.PROGRAM, "supervise")
    with launching.Launch(folder, command, claims.descriptors) as launch:
        from cluster.launcher import preparing

        preparing.prepare(wanted, folder, chosen, clock.SystemClock().now())
        launch.go()
        launch.wait_up(_SUPERVISOR_UP_WITHIN)


def check_kept(wanted: Topology, folder: state.Folder) -> None:
    """Start no empty cluster beside objects that are kept in another store. Exists."""
    file, members = folder.data / "store.db", bool(folder.member_ports())
    if members is file.exists() or members is bool(wanted.etcd_members):
        return
    here, change = ("etcd", "with --ha") if members else (f"SQLite ({file})", "without etcd")
    raise Exists(
        f"the objects of cluster {folder.name} are in {here}, where it would not look for them: "
        f"start it {change}; or take a snapshot (kubemu snapshot save FILE --name {folder.name}) "
        "to restore into a cluster of another --name; or kubemu down "
        f"--name {folder.name}, which forgets them"
    )


def _tell_of_nodes(wanted: Topology, folder: state.Folder) -> None:
    """Say which nodes a cluster had that it is started without: their objects are still there."""
    if not folder.plan.exists():
        return
    try:
        before = clusters.plan(folder).processes
    except clusters.NotRunning:
        return  # what cannot be read is written anew
    gone = nodesofplan.gone(before, plans.plan(wanted, folder, plans.Ports(0, 0)).processes)
    if gone:
        named = ", ".join(gone[:_NAMED]) + (
            f" and {len(gone) - _NAMED} more" * (len(gone) > _NAMED)
        )
        click.echo(
            f"Note: cluster {folder.name} had nodes that it is started without: {named}. They will "
            "be NotReady until kubectl delete node forgets them; with the file and flags of before "
            "they are started again.",
            err=True,
        )


def _member_ports(
    wanted: Topology, folder: state.Folder, claims: ports.Claims
) -> list[tuple[int, int]]:
    """The ports of etcd's members, for clients and for each other. Members that have data know each
    other by their ports: these stay.
    """
    known = folder.member_ports()
    if len(known) == wanted.etcd_members:
        return [
            (
                claims.choose(client, flag="another --name"),
                claims.choose(peer, flag="another --name"),
            )
            for client, peer in known
        ]
    found: list[tuple[int, int]] = []
    for _ in range(wanted.etcd_members):
        client = claims.choose(0, found[-1][1] + 1 if found else _FIRST_ETCD)
        found.append((client, claims.choose(0, client + 1)))
    return found


def check_same(wanted: Topology, folder: state.Folder) -> None:
    """A cluster that runs as asked for may be asked for again. Exists."""
    running = clusters.plan(folder)
    asked = plans.plan(wanted, folder, _asked_ports(wanted, folder))
    different = shapes.differences(running.processes, asked.processes)
    if different:
        raise Exists(
            f"cluster {wanted.name} is running already, and not like this "
            f"({shapes.told(different)}); stop it first with: kubemu down --name {wanted.name}, "
            "or choose another name with --name"
        )


def _asked_ports(wanted: Topology, folder: state.Folder) -> plans.Ports:
    """The ports that are asked for, 0 for what may be any, and the addresses that are kept."""
    first, others = (0, wanted.grpc_port), ((0, 0),) * (wanted.apiservers - 1)
    return plans.Ports(
        wanted.api_port,
        wanted.grpc_port,
        wanted.registry_port,
        (first, *others) if others else (),
        addresses=addressing.kept(folder.addresses) or addressing.Addresses(),
        resolver=resolvers.of_machine(),
    )
