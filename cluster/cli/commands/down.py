"""`kubemu down`."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cluster.cli import clusters
from cluster.launcher import faults, state

if TYPE_CHECKING:
    import psutil

_GRACE: Final = 5.0
_END_WITHIN: Final = 30.0


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


def take_down(folder: state.Folder, *, keep_data: bool) -> None:
    """Stop one cluster and say so."""
    supervisor = state.holder(folder)
    left = state.leftovers(folder)
    if supervisor is None and not left and not folder.path.exists():
        click.echo(f"there is no cluster named {folder.name}")
        return
    if supervisor is not None:
        _shut_down(folder, supervisor)
        click.echo(f"cluster {folder.name} is stopped")
    elif left:
        end(left)
        click.echo(f"ended {len(left)} processes that were left of cluster {folder.name}")
    if not keep_data:
        _forget_context(folder)
    folder.remove(keep_data=keep_data)
    kept = f"its data is kept in {folder.path}" if keep_data else "its data is removed"
    click.echo(kept)


def end(left: dict[str, state.Running]) -> None:
    """End recorded processes: by SIGTERM, then by SIGKILL. StillThere."""
    import psutil

    found = [psutil.Process(process.pid) for process in left.values() if state.alive(process)]
    _signal(found, signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=_GRACE)
    _signal(alive, signal.SIGKILL)
    _, alive = psutil.wait_procs(alive, timeout=_GRACE)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        raise StillThere(f"these processes do not end: {pids}; look at them with ps -p {pids}")


def _signal(processes: list["psutil.Process"], number: int) -> None:
    import psutil

    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _shut_down(folder: state.Folder, supervisor: int) -> None:
    """Ask the supervisor; if it does not answer, end everything that it recorded."""
    import psutil

    from cluster.launcher import controlling

    recorded = state.recorded(folder)
    family = [psutil.Process(each.pid) for each in recorded.values() if state.alive(each)]
    try:
        clusters.controlled(folder.name, lambda remote: remote.shut_down(_GRACE))
    except (controlling.Failed, clusters.NotRunning):
        os.kill(supervisor, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=_END_WITHIN)
    end(
        {name: process for name, process in recorded.items() if state.alive(process)}
        if alive
        else {}
    )


def _forget_context(folder: state.Folder) -> None:
    """Take the cluster out of kubectl's own kubeconfig, if it was merged into it."""
    if not folder.kubeconfig.exists():
        return
    from cluster.cli.commands.kubeconfig import usual_path
    from cluster.launcher import kubeconfig

    path: Path = usual_path()
    if path.resolve() == folder.kubeconfig.resolve():
        return
    try:
        if kubeconfig.remove_from(path, kubeconfig.read(folder.kubeconfig)):
            click.echo(f"taken out of {path}")
    except faults.Fault as error:
        click.echo(f"Warning: {error}", err=True)
