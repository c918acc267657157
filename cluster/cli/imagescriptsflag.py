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
    """What a file says. click.UsageError."""
    if file is None:
        return imagescripts.NONE
    complaint = ""
    try:
        return imagescripts.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        complaint = f"it cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        complaint = "it is not a text in UTF-8"
    except ValueError as error:
        complaint = str(error)
    raise click.UsageError(f"--{NAME} {file}: {complaint}")
