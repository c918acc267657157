"""What the commands about images share: the store, names, credentials, how failures are told."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cluster.api import imagereferences
from cluster.api.imagereferences import Reference
from cluster.cli import flags
from cluster.images import faults as image_faults
from cluster.images import platforms
from cluster.images.platforms import Platform
from cluster.images.store.layout import Named, Store
from cluster.launcher import faults, state

if TYPE_CHECKING:
    from cluster.images.client.credentials import Credentials
    from cluster.images.client.remote import Settings
    from cluster.images.descriptors import Descriptor

T = TypeVar("T")


class Failed(faults.Fault):
    """Something about an image went wrong."""


class _Reference(flags.ParamType):
    name = "name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Reference:
        try:
            return value if isinstance(value, Reference) else imagereferences.parse(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class _Platform(flags.ParamType):
    name = "os/arch"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Platform:
        try:
            return value if isinstance(value, Platform) else platforms.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


REFERENCE = _Reference()
platform_option = click.option(
    "--platform", type=_Platform(), default=platforms.here, show_default="this machine's",
    help="Platform, where an image is there for several.",
)  # fmt: skip
plain_option = click.option(
    "--insecure", is_flag=True, help="Speak HTTP; with registries on this machine that is so."
)
authority_option = click.option(
    "--ca-file", type=click.Path(exists=True, dir_okay=False), default=None,
    help="CA of the registry, in PEM.",
)  # fmt: skip


def store() -> Store:
    """The store of this user."""
    return Store(state.home(os.environ) / ".images")


def settings(reference: Reference, *, insecure: bool, ca_file: str | None) -> "Settings":
    """How a registry is talked to."""
    from cluster.images.client.remote import Settings

    return Settings(plain=(reference.host,) if insecure else (), authority=ca_file or "")


def credentials(host: str) -> "Credentials | None":
    """What `docker login` has kept for a registry. Failed."""
    from cluster.images.client import credentials as reading

    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        data = path.read_bytes()
    except OSError:
        return None
    try:
        return reading.of_registry(reading.of_config(data, str(path)), host)
    except image_faults.Fault as error:
        raise Failed(str(error)) from error


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run it; what goes wrong with images is told in its sentence. Failed."""
    try:
        return asyncio.run(story)
    except image_faults.Fault as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{error.filename or 'the store'}: {error.strerror or error}") from error


def found(images: Store, reference: Reference) -> Named:
    """The image of a name. Failed."""
    try:
        named = images.find(reference.name)
        if named is None and reference.digest:
            named = images.find(reference.digest)
    except image_faults.Fault as error:
        raise Failed(str(error)) from error
    if named is None:
        raise Failed(f"No such image: {reference.familiar} (kubemu image ls shows what is here)")
    return named


class Bar:
    """Tells of blobs that come or go: a line for each that is there."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._told: set[str] = set()

    def __call__(self, one: "Descriptor", there: int) -> None:
        """See pulling.Progress."""
        if there >= one.size and one.digest not in self._told and not self._quiet:
            self._told.add(one.digest)
            click.echo(f"{one.digest[7:19]}: {size(one.size)}", err=True)


def size(count: int) -> str:
    """A number of bytes for people: `1.2MB`, as docker has it."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g}{unit}"
        amount /= 1000
    return f"{amount:.3g}GB"
