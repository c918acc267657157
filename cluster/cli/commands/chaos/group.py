"""`kubemu chaos`: the group. A command's module is imported when it is called."""

import importlib
from typing import Any, Final

import click

from cluster.cli.commands.chaos import endings

_COMMANDS: Final = {
    "run": "run",
    "list": "shipped",
    "show": "shipped",
    "random": "drawn",
    "heal": "heal",
    "report": "reports",
    "guard": "heal",
    "links": "heal",
}
"""The module of each command; in it the command is named after itself, with `_command`."""
_HIDDEN: Final = ("guard", "links")
"""Are run by other commands, not by people."""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _COMMANDS if name not in _HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"cluster.cli.commands.chaos.{_COMMANDS[cmd_name]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with endings.told():
            return super().invoke(ctx)


@click.group(cls=_Group)
def chaos() -> None:
    """Break a cluster by plan, and tell what happened.

    An experiment says what must hold, what is done to whom and when, and what must come of it.
    Everything is undone at the end, on Ctrl-C, and after a crash. docs/chaos.md says the rest.
    """
