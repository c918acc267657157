"""`kubemu status`."""

import asyncio
from pathlib import Path
from typing import Any

import click

from cluster.api import conditions, errors, faults, objects
from cluster.cli import clusters, connection, flags, tables
from cluster.launcher import kubeconfig, state

_ANSWER_WITHIN = 5.0


@click.command()
@flags.option("name", "Only this cluster.", clusters.NAME, default=None)
def status(name: str | None) -> None:
    """Show clusters: whether they run, their nodes and pods, and what is wrong."""
    names = [name] if name else clusters.names()
    if not names:
        click.echo("there is no cluster; start one with: kubemu up")
        return
    rows, notes = [], []
    for one in names:
        row, found = _cluster(clusters.folder(one))
        rows.append(row)
        notes += found
    columns = ("CLUSTER", "STATE", "API SERVER", "REGISTRY", "NODES READY", "PODS RUNNING")
    tables.show(columns, rows)
    for note in notes:
        click.echo(note)


def _cluster(folder: state.Folder) -> tuple[tuple[str, ...], list[str]]:
    """The row of a cluster, and what there is to say about it."""
    if not folder.exists():
        raise clusters.NotRunning(clusters.not_running(folder.name))
    if state.holder(folder) is None:
        left = state.leftovers(folder)
        if not left:
            return (folder.name, "Stopped", "", "", "", ""), []
        note = f"{folder.name}: {len(left)} processes are left over; end them with: kubemu down"
        return (folder.name, "Left over", "", "", "", ""), [f"{note} --name {folder.name}"]
    server = kubeconfig.access(folder.kubeconfig).server
    troubles, nodes, pods = asyncio.run(_look(folder))
    registry = clusters.registry(folder) or "-"
    return (folder.name, "Running", server, registry, nodes, pods), troubles


async def _look(folder: state.Folder) -> tuple[list[str], str, str]:
    from cluster.launcher import controlling

    try:
        async with controlling.connect(Path(clusters.plan(folder).control)) as remote:
            troubles = [_trouble(each, folder) for each in await remote.processes()]
    except faults.Fault as error:
        return [f"{folder.name}: {error}"], "?", "?"
    told = [trouble for trouble in troubles if trouble]
    reached = connection.of_kubeconfig(folder.kubeconfig)
    try:
        async with asyncio.timeout(_ANSWER_WITHIN), reached.client("kubemu-status") as client:
            nodes = (await client.list("nodes")).items
            pods = (await client.list("pods")).items
    except (TimeoutError, errors.StatusError):
        return [*told, f"{folder.name}: the API server does not answer"], "?", "?"
    ready = [node for node in nodes if conditions.is_true(node, "Ready")]
    silent = [objects.name(node) for node in nodes if not conditions.is_true(node, "Ready")]
    if silent:
        told.append(f"{folder.name}: not Ready: {', '.join(silent)}")
    running = [pod for pod in pods if objects.status(pod).get("phase") == "Running"]
    return told, f"{len(ready)}/{len(nodes)}", f"{len(running)}/{len(pods)}"


def _trouble(process: Any, folder: state.Folder) -> str:
    """What is wrong with a process, and the way out; "" where nothing is."""
    phase = process.Phase.Name(process.phase)
    where = f"{process.name} --name {folder.name}"
    if process.paused:
        trouble = f"is paused; let it go on with: kubemu resume {where}"
    elif phase == "RUNNING":
        return ""
    elif phase == "STOPPED":
        # Its last words are of when it ran: they say nothing of why somebody stopped it.
        trouble = f"is stopped; start it with: kubemu start {where}"
    else:
        why = f" ({process.status or process.last_exit})" if process.last_exit else ""
        trouble = f"is {phase.lower()}{why}"
    return f"{folder.name}: {process.name} {trouble}"
