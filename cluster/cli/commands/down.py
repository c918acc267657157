"""`kubemu down`."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Final

import click

from cluster.api import faults
from cluster.cli import clusters
from cluster.cli.commands.chaos.common import Where
from cluster.launcher import state

_GRACE: Final = 5.0
_END_WITHIN: Final = 30.0
_LOOK_AGAIN: Final = 0.01


class StillThere(faults.Fault):
    """Processes outlived their end."""


@click.command()
@clusters.name_option
@click.option("--all", "everything", is_flag=True, help="All clusters.")
@click.option("--keep-data", is_flag=True, help="Keep objects, certificates and logs for next up.")
def down(name: str, everything: bool, keep_data: bool) -> None:
    """Stop a cluster and remove what it leaves: processes, sockets, data, kubeconfig entries.

    It also clears up what is left of a cluster whose supervisor was killed.
    """
    names = clusters.names() if everything else [name]
    for one in names:
        take_down(clusters.folder(one), keep_data=keep_data)
    if not names:
        click.echo("there is no cluster")


def take_down(folder: state.Folder, *, keep_data: bool, quiet: bool = False) -> None:
    """Stop one cluster and, unless `quiet`, say so."""

    def say(text: str) -> None:
        if not quiet:
            click.echo(text)

    supervisor = state.holder(folder)
    left = state.leftovers(folder)
    if supervisor is None and not left and not folder.used():
        _forget_experiments(folder)
        say(f"there is no cluster named {folder.name}")
        return
    if supervisor is not None:
        _shut_down(folder, supervisor)
        say(f"cluster {folder.name} is stopped")
    elif left:
        end(left)
        say(f"ended {len(left)} processes that were left of cluster {folder.name}")
    _end_shims(folder)
    if keep_data:
        _forget_hurt_processes(folder)
    else:
        _forget_context(folder)
        _forget_experiments(folder)
    folder.remove(keep_data=keep_data)
    kept = f"its data is kept in {folder.path}" if keep_data else "its data is removed"
    say(kept)


def _end_shims(folder: state.Folder) -> None:
    """End real containers, whose parents are no processes of the cluster. StillThere."""
    folders = sorted(folder.path.glob("nodes/*/oci"))
    if not folders:
        return
    from cluster.runtime.oci import leaving

    left = asyncio.run(leaving.end(folders, _END_WITHIN))
    if left:
        names = ", ".join(str(one) for one in left)
        raise StillThere(f"containers do not end; look at what has {names}")


def end(left: Mapping[str, state.Running]) -> None:
    """End recorded processes: by SIGTERM, then by SIGKILL. StillThere."""
    alive = dict(left)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in alive.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        alive = asyncio.run(_outliving(alive, _GRACE))
        if not alive:
            return
    pids = ", ".join(str(process.pid) for process in alive.values())
    raise StillThere(f"these processes do not end: {pids}; look at them with ps -p {pids}")


async def _outliving(left: Mapping[str, state.Running], seconds: float) -> dict[str, state.Running]:
    """Which of the processes still live when all have ended, or when so many seconds are over.

    They are not our children, so there is nothing to wait on. A zombie has ended: in a container
    there may be nobody who collects it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        alive = {name: process for name, process in left.items() if state.alive(process)}
        if not alive or loop.time() > deadline:
            return alive
        await asyncio.sleep(_LOOK_AGAIN)


def _shut_down(folder: state.Folder, supervisor: int) -> None:
    """Ask the supervisor; if it does not answer, end everything that it recorded."""
    from cluster.launcher import controlling

    recorded = state.recorded(folder)
    try:
        clusters.controlled(folder.name, lambda remote: remote.shut_down(_GRACE))
    except (controlling.Failed, clusters.NotRunning):
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
    end(asyncio.run(_outliving(recorded, _END_WITHIN)))


def _forget_experiments(folder: state.Folder) -> None:
    """What experiments left to be undone is gone with the processes to which it was done."""
    Where(folder.name).journal.write([])


def _forget_hurt_processes(folder: state.Folder) -> None:
    """What experiments left in the data stays to be undone; the rest is gone, too: a next cluster
    of the name may have other processes.
    """
    from cluster.chaos import acts

    journal = Where(folder.name).journal
    try:
        left = journal.read()
    except ValueError as error:
        click.echo(f"Warning: what experiments left to be undone cannot be read: {error}", err=True)
        return
    journal.write([act for act in left if act.op in acts.OF_DATA])


def _forget_context(folder: state.Folder) -> None:
    """Take the cluster out of kubectl's own kubeconfigs, if it was merged into one."""
    if not folder.kubeconfig.exists():
        return
    from cluster.cli.commands.kubeconfig import usual_paths
    from cluster.launcher import kubeconfig

    for path in usual_paths(folder.kubeconfig):
        try:
            if kubeconfig.remove_from(path, kubeconfig.read(folder.kubeconfig)):
                click.echo(f"taken out of {path}")
        except faults.Fault as error:
            click.echo(f"Warning: {error}", err=True)
