"""Checks flags that a cluster file gives to components, before any of them starts."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import click

from cluster.cli import app


def complaints(component: str, flag: str, value: str) -> Iterator[str]:
    """What is wrong with a flag (`node-monitor-period`) of a component, as sentences; none: fine.

    What flags mean together, the component itself checks when it starts.
    """
    known = _options(app.COMMANDS[component].load())
    option = known.get(flag)
    if option is None:
        near = difflib.get_close_matches(flag, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"see kubemu {component} --help"
        yield f"{component} has no such flag; {hint}"
        return
    try:
        option.type.convert(value, option, None)
    except click.BadParameter as error:
        yield error.message
        return
    if (component, flag) == ("scheduler", "config"):
        yield from _scheduler_config(Path(value))
    elif (component, flag) == ("kubelet", "config"):
        yield from _kubelet_config(Path(value))
    elif flag == "image-scripts":
        yield from _image_scripts(Path(value))


def _scheduler_config(path: Path) -> Iterator[str]:
    from cluster.cli import schedulerconfig

    try:
        schedulerconfig.load(path)
    except schedulerconfig.Unusable as error:
        yield from str(error).splitlines()


def _kubelet_config(path: Path) -> Iterator[str]:
    from cluster.kubelet.configuration import reading

    try:
        reading.read([(str(path), path.read_text(encoding="utf-8"))])
    except (reading.Unusable, OSError, UnicodeDecodeError) as error:
        yield from str(error).splitlines()


def _image_scripts(path: Path) -> Iterator[str]:
    from cluster.cli import imagescriptsflag

    try:
        imagescriptsflag.read(path)
    except ValueError as error:
        yield str(error)


def _options(command: click.Command) -> dict[str, click.Option]:
    return {
        name.removeprefix("--"): option
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
        if name.startswith("--")
    }
