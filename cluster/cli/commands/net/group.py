"""`kubemu net`: the group. A command's module is imported when it is called."""

import importlib
from typing import Final

import click

_COMMANDS: Final = (
    "capture", "routes", "neigh", "fdb", "conntrack", "services", "policies", "trace", "ping",
    "traceroute", "impair", "partition", "heal", "links",
)  # fmt: skip
"""Each is a module, and the command in it of the same name."""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cluster.cli.commands.net.{cmd_name}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Group)
def net() -> None:
    """See the pod network, follow packets through it, and break it.

    A node is NODE or node/NODE, a pod POD, NAMESPACE/POD or pod/POD. docs/network.md shows how the
    network works and what each command is for.
    """
