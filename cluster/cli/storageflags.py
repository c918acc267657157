"""The flags that say where an API server keeps its objects: kube-apiserver's names for etcd."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cluster.cli import flags, process
from cluster.cli.connection import FILE

if TYPE_CHECKING:
    from cluster.storage.etcd.settings import Settings
    from cluster.storage.interface import Storage

F = TypeVar("F", bound=Callable[..., Any])
Factory = Callable[[process.Seams], "Storage"]


def etcd_options(function: F) -> F:
    """Take the flags that say where etcd is."""
    for decorate in (
        flags.option("etcd-prefix", "Under what keys are kept in etcd.", default="/registry"),
        flags.option("etcd-keyfile", "Private key of --etcd-certfile, in PEM.", FILE),
        flags.option("etcd-certfile", "Certificate to be known to etcd by, in PEM.", FILE),
        flags.option("etcd-cafile", "Who signed the certificates of etcd's servers, in PEM.", FILE),
        flags.option(
            "etcd-servers",
            "Members of etcd: http://host:port or https://host:port, each tried where another "
            "does not answer.",
            flags.LIST,
            default=(),
        ),
    ):
        function = decorate(function)
    return function


def options(function: F) -> F:
    """Take the flags below; `from_flags` makes a store of them."""
    for decorate in (
        etcd_options,
        flags.option(
            "data-dir", "Folder of the SQLite file.", click.Path(path_type=Path), default="data"
        ),
        flags.option(
            "storage-backend",
            "Where objects are kept; etcd3 is another name of etcd.",
            click.Choice(["sqlite", "memory", "etcd", "etcd3"]),
            default="sqlite",
        ),
    ):
        function = decorate(function)
    return function


def from_flags(values: dict[str, Any]) -> Factory:
    """What makes the store that the flags tell of, which are taken out of `values`.
    click.UsageError; the factory raises process.StartFailure.
    """
    backend, folder = values.pop("storage_backend"), values.pop("data_dir")
    settings = _settings(backend, values)

    def make(seams: process.Seams) -> "Storage":
        if settings is not None:
            from cluster.storage.etcd.store import EtcdStorage

            return EtcdStorage(settings, random=seams.random, clock=seams.clock)
        if backend == "memory":
            from cluster.storage.memory import MemoryStorage

            return MemoryStorage(seams.clock)
        from cluster.storage.faulty import HurtableSqlite

        return HurtableSqlite(made_folder(folder) / "store.db", seams.clock)

    return make


def made_folder(folder: Path) -> Path:
    """The folder of the SQLite file, which is made. process.StartFailure."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise process.StartFailure(
            f"--data-dir {folder} cannot be made ({error.strerror})"
        ) from error
    return folder


def _settings(backend: str, values: dict[str, Any]) -> "Settings | None":
    servers, prefix = values.pop("etcd_servers"), values.pop("etcd_prefix")
    files = [values.pop(f"etcd_{name}") for name in ("cafile", "certfile", "keyfile")]
    if not backend.startswith("etcd"):
        if servers or any(files):
            raise click.UsageError("--etcd-servers and its kin go with --storage-backend etcd.")
        return None
    if not servers:
        raise click.UsageError("--storage-backend etcd needs --etcd-servers.")
    from cluster.storage.etcd.settings import Settings

    ca, certificate, key = (file.read_bytes() if file else b"" for file in files)
    try:
        return Settings(servers, ca=ca, certificate=certificate, key=key, prefix=prefix)
    except ValueError as error:
        raise click.UsageError(f"--etcd-servers: {error}.") from error
