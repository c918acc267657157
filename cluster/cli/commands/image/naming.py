"""`kubemu image tag`, `rm` and `prune`."""

import shutil

import click

from cluster.api.imagereferences import Reference
from cluster.cli.commands.image import common


@click.command()
@click.argument("source", type=common.REFERENCE)
@click.argument("target", type=common.REFERENCE)
def tag(source: Reference, target: Reference) -> None:
    """Give the image SOURCE the name TARGET as well."""
    store = common.store()
    named = common.found(store, source)
    common.run(store.name(target.name, named.target))


@click.command()
@click.argument("names", nargs=-1, required=True, type=common.REFERENCE)
def rm(names: tuple[Reference, ...]) -> None:
    """Take names away; what has none any more goes."""
    store = common.store()
    found = [common.found(store, name) for name in names]

    async def story() -> None:
        for named in found:
            await store.unname(named.name)
        _, size = await store.collect()
        for name in names:
            click.echo(f"Untagged: {name.familiar}")
        click.echo(f"Reclaimed: {common.size(size)}")

    common.run(story())


@click.command()
def prune() -> None:
    """Remove what no image needs: images without a name, and layers of the build cache."""
    store = common.store()

    async def story() -> None:
        for named in store.all():
            if named.name.startswith("sha256:"):
                await store.unname(named.name)
        _, size = await store.collect()
        shutil.rmtree(store.root / "cache", ignore_errors=True)  # it tells of layers that are gone
        click.echo(f"Total reclaimed space: {common.size(size)}")

    common.run(story())
