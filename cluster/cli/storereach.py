"""How commands reach the store of a cluster: by its API server while it runs, by its file or by
etcd while nothing does.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cluster.aio import clock as clocks
from cluster.api import faults
from cluster.cli import clusters, connection, process, restingetcd, simulating, storageflags
from cluster.cli.connection import Connection
from cluster.launcher import state

if TYPE_CHECKING:
    from cluster.storage.interface import Storage

F = TypeVar("F", bound=Callable[..., Any])
SECONDS: Final = 120.0
_NOBODY: Final = ("failed to connect to all addresses", "Cancelling all calls")


class Failed(faults.Fault):
    """The store, or who was asked for it, says no; the message is a sentence."""


def options(function: F) -> F:
    """`--name` or `--kubeconfig` of a cluster that runs; `--data-dir` or etcd's flags for a store
    that nobody has open.
    """
    for decorate in (
        click.option("--kubeconfig", type=connection.FILE, help="Of the cluster, not --name."),
        clusters.name_option,
        storageflags.etcd_options,
        click.option(
            "--data-dir", type=click.Path(path_type=Path),
            help="Folder of the SQLite file of an API server that does not run.",
        ),
    ):  # fmt: skip
        function = decorate(function)
    return function


@dataclass(frozen=True, slots=True)
class Place:
    """What the flags of `options` say."""

    name: str
    kubeconfig: Path | None
    folder: Path | None
    etcd: storageflags.Factory | None

    @property
    def runs(self) -> bool:
        """Whether an API server is to be asked."""
        if self.kubeconfig is not None:
            return True
        if self.folder is not None or self.etcd is not None:
            return False
        return state.holder(clusters.folder(self.name)) is not None

    @property
    def rests_in_etcd(self) -> bool:
        """Whether it is the store of a stopped cluster with members of etcd of its own."""
        if self.runs or self.folder is not None or self.etcd is not None:
            return False
        return bool(restingetcd.members(clusters.folder(self.name)))

    @property
    def file(self) -> Path:
        """The SQLite file."""
        folder = self.folder if self.folder is not None else clusters.folder(self.name).data
        return folder / "store.db"

    def connection(self) -> Connection:
        """The API server. faults.Fault."""
        return simulating.reached(self.name, self.kubeconfig)

    @asynccontextmanager
    async def stub(self) -> AsyncIterator[Any]:
        """`cluster.v1.Store` of the API server. Failed."""
        import grpc

        from cluster.pb.cluster.v1.store_pb2_grpc import StoreStub

        async with self.connection().connected() as connected:
            try:
                yield StoreStub(connected)
            except grpc.aio.AioRpcError as error:
                raise Failed(_sentence(error)) from error

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Storage"]:
        """The store itself, of which nobody else has the file; members of etcd that are stopped
        with their cluster run as long. Failed.
        """
        from cluster.storage.interface import Unavailable

        seams = process.Seams(clocks.SystemClock(), random.Random())  # noqa: S311  (backoff)
        if self.rests_in_etcd:
            try:
                async with restingetcd.opened(clusters.folder(self.name), seams) as resting:
                    yield resting
            except Unavailable as error:
                raise Failed(str(error)) from error
            return
        if self.etcd is not None:
            store = self.etcd(seams)
        else:
            from cluster.storage.sqlite import SqliteStorage

            if not self.file.exists():
                raise Failed(
                    f"there is no store {self.file}, and no such cluster runs (a store in etcd is "
                    "named by --etcd-servers)"
                )
            store = SqliteStorage(self.file, seams.clock)
        try:
            await store.open()
            try:
                yield store
            finally:
                await store.close()
        except Unavailable as error:
            raise Failed(str(error)) from error


def place(values: dict[str, Any]) -> Place:
    """What the flags say, which are taken out of `values`. click.UsageError."""
    etcd = None
    if values["etcd_servers"]:
        etcd = storageflags.from_flags({**values, "storage_backend": "etcd", "data_dir": Path()})
    for name in ("etcd_servers", "etcd_prefix", "etcd_cafile", "etcd_certfile", "etcd_keyfile"):
        values.pop(name)
    found = Place(values.pop("name"), values.pop("kubeconfig"), values.pop("data_dir"), etcd)
    if sum(one is not None for one in (found.kubeconfig, found.folder, found.etcd)) > 1:
        raise click.UsageError("Give one of --kubeconfig, --data-dir and --etcd-servers.")
    return found


def _sentence(error: Any) -> str:
    import grpc

    said = error.details() or error.code().name
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "this API server is older than this command: it cannot do that"
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "the API server does not answer in time"
    if any(words in said for words in _NOBODY):
        # One that has lost the store that it shares serves gRPC no more (apiserver.retreating).
        return (
            "no API server answers: none runs (kubemu ps), or they have lost their store "
            "(kubectl get --raw '/readyz?verbose')"
        )
    return str(said)
