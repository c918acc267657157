"""`kubemu store`."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import click

from cluster.cli import storereach
from cluster.cli.storereach import Failed, Place
from cluster.storage import paging
from cluster.storage.interface import Compacted, FutureRevision, Unavailable

if TYPE_CHECKING:
    from cluster.storage.interface import Storage

_DEFINITIONS: Final = "customresourcedefinitions.apiextensions.k8s.io"


@click.group()
def store() -> None:
    """Look after what a cluster has stored."""


@store.command()
@storereach.options
def verify(**values: Any) -> None:
    """Read all that is stored and say what is wrong with it; exit code 1 where something is.

    Every object must decode, be valid by the server's own rules, fit its key, and have a uid of its
    own; revisions must be possible; owners and namespaces must be there.
    """
    place = storereach.place(values)
    records, revision, serious = asyncio.run(_verify(place))
    verdict = f"{serious} serious findings" if serious else "sound"
    click.echo(f"{records} objects at revision {revision}: {verdict}")
    if serious:
        raise SystemExit(1)


async def _verify(place: Place) -> tuple[int, int, int]:
    """How many records were read, as of when, and how much is wrong."""
    serious = 0
    if not place.runs:
        async with place.opened() as store:
            return await _verify_store(store)
    from cluster.pb.cluster.v1 import store_pb2 as pb

    async with place.stub() as stub:
        async for message in stub.Verify(pb.VerifyRequest(), timeout=storereach.SECONDS * 5):
            for found in message.findings:
                serious += _tell(found.key, found.what, serious=found.serious)
            records, revision = message.records, message.revision
    return records, revision, serious


async def _verify_store(store: "Storage") -> tuple[int, int, int]:
    from cluster.aio.clock import SystemClock
    from cluster.apiserver import codec
    from cluster.apiserver.storekeeping.verifying import Verifier

    revision = await store.newest()
    table = await _table(store)
    verifier = Verifier(table, revision, SystemClock().now(), sealed=True)
    serious = 0
    async for page in paging.pages(store, codec.PREFIX, revision):
        for record in page:
            for found in verifier.take(record):
                serious += _tell(found.key, found.what, serious=found.serious)
    for found in verifier.rest():
        serious += _tell(found.key, found.what, serious=found.serious)
    return verifier.records, revision, serious


async def _table(store: "Storage") -> Any:
    """The built-in resources, and those that definitions in the store describe."""
    from cluster.api import resources
    from cluster.api.crd import rows
    from cluster.apiserver import codec

    table = resources.built_in()
    async for page in paging.pages(store, codec.prefix(_DEFINITIONS), 0):
        for record in page:
            try:
                made = rows.of(codec.decode(record.value), ())
            except Exception:  # noqa: BLE001  (its own finding tells of it)
                continue
            if made:
                table.put(made)
    return table


def _tell(key: str, what: str, *, serious: bool) -> int:
    click.echo(f"{'error' if serious else 'note'}: {key}: {what}")
    return int(serious)


@store.command()
@storereach.options
@click.option(
    "--revision", type=click.IntRange(1), default=None,
    help="What was current then stays readable; without it, only the present does.",
)  # fmt: skip
def compact(revision: int | None, **values: Any) -> None:
    """Forget the past: watches and reads from before a revision are told 410 from then on."""
    place = storereach.place(values)
    done = asyncio.run(_compact(place, revision or 0))
    click.echo(f"history before revision {done} is forgotten")


async def _compact(place: Place, revision: int) -> int:
    if place.runs:
        from cluster.pb.cluster.v1 import store_pb2 as pb

        async with place.stub() as stub:
            request = pb.CompactRequest(revision=revision)
            return int((await stub.Compact(request, timeout=storereach.SECONDS)).revision)
    try:
        async with place.opened() as store:
            wanted = revision or await store.newest()
            await store.compact(wanted)
            return wanted
    except (FutureRevision, Compacted, Unavailable) as error:
        raise Failed(str(error)) from error


@store.command()
@storereach.options
def defrag(**values: Any) -> None:
    """Give the disk back what compaction has freed; with etcd, member after member, and end its
    alarm of having no space.
    """
    place = storereach.place(values)
    before, after = asyncio.run(_defrag(place))
    click.echo(f"{before / (1 << 20):.1f} MiB before, {after / (1 << 20):.1f} MiB now")


async def _defrag(place: Place) -> tuple[int, int]:
    if place.runs:
        from cluster.pb.cluster.v1 import store_pb2 as pb

        async with place.stub() as stub:
            done = await stub.Defragment(pb.DefragmentRequest(), timeout=storereach.SECONDS)
            return done.before, done.after
    async with place.opened() as store:
        return await store.defragment()
