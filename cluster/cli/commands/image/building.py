"""`kubemu image build`."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cluster.api import imagereferences
from cluster.api.imagereferences import Reference
from cluster.cli.commands.image import common, running
from cluster.images import faults, manifests, platforms
from cluster.images.platforms import Platform
from cluster.images.store.layout import Store

if TYPE_CHECKING:
    from cluster.images.dockerfile.building import Options
    from cluster.images.dockerfile.stage import Stage


@click.command()
@click.option(
    "-t", "--tag", "tags", type=common.REFERENCE, multiple=True, help="Name of the image."
)
@click.option("-f", "--file", "path", type=click.Path(path_type=Path), default=None,
              help="Dockerfile.  [default: Dockerfile in CONTEXT]")  # fmt: skip
@click.option("--build-arg", "arguments", multiple=True, help="name=value for an ARG.")
@click.option("--label", "labels", multiple=True, help="name=value.")
@click.option("--target", default="", help="Stage to build; the last one without it.")
@click.option("--no-cache", is_flag=True, help="Make every layer anew.")
@click.option("--pull", is_flag=True, help="Ask registries for images in FROM, whatever is here.")
@click.option("-q", "--quiet", is_flag=True, help="Print the image's id only.")
@common.platform_option
@click.argument("context", type=click.Path(exists=True, file_okay=False, path_type=Path))
def build(
    tags: tuple[Reference, ...], path: Path | None, context: Path, platform: Platform, target: str,
    *, arguments: tuple[str, ...], labels: tuple[str, ...], no_cache: bool, pull: bool, quiet: bool,
) -> None:  # fmt: skip
    """Build an image from a Dockerfile and the files in CONTEXT.

    RUN runs processes, as the oci driver does: on Linux, with crun or runc (docs/oci.md).

    FROM takes scratch, an image of the store, one of a registry on this machine (or, with --pull,
    of any), and else an emulated one. The same files give the same digest: their times are
    SOURCE_DATE_EPOCH, or 1970.
    """
    from cluster.images.dockerfile.building import Options

    say = (lambda _text: None) if quiet else click.echo
    options = Options(
        _pairs(arguments, os.environ), _pairs(labels, {}), platform, target.lower(), _epoch(),
        not no_cache, say=say,
    )  # fmt: skip
    common.run(
        _build(path or context / "Dockerfile", context, tags, options, pull=pull, quiet=quiet)
    )


async def _build(
    path: Path, context: Path, tags: tuple[Reference, ...], options: "Options", *, pull: bool,
    quiet: bool,
) -> None:  # fmt: skip
    from cluster.images.dockerfile import building, patterns, syntax
    from cluster.images.dockerfile.context import Context

    dockerfile = syntax.parse(_text(path), str(path))
    try:
        ignore = patterns.Ignore(_ignored(path, context))
    except ValueError as error:
        raise faults.Fault(f".dockerignore: {error}") from error
    store = common.store()
    runner = running.Runner(store, options.epoch, quiet=quiet)
    options = dataclasses.replace(options, run=runner.run)

    async def base(text: str, name: str) -> "Stage":
        return await _base(store, text, name, options.platform, pull=pull)

    async with store.adding(), runner:
        files = Context(context, ignore)
        built = await building.build(dockerfile, files, store, base, options)
        for tag in tags:
            await store.name(tag.name, built.target)
        if not tags:
            await store.name(built.target.digest, built.target)
    if built.unused:
        click.echo(f"[Warning] One or more build-args {list(built.unused)} were not consumed",
                   err=True)  # fmt: skip
    manifest = store.manifest(built.target)
    assert isinstance(manifest, manifests.Manifest)
    options.say(f"Successfully built {manifest.config.digest[7:19]}")
    for tag in tags:
        options.say(f"Successfully tagged {tag.familiar}")
    if quiet:
        click.echo(manifest.config.digest)


async def _base(store: Store, text: str, name: str, platform: Platform, *, pull: bool) -> "Stage":
    """What FROM names. faults.Fault."""
    from cluster.images.client import pulling, remote
    from cluster.images.dockerfile import stage
    from cluster.runtime import images

    reference = imagereferences.parse(text)
    named = None if pull else store.find(reference.name)
    if named is not None:
        found = store.manifest(named.target)
        if isinstance(found, manifests.Index):
            one = platforms.choose(found.manifests, platform)
            if one is None:
                raise faults.NotFound(f"{text}: no match for platform {platform} in manifest")
            found = store.manifest(one)
        assert isinstance(found, manifests.Manifest)
        return stage.of_image(name, store, found)
    if pull or remote.is_loopback(reference.host):
        who = common.credentials(reference.host)
        async with remote.opened(reference.host, who) as registry:
            pulled = await pulling.pull(registry, reference, store, platform=platform)
        return stage.of_image(name, store, pulled.manifest)
    if images.absence(reference):
        raise faults.NotFound(f"{reference.name}: not found")
    empty = stage.scratch(name, platform.os, platform.architecture, platform.variant)
    return stage.emulated(empty, reference.name, _emulated(reference))


def _emulated(reference: imagereferences.Reference) -> dict[str, object]:
    """The configuration of an emulated image; of one that nobody knows, its ports."""
    from cluster.runtime import images
    from cluster.runtime.emulated import catalog

    known = catalog.find(reference.path)
    if known is not None:
        return known.tagged(reference.tag).document()
    ports = images.exposed(reference)
    return {"ExposedPorts": {f"{port}/tcp": {} for port in ports}} if ports else {}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise faults.Fault(f"failed to read dockerfile: open {path}: {why.lower()}") from error


def _ignored(dockerfile: Path, context: Path) -> list[str]:
    for path in (
        dockerfile.with_name(f"{dockerfile.name}.dockerignore"),
        context / ".dockerignore",
    ):
        if path.is_file():
            return path.read_text(errors="replace").splitlines()
    return []


def _pairs(
    texts: tuple[str, ...], otherwise: "dict[str, str] | os._Environ[str]"
) -> dict[str, str]:
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if equals or key in otherwise:
            found[key] = value if equals else otherwise[key]
    return found


def _epoch() -> int:
    said = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not said.isdecimal() or len(said) > 11:
        raise click.UsageError(f"SOURCE_DATE_EPOCH is {said!r}: it is no number of seconds.")
    return int(said)
