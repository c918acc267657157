"""`kubemu image pull` and `push`."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from cluster.api.imagereferences import Reference
from cluster.cli.commands.image import common
from cluster.images import faults
from cluster.images.platforms import Platform

T = TypeVar("T")


@click.command()
@common.platform_option
@common.plain_option
@common.authority_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the name.")
@click.argument("name", type=common.REFERENCE)
def pull(
    name: Reference, platform: Platform, *, insecure: bool, ca_file: str | None, quiet: bool
) -> None:
    """Pull an image from its registry into the store. Credentials are those of docker login."""

    async def story() -> str:
        from cluster.images.client import pulling, remote

        said = common.settings(name, insecure=insecure, ca_file=ca_file)
        async with remote.opened(name.host, common.credentials(name.host), said) as registry:
            pulled = await pulling.pull(
                registry, name, common.store(), platform=platform, progress=common.Bar(quiet=quiet)
            )
        return pulled.target.digest

    digest = common.run(_told(f'failed to pull "{name.familiar}"', story()))
    if not quiet:
        click.echo(f"Digest: {digest}", err=True)
    click.echo(name.name)


@click.command()
@common.plain_option
@common.authority_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the digest.")
@click.argument("name", type=common.REFERENCE)
def push(name: Reference, *, insecure: bool, ca_file: str | None, quiet: bool) -> None:
    """Push an image of the store to the registry that its name begins with."""
    store = common.store()
    named = common.found(store, name)

    async def story() -> None:
        from cluster.images.client import pushing, remote

        said = common.settings(name, insecure=insecure, ca_file=ca_file)
        async with remote.opened(name.host, common.credentials(name.host), said) as registry:
            await pushing.push(registry, name, store, named.target, common.Bar(quiet=quiet))

    common.run(_told(f'failed to push "{name.familiar}"', story()))
    click.echo(f"{name.tag or 'digest'}: digest: {named.target.digest}")


async def _told(start: str, story: Coroutine[Any, Any, T]) -> T:
    try:
        return await story
    except faults.Fault as error:
        raise faults.Fault(f"{start}: {error}") from error
