"""`kubemu chaos report`."""

import json
from pathlib import Path

import click

from cluster.cli import flags
from cluster.cli.commands.chaos import endings


class NoReport(endings.WrongFile):
    """The file is no report."""


@click.command("report")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@flags.option(
    "svg", "Where to write the picture of the time line.", endings.Written(),
)  # fmt: skip
def report_command(file: Path, svg: Path | None) -> None:
    """Show a report that `run --json` wrote, as text or as a picture."""
    from cluster.chaos import picture, report, words

    try:
        found = json.loads(file.read_bytes())
        if found["kind"] != report.KIND:
            raise NoReport(f"{file} is a {found['kind']}, no {report.KIND}")
        shown, drawn = words.text(found), picture.svg(found)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise NoReport(f"{file} is no report of kubemu chaos: {_why(error)}") from error
    if svg is not None:
        svg.write_text(drawn)
    else:
        click.echo(shown, nl=False)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON (line {error.lineno}: {error.msg})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not JSON"
    return (
        f"it has no field {error.args[0]}"
        if isinstance(error, KeyError)
        else "its fields are others"
    )
