"""`kubemu scheduler simulate`."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.cli import clusters, connection, flags, simulating, tables
from cluster.cli.simulating import Typed, Unusable

if TYPE_CHECKING:
    from cluster.scheduler.simulation.run import Outcome, Simulation

_SECONDS = 60.0


@click.command()
@click.option(
    "-f", "--file", "files", required=True, multiple=True, type=click.File("r"),
    help="Manifest of pods and workloads to place; - for stdin. May be given more than once.",
)  # fmt: skip
@click.option(
    "--nodes-file", "states", multiple=True, type=click.File("r"),
    help="Manifest of what is there (nodes, pods, volumes…), instead of a cluster. May be given "
    "more than once.",
)  # fmt: skip
@click.option(
    "--config", type=connection.FILE,
    help="KubeSchedulerConfiguration to go by, instead of the cluster's.",
)  # fmt: skip
@clusters.name_option
@click.option("--kubeconfig", type=connection.FILE, help="Of the cluster, instead of --name.")
@click.option(
    "-n", "--namespace", default="default", help="Where objects are that name none.",
)  # fmt: skip
@flags.option("seed", "Which of equally good nodes is taken.", flags.NUMBER, default=1)
@click.option(
    "-o", "--output", type=click.Choice(("table", "wide", "json", "yaml")), default="table",
    help="How it is printed.",
)  # fmt: skip
def simulate(
    *, files: Sequence[IO[str]], states: Sequence[IO[str]], config: Path | None, name: str,
    kubeconfig: Path | None, namespace: str, seed: int, output: str,
) -> None:  # fmt: skip
    """Say what would be placed where, without placing it.

    Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs stand for the pods that
    are missing of them; other objects of the manifests (claims, volumes, priority classes, budgets)
    are taken to be there. Pods of the cluster that wait for a node are left out of it, but for the
    room that is promised to them. No webhook and no quota is asked.

    Exit code 1: something fits nowhere.
    """
    wanted = read(files, namespace, strict=True)
    if not wanted:
        raise Unusable("there is nothing in the manifests")
    made = _made(states, config, name=name, kubeconfig=kubeconfig, namespace=namespace, seed=seed)
    outcomes = _placed(made, [(row.id, obj) for row, obj in wanted])
    _show(outcomes, output)
    if any(not one.node and not _there(one) for one in outcomes):
        sys.exit(1)


def read(files: Sequence[IO[str]], namespace: str, *, strict: bool) -> list[Typed]:
    """The objects of several manifests. Unusable."""
    found = []
    for file in files:
        try:
            text = file.read()
        except UnicodeDecodeError as error:
            raise Unusable(f"{file.name} is not a text in UTF-8") from error
        found += simulating.manifest(file.name, text, namespace, strict=strict)
    return found


def _made(
    states: Sequence[IO[str]], config: Path | None, *, name: str, kubeconfig: Path | None,
    namespace: str, seed: int,
) -> "Simulation":  # fmt: skip
    """The simulation with what is there."""
    if states:
        made = simulating.simulation(simulating.config(config, ""), seed)
        known = read(states, namespace, strict=False)
        from cluster.scheduler.simulation.state import RESOURCES

        for resource in RESOURCES:
            for row, obj in known:
                if row.id == resource:
                    made.state.take(resource, obj)
        return made
    reached = simulating.reached(name, kubeconfig)
    if config is not None or kubeconfig is not None:
        settings = simulating.config(config, "")
    else:
        settings = simulating.of_cluster(clusters.running(name))
    made = simulating.simulation(settings, seed)

    async def story() -> None:
        async with reached.client("kubemu-simulate") as client, asyncio.timeout(_SECONDS):
            await simulating.read(client, made)

    try:
        asyncio.run(story())
    except TimeoutError as error:
        raise Unusable(f"the API server does not answer within {_SECONDS:g} s") from error
    except errors.StatusError as error:
        raise Unusable(f"the state of the cluster cannot be read: {error.message}") from error
    return made


def _placed(made: "Simulation", wanted: list[tuple[str, Object]]) -> "list[Outcome]":
    from cluster.scheduler.simulation import expansion
    from cluster.scheduler.simulation.state import RESOURCES

    workloads = set(expansion.kinds())
    for resource, obj in wanted:
        if obj["kind"] not in workloads and resource in RESOURCES:
            made.state.take(resource, obj)
    pods: dict[str, Object] = {}
    for _, obj in wanted:
        try:
            found = made.expand(obj)
        except (expansion.TooMany, ValueError) as error:
            raise Unusable(str(error)) from error
        for pod in found.pods if found is not None else ():
            pods[objects.key(pod)] = pod
        if found is not None and found.there:
            what = f"{obj['kind']} {objects.key(obj)}"
            click.echo(f"{what}: {found.there} of its pods are there already", err=True)
    return made.place(list(pods.values()))


def _there(one: "Outcome") -> bool:
    return one.message.startswith("is there already")


def _show(outcomes: "Sequence[Outcome]", output: str) -> None:
    if output in ("json", "yaml"):
        document = {"placements": [_document(one) for one in outcomes]}
        print_document(document, output)
        return
    if not outcomes:
        click.echo("no pod needs a place")
        return
    heads = ["NAMESPACE", "POD", "NODE", "SCORE", "EVICTS"]
    rows = [_row(one) for one in outcomes]
    if output == "wide":
        heads += ["SCHEDULER", "PRIORITY", "OWNER"]
        rows = [(*row, *_more(one)) for row, one in zip(rows, outcomes, strict=True)]
    tables.show(heads, rows)
    for one in outcomes:
        if one.message and not one.node:
            click.echo(f"\n{objects.key(one.pod)}: {one.message}")
        if one.evicted_for:
            where = f"; then it goes to {one.node}" if one.node else ""
            click.echo(f"\n{objects.key(one.pod)}: evicted for {one.evicted_for}{where}")
    placed = sum(1 for one in outcomes if one.node)
    click.echo(f"\n{placed} of {len(outcomes)} pods have a place")


def _row(one: "Outcome") -> tuple[str, ...]:
    score = "" if one.score is None else str(one.score)
    node = one.node or "<none>"
    return (
        objects.namespace(one.pod), objects.name(one.pod), node, score, ",".join(one.victims),
    )  # fmt: skip


def _more(one: "Outcome") -> tuple[str, ...]:
    spec = objects.spec(one.pod)
    owner = objects.controller_of(one.pod)
    named = f"{owner.get('kind')}/{owner.get('name')}" if owner else "<none>"
    return (spec.get("schedulerName") or "default-scheduler", spec.get("priorityClassName") or "",
            named)  # fmt: skip


def _document(one: "Outcome") -> dict[str, Any]:
    found: dict[str, Any] = {
        "namespace": objects.namespace(one.pod),
        "pod": objects.name(one.pod),
        "node": one.node or None,
        "score": one.score,
        "message": one.message,
        "victims": one.victims,
    }
    if one.evicted_for:
        found["evictedFor"] = one.evicted_for
    return found


def print_document(document: Any, output: str) -> None:
    """Print a document as JSON or YAML."""
    if output == "json":
        click.echo(json.dumps(document, indent=2))
        return
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
