"""`kubemu logs`."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import click

from cluster.api import faults
from cluster.cli import clusters, flags, loglines
from cluster.launcher import state

_LOOK_AGAIN: Final = 0.2
_CHUNK: Final = 1 << 16


class NoLog(faults.Fault):
    """There is no such log; the message says which there are."""


@click.command()
@click.argument("process")
@clusters.name_option
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written.")
@flags.option("tail", "How many of the last lines; -1: all.", flags.NUMBER, default=-1)
@click.option("--raw", is_flag=True, help="JSON lines, as they are in the file.")
def logs(process: str, name: str, follow: bool, tail: int, raw: bool) -> None:
    """Show the log of a process, as `kubemu ps` names it (or: supervisor)."""
    path = _find(clusters.folder(name), process)
    colours = os.isatty(1) and not raw

    def show(line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\n")
        click.echo(text if raw else loglines.from_json(text, colours))

    with path.open("rb") as file:
        for line in deque(file, maxlen=tail if tail >= 0 else None):
            show(line)
        if follow:
            asyncio.run(_follow(path, file, show))


def _find(folder: state.Folder, process: str) -> Path:
    path = folder.log(process)
    if path.is_file():
        return path
    there = sorted(file.stem for file in folder.logs.glob("*.log"))
    if not there:
        raise NoLog(clusters.not_running(folder.name))
    raise NoLog(f'there is no log of "{process}"; there are {", ".join(there)}')


async def _follow(path: Path, file: BinaryIO, show: Callable[[bytes], None]) -> None:
    """Show what is added, until interrupted; a file that was put aside is read to its end first."""
    rest = b""
    while True:
        chunk = file.read(_CHUNK)
        if chunk:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                show(line)
            continue
        if _replaced(path, file):
            file.close()
            file = path.open("rb")
            continue
        await asyncio.sleep(_LOOK_AGAIN)


def _replaced(path: Path, file: BinaryIO) -> bool:
    try:
        return not os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
