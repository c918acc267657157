"""What the commands about images share: the store, names, credentials, how failures are told."""

import asyncio
import os
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cluster.api import faults, imagereferences
from cluster.api.imagereferences import Reference
from cluster.cli import flags
from cluster.images import faults as image_faults
from cluster.images import manifests, platforms
from cluster.images.platforms import Platform
from cluster.images.store.layout import Named, Store
from cluster.launcher import state

if TYPE_CHECKING:
    from cluster.images.client.credentials import Credentials
    from cluster.images.client.remote import Settings
    from cluster.images.descriptors import Descriptor

T = TypeVar("T")
_ID: Final = re.compile(r"(?:sha256:([0-9a-f]{4,64})|([0-9a-f]{4,64}):latest)")
"""An image's id, or its beginning, as it looks when it is read as a name."""


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
        named = _of_id(images, reference)
    if named is None:
        raise Failed(f"No such image: {reference.familiar} (kubemu image ls shows what is here)")
    return named


def _of_id(images: Store, reference: Reference) -> Named | None:
    """The image of an id, or of the beginning of one, where one alone has it. Failed."""
    match = _ID.fullmatch(reference.familiar)
    if match is None:
        return None
    begin = f"sha256:{match[1] or match[2]}"
    here: dict[str, Named] = {}
    for named in images.all():
        try:
            digest = image_id(images, named.target)
        except Failed:
            continue
        if digest.startswith(begin):
            here.setdefault(digest, named)
    return next(iter(here.values())) if len(here) == 1 else None


def image_id(images: Store, target: "Descriptor") -> str:
    """The id of an image, as docker has it: the digest of its configuration. Failed."""
    try:
        return chosen(images, target, platforms.here()).config.digest
    except image_faults.Fault as error:
        raise Failed(str(error)) from error


def chosen(images: Store, target: "Descriptor", platform: Platform) -> manifests.Manifest:
    """The image for a platform. faults.Fault of images."""
    found = images.manifest(target)
    if isinstance(found, manifests.Manifest):
        return found
    here = [one for one in found.manifests if images.blobs.has(one.digest)]
    one = platforms.choose(here, platform) or (here[0] if here else None)
    inner = images.manifest(one) if one else None
    if not isinstance(inner, manifests.Manifest):
        raise image_faults.NotFound(f"{target.digest}: nothing of it is here for {platform}")
    return inner


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
