"""`kubemu kubeconfig`."""

import os
from pathlib import Path

import click

from cluster.cli import clusters


def usual_paths(own: Path) -> list[Path]:
    """Where kubectl may look: what $KUBECONFIG names, but for the cluster's `own` file, as `up`
    tells people to set it; and ~/.kube/config.
    """
    named = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    others = [Path(part) for part in named if Path(part).resolve() != own.resolve()]
    return [*others, Path.home() / ".kube" / "config"]


@click.command()
@clusters.name_option
@click.option("--path", "show", flag_value="path", help="Print the file's path only.")
@click.option("--merge", "show", flag_value="merge", help="Merge it into kubectl's own file.")
def kubeconfig(name: str, show: str | None) -> None:
    """Print the administrator's kubeconfig of a cluster.

    With --merge it goes into the first file of $KUBECONFIG that is not the cluster's own, or into
    ~/.kube/config; its context becomes the current one there. kubemu down takes it out again.
    """
    from cluster.launcher import kubeconfig as kubeconfigs

    found = clusters.folder(name)
    if not found.kubeconfig.exists():
        raise clusters.NotRunning(clusters.not_running(name))
    if show == "path":
        click.echo(found.kubeconfig)
    elif show == "merge":
        path = usual_paths(found.kubeconfig)[0]
        document = kubeconfigs.read(found.kubeconfig)
        kubeconfigs.merge_into(path, document)
        click.echo(f"context {document['current-context']} is current in {path}")
    else:
        click.echo(found.kubeconfig.read_text(), nl=False)
