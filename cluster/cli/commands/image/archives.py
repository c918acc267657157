"""`kubemu image load` and `save`."""

import shutil
import sys
import tempfile
from pathlib import Path

import click

from cluster.api import imagereferences
from cluster.api.imagereferences import Reference
from cluster.cli.commands.image import common
from cluster.images import faults
from cluster.images.platforms import Platform


@click.command()
@click.option("-i", "--input", "path", type=click.Path(exists=True, path_type=Path), default=None,
              help="Archive, or folder of an OCI layout.  [default: standard input]")  # fmt: skip
def load(path: Path | None) -> None:
    """Load images from what docker save writes, or from an OCI image layout (tar or folder)."""
    from cluster.images.archives import loading

    store = common.store()
    with tempfile.NamedTemporaryFile() as spool:
        if path is None:
            if sys.stdin.isatty():
                raise click.UsageError("A terminal is no archive: use -i, or redirect.")
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.flush()
            if not spool.tell():
                raise common.Failed("standard input is empty")
        shown = str(path) if path is not None else "standard input"
        found = common.run(loading.load(store, path or Path(spool.name), shown=shown))
    for name, target in found:
        if name:
            click.echo(f"Loaded image: {imagereferences.parse(name).familiar}")
        else:
            click.echo(f"Loaded image ID: {common.image_id(store, target)}")


@click.command()
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path),
              default=None, help="File to write.  [default: standard output]")  # fmt: skip
@common.platform_option
@click.argument("names", nargs=-1, required=True, type=common.REFERENCE)
def save(path: Path | None, names: tuple[Reference, ...], platform: Platform) -> None:
    """Save images to a tar that is a Docker archive and an OCI image layout at once."""
    from cluster.images.archives import saving

    store = common.store()
    found = [common.found(store, name) for name in names]
    if path is None and sys.stdout.isatty():
        raise click.UsageError("A terminal shows no tar: use -o, or redirect.")
    try:
        if path is None:
            saving.save(store, found, platform, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        with path.open("wb") as file:
            saving.save(store, found, platform, file)
    except faults.Fault as error:
        raise common.Failed(str(error)) from error
    except OSError as error:
        shown = path or "standard output"
        raise common.Failed(f"{shown}: {error.strerror or error}") from error
