"""`kubemu version`."""

import platform

import click

import cluster


@click.command()
def version() -> None:
    """Print the versions of kubemu, of the Kubernetes it emulates by default, and of Python."""
    from cluster.api import schema
    from cluster.launcher import topology

    click.echo(f"kubemu {cluster.__version__}")
    oldest, newest = schema.VERSIONS[0], schema.VERSIONS[-1]
    default = topology.KUBERNETES_VERSION
    click.echo(f"Kubernetes {default} is emulated by default; {oldest} to {newest} can be")
    click.echo(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
