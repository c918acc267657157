"""`kubemu snapshot`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cluster.api import timestamps
from cluster.cli import clusters, storereach, tables
from cluster.cli.storereach import Failed, Place
from cluster.storage import paging
from cluster.storage import snapshot as snapshots
from cluster.storage.interface import Compacted, Record, Unavailable

if TYPE_CHECKING:
    from cluster.storage.interface import Storage

_PREFIX: Final = "/registry/"
_OLDER_BY: Final = 10_000
_LISTEN_SECONDS: Final = 2.5
"""So long nobody may write before etcd is written to: leaders renew their leases every 2 s."""
_PATH = click.Path(path_type=Path)
_WHOLE: Final = "whole"
_SEALED: Final = b"k8s:enc:"
"""So values start that are encrypted at rest."""


@click.group()
def snapshot() -> None:
    """Save all objects of a cluster in a file, and bring them back.

    A snapshot is of one revision, whatever happens while it is taken. docs/storage.md says more.
    """


@snapshot.command()
@click.argument("file", type=_PATH)
@storereach.options
def save(file: Path, **values: Any) -> None:
    """Save a cluster in FILE: while it runs by its API server, else from its store."""
    if str(file) == "-":
        raise click.UsageError("FILE is a path: a snapshot cannot be written to standard output.")
    place = storereach.place(values)
    try:
        header, records = asyncio.run(_saved(place, file))
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}") from error
    size = file.stat().st_size
    click.echo(f"{file}: {records} objects at revision {header.revision}, {_size(size)}")


async def _saved(place: Place, file: Path) -> tuple[snapshots.Header, int]:
    if place.runs:
        async with place.stub() as stub:
            return await _from_server(stub, file)
    async with place.opened() as store:
        return await _from_store(store, file)


async def _from_server(stub: Any, file: Path) -> tuple[snapshots.Header, int]:
    from cluster.pb.cluster.v1 import store_pb2 as pb

    messages = aiter(stub.Save(pb.SaveRequest(), timeout=storereach.SECONDS * 5))
    first = (await anext(messages)).header
    header = snapshots.Header(first.revision, first.seconds, first.kubernetes_version)

    async def records() -> AsyncIterator[Record]:
        async for message in messages:
            for one in message.records:
                yield Record(one.key, one.value, one.revision, one.created)

    return header, await _write(file, header, records())


async def _from_store(store: "Storage", file: Path) -> tuple[snapshots.Header, int]:
    from cluster.aio.clock import SystemClock
    from cluster.apiserver.storekeeping import own

    revision = await store.newest()
    header = snapshots.Header(revision, SystemClock().now(), "")

    async def records() -> AsyncIterator[Record]:
        async for page in paging.pages(store, _PREFIX, revision):
            for record in page:
                if not own.of_servers(record.key):
                    yield record

    try:
        return header, await _write(file, header, records())
    except Compacted as error:
        raise Failed("history was compacted while it was saved: try again") from error


async def _write(file: Path, header: snapshots.Header, records: AsyncIterator[Record]) -> int:
    from cluster.apiserver import codec

    with snapshots.Writer(file, header) as writer:
        async for record in records:
            writer.add(record)
            if not record.value.startswith(_SEALED) and codec.spelled(record.value) is None:
                said = (
                    f"{record.key} is no object that an API server can read; it is saved as it is"
                )
                click.echo(f"Note: {said}", err=True)
    return writer.records


@snapshot.command()
@click.argument("file", type=_PATH)
@storereach.options
@click.option(
    "--bump-revision", type=click.IntRange(0), default=None,
    help="How far beyond every known revision the restored store begins; 1000000 for a file, and "
    "10000 for etcd, where each takes a write.",
)  # fmt: skip
def restore(file: Path, bump_revision: int | None, **values: Any) -> None:
    """Put FILE in the place of what a stopped or new cluster stores, or of what is in etcd.

    Members of etcd that are stopped with their cluster (kubemu up --ha) run as long as it takes.

    All API servers of the store are stopped first. Clients cannot mistake the past for the present:
    the restored store is ahead of all revisions that they may know, and their watches are told to
    begin anew (410).
    """
    place = storereach.place(values)
    if place.runs:
        raise Failed(
            f"the cluster runs: stop it (kubemu down --keep-data --name {place.name}), restore, "
            "and start it again"
        )
    try:
        header, count = snapshots.checked(file)
        if place.etcd is not None or place.rests_in_etcd:
            revision = asyncio.run(_into_etcd(place, file, header, bump_revision))
        else:
            revision = _into_file(place, file, header, bump_revision)
    except snapshots.Damaged as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}") from error
    except Unavailable as error:
        raise Failed(str(error)) from error
    click.echo(
        f"restored {count} objects of revision {header.revision}; the store goes on from revision "
        f"{revision}"
    )


def _into_file(place: Place, file: Path, header: snapshots.Header, bump: int | None) -> int:
    from cluster.storage import restoring

    if place.folder is None:
        clusters.folder(place.name).prepare()
    return restoring.into_sqlite(
        place.file, _records(file), header.revision, restoring.BUMP if bump is None else bump
    )


def _records(file: Path) -> Iterator[Record]:
    with file.open("rb") as opened:
        yield from snapshots.Reader(opened, str(file)).records()


async def _into_etcd(place: Place, file: Path, header: snapshots.Header, bump: int | None) -> int:
    from cluster.storage import restoring
    from cluster.storage.etcd.store import EtcdStorage

    async with place.opened() as store:
        assert isinstance(store, EtcdStorage)
        if place.etcd is not None:  # else it runs for this command alone
            await _nobody_writes(store)
        await store.advance(header.revision + (_OLDER_BY if bump is None else bump))
        await restoring.into_store(store, _PREFIX, list(_records(file)))
        revision = await store.newest()
        with suppress(Compacted):
            await store.compact(revision)
        return revision


async def _nobody_writes(store: "Storage") -> None:
    before = await store.newest()
    await asyncio.sleep(_LISTEN_SECONDS)
    if await store.newest() != before:
        raise Failed("somebody writes to this etcd: stop all API servers of the cluster first")


@snapshot.command(name="ls")
@click.argument("paths", metavar="[FILE|FOLDER]…", nargs=-1, type=_PATH)
def list_snapshots(paths: tuple[Path, ...]) -> None:
    """List snapshots, each read and checked as a whole; without arguments, those of this folder.

    Exit code 1 where one of them is damaged or cannot be read.
    """
    rows = []
    for path in _files(paths or (Path(),)):
        try:
            size = _size(path.stat().st_size)
            header, records = snapshots.checked(path)
        except snapshots.Damaged as error:
            if path not in paths and "no snapshot" in str(error):
                continue
            why = str(error).partition(" is damaged: ")
            rows.append((str(path), "", "", "", size, f"damaged: {why[2] or why[0]}"))
        except OSError as error:
            rows.append((str(path), "", "", "", "", f"cannot be read: {error.strerror}"))
        else:
            taken = timestamps.encode(header.taken)
            rows.append((str(path), taken, str(header.revision), str(records), size, _WHOLE))
    if not rows:
        click.echo("no snapshots")
        return
    tables.show(("FILE", "TAKEN", "REVISION", "OBJECTS", "SIZE", "STATE"), rows)
    if any(row[-1] != _WHOLE for row in rows):
        raise SystemExit(1)


def _files(paths: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    return found


def _size(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 20 else f"{size / 1024:.1f} KiB"
