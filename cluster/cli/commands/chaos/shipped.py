"""`kubemu chaos list` and `show`: the experiments that come with kubemu."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cluster.cli import tables
from cluster.cli.commands.chaos import endings

if TYPE_CHECKING:
    from cluster.chaos.experiment import Experiment


class Unreadable(endings.WrongFile):
    """There is no such experiment."""


@click.command("list")
def list_command() -> None:
    """List the experiments that come with kubemu."""
    from cluster.chaos import library

    rows = []
    for name in library.names():
        made = library.get(name)
        rows.append((name, _lasts(made), made.description.partition(". ")[0].replace("\n", " ")))
    tables.show(("NAME", "FAULTS LAST", "WHAT IT DOES"), rows)


def _lasts(made: "Experiment") -> str:
    """How long the faults last; where members of a target are taken in turn, that is for each."""
    from cluster.api import durations

    each = sum(fault.spacing for fault in made.faults)
    more = f", and {durations.format(each)} for each process" if each else ""
    return f"{durations.format(made.end)}{more}"


@click.command("show")
@click.argument("name", metavar="FILE|NAME")
def show_command(name: str) -> None:
    """Print an experiment as a file, to be changed and run."""
    from cluster.chaos import library, writing

    if name in library.names():
        click.echo(library.text(name), nl=False)
    else:
        click.echo(writing.text(find(name)), nl=False)


def find(name: str) -> "Experiment":
    """The experiment of a file (-: standard input), or one that comes with kubemu. faults.Fault."""
    from cluster.chaos import library, reading

    if name in library.names():
        return library.get(name)
    path = Path("/dev/stdin" if name == "-" else name)
    try:
        return reading.load(path)
    except OSError as error:
        known = ", ".join(library.names())
        raise Unreadable(
            f"{name} cannot be read ({error.strerror}), and no experiment of that name comes with "
            f"kubemu: {known}"
        ) from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"{name} is not a text in UTF-8") from error
