"""`--image-scripts` of those who run containers, and of `kubemu up`."""

from pathlib import Path

import click

from cluster.api import imagescripts
from cluster.api.imagescripts import Scripts
from cluster.cli import flags

NAME = "image-scripts"
OPTION = flags.option(
    NAME,
    "File that says what containers of certain images do (docs/annotations.md).",
    click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
)


def load(file: Path | None) -> Scripts:
    """What a file says, where one is given. click.UsageError."""
    if file is None:
        return imagescripts.NONE
    try:
        return read(file)
    except ValueError as error:
        raise click.UsageError(f"--{NAME}: {error}") from error


def read(file: Path) -> Scripts:
    """What a file says. ValueError, which names the file."""
    try:
        return imagescripts.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not a text in UTF-8") from error
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
