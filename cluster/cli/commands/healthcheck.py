"""`kubemu healthcheck`, as --help shows it; `cluster.cli.__main__` goes straight to the work."""

import sys

import click

from cluster.cli import healthcheck as checking


@click.command()
@click.argument("target")
def healthcheck(target: str) -> None:
    """Ask whether a component is well: exit code 0 or 1.

    TARGET is http://host:port/path or https://…, whose answer must be of status 200 to 399 (no
    certificate is looked at), or tcp://host:port or unix:/path, which must take a connection.
    """
    sys.exit(checking.main([target]))
