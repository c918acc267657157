"""`kubemu image`: the group. A command's module is imported when it is called."""

import importlib
from typing import Final

import click

_COMMANDS: Final = {
    "build": "building:build", "ls": "listing:ls", "inspect": "listing:inspect",
    "tag": "naming:tag", "rm": "naming:rm", "prune": "naming:prune",
    "pull": "moving:pull", "push": "moving:push", "load": "archives:load", "save": "archives:save",
}  # fmt: skip


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        command = getattr(importlib.import_module(f"cluster.cli.commands.image.{module}"), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Group)
def image() -> None:
    """Build images, and move them between registries, files and the store of this user.

    The store is an OCI image layout in ~/.kubemu/.images (or $KUBEMU_HOME).
    """
