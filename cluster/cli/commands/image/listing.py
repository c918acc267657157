"""`kubemu image ls` and `inspect`."""

import json
from typing import Any

import click

from cluster.api.imagereferences import Reference, parse
from cluster.cli import tables
from cluster.cli.commands.image import common
from cluster.images import faults, platforms
from cluster.images.platforms import Platform
from cluster.images.store.layout import Named, Store


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Ids only.")
@click.option("--digests", is_flag=True, help="Digests of manifests as well.")
def ls(*, quiet: bool, digests: bool) -> None:
    """List the images of the store."""
    store = common.store()
    try:
        rows = [_row(store, named, digests=digests) for named in store.all()]
    except faults.Fault as error:
        raise common.Failed(str(error)) from error
    if quiet:
        for row in rows:
            click.echo(row[-2])
        return
    more = ("DIGEST",) if digests else ()
    tables.show(("REPOSITORY", "TAG", *more, "IMAGE ID", "SIZE"), rows)


@click.command()
@common.platform_option
@click.argument("names", nargs=-1, required=True, type=common.REFERENCE)
def inspect(names: tuple[Reference, ...], platform: Platform) -> None:
    """Show images in JSON, as docker does: what they are and what they run."""
    store = common.store()
    found = [common.found(store, name) for name in names]
    try:
        shown = [_document(store, named, platform) for named in found]
    except faults.Fault as error:
        raise common.Failed(str(error)) from error
    click.echo(json.dumps(shown, indent=4))


def _row(store: Store, named: Named, *, digests: bool) -> tuple[str, ...]:
    manifest = common.chosen(store, named.target, platforms.here())
    size = sum(part.size for part in manifest.parts())
    repository, tag = _parts(named.name)
    more = (named.target.digest,) if digests else ()
    return (repository, tag, *more, manifest.config.digest[7:19], common.size(size))


def _parts(name: str) -> tuple[str, str]:
    if name.startswith("sha256:"):
        return "<none>", "<none>"
    reference = parse(name)
    return reference.familiar.partition("@")[0].removesuffix(f":{reference.tag}"), (
        reference.tag or "<none>"
    )


def _document(store: Store, named: Named, platform: Platform) -> dict[str, Any]:
    manifest = common.chosen(store, named.target, platform)
    config = store.config(manifest)
    tagged = not named.name.startswith("sha256:")
    repository = parse(named.name).repository if tagged else "<none>"
    return {
        "Id": manifest.config.digest,
        "RepoTags": [parse(named.name).familiar] if tagged else [],
        "RepoDigests": [f"{repository}@{named.target.digest}"] if tagged else [],
        "Created": config.get("created", ""),
        "Architecture": config.get("architecture", ""),
        "Os": config.get("os", ""),
        "Size": sum(part.size for part in manifest.parts()),
        "Config": config.get("config") or {},
        "RootFS": {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]},
    }
