"""`kubemu compare`."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from cluster.api.objects import Object
from cluster.cli import clusters, comparing, connection, flags
from cluster.cli.commands import simulate
from cluster.cli.commands.up import read_topology
from cluster.cli.simulating import Unusable
from cluster.launcher import state, topology

if TYPE_CHECKING:
    from cluster.kubelet.config import Config
    from cluster.lab.comparing.figures import Figures
    from cluster.lab.comparing.trial import Setting


@click.command()
@click.argument("classes", nargs=-1, required=True, metavar="CLASS CLASS…")
@click.option(
    "-f", "--file", "files", required=True, multiple=True, type=click.File("r"),
    help="Manifest of the workload, and of what it needs; - for stdin. May be given more than "
    "once.",
)  # fmt: skip
@click.option(
    "--cluster-file", type=connection.FILE,
    help="Cluster file whose nodes are taken, as `kubemu up -f` has it.",
)  # fmt: skip
@flags.option(
    "nodes", "How many like nodes are taken, instead of a cluster's.",
    click.IntRange(1, comparing.MOST_NODES), default=None,
    show_default="those of the cluster that runs, or 3",
)  # fmt: skip
@click.option("--node-cpu", help="CPU of each of --nodes.", default=topology.Size().cpu)
@click.option("--node-memory", help="Memory of each of --nodes.", default=topology.Size().memory)
@clusters.name_option
@click.option("--kubeconfig", type=connection.FILE, help="Of the cluster, instead of --name.")
@click.option(
    "--scale", type=click.IntRange(2, 5_000), default=None,
    help="How many replicas the largest workload is scaled to, from 1.",
    show_default="as many as its manifest has",
)  # fmt: skip
@click.option(
    "-n", "--namespace", default="default", help="Where objects are that name none.",
)  # fmt: skip
@flags.option("seed", "Boot times and the order of events.", flags.NUMBER, default=1)
@click.option(
    "-o", "--output", type=click.Choice(("table", "json", "yaml")), default="table",
    help="How it is printed.",
)  # fmt: skip
def compare(
    *, classes: Sequence[str], files: Sequence[IO[str]], cluster_file: Path | None,
    nodes: int | None, node_cpu: str, node_memory: str, name: str, kubeconfig: Path | None,
    scale: int | None, namespace: str, seed: int, output: str,
) -> None:  # fmt: skip
    """Show what a workload costs under each RuntimeClass, side by side.

    The workload is run once for each CLASS in a lab of its own, on virtual time: the same nodes,
    the same seed, and no cluster is touched. It is applied as it is; then its largest workload is
    scaled from one replica to all of them; then the node with the most pods dies. The classes vm
    and container are there by themselves, others come from the manifests or from the cluster whose
    nodes are taken; none stands for no class at all.

    Example: kubemu compare vm container -f examples/compare.yaml
    """
    _quiet()
    manifests = [obj for _, obj in simulate.read(files, namespace, strict=True)]
    found, known = _nodes(
        cluster_file, nodes, topology.Size(node_cpu, node_memory), name, kubeconfig
    )
    figures, largest = _tried(classes, found, [*known, *manifests], seed, scale or 0)
    if output == "table":
        comparing.show(figures, largest)
    else:
        document: dict[str, Any] = {
            "seed": seed,
            "nodes": [{"name": one.node_name, "cpu": one.cpu, "memory": one.memory}
                      for one in found],
            "replicasOf": largest or None,
            "classes": [one.document() for one in figures],
        }  # fmt: skip
        simulate.print_document(document, output)


def _nodes(
    file: Path | None, count: int | None, size: topology.Size, name: str, kubeconfig: Path | None
) -> "tuple[list[Config], list[Object]]":
    """The nodes, and the runtime classes that come with them."""
    if file is not None:
        return comparing.of_topology(read_topology(file)), []
    if count is not None:
        return comparing.like(count, size), []
    if kubeconfig is not None or state.holder(clusters.folder(name)) is not None:
        return comparing.of_cluster(name, kubeconfig)
    return comparing.like(topology.DEFAULT_NODES, size), []


def _tried(
    classes: Sequence[str], nodes: "list[Config]", manifests: list[Object], seed: int, scale: int
) -> "tuple[list[Figures], str]":
    from cluster.lab import invariants, world
    from cluster.lab.comparing import trial, workload

    _, made = workload.parted(manifests)
    if not made:
        raise Unusable("there is no workload in the manifests: nothing in them makes pods")
    setting: Setting = trial.Setting(nodes, manifests, seed=seed, scale=scale)
    found = []
    for name in classes:
        try:
            found.append(trial.run(setting, name))
        except (trial.Unknown, trial.Refused) as error:
            raise Unusable(str(error)) from error
        except (invariants.Broken, world.NotReached) as error:
            raise Unusable(f"the trial of {name} did not come to an end: {error}") from error
    largest = workload.largest(made)
    return found, f"{largest.kind} {largest.name}" if largest else ""


def _quiet() -> None:
    """Components in a lab write their warnings for who looks into them."""
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
