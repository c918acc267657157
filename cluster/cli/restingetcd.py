"""The etcd of a cluster that does not run, started for the time of one command.

Nobody else may start the cluster meanwhile, and the members are recorded as its processes: should
this command be killed, `kubemu down --keep-data` ends them.
"""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cluster.aio import clock as clocks
from cluster.api import faults
from cluster.cli import clusters, process, storageflags
from cluster.launcher import plan, state
from cluster.launcher.processes import Process

if TYPE_CHECKING:
    from cluster.storage.interface import Storage

_Started = Mapping[str, "subprocess.Popen[bytes]"]
_READY_SECONDS: Final = 40.0
_END_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.1


class Failed(faults.Fault):
    """The members cannot be started; the message is a sentence."""


def members(folder: state.Folder) -> list[Process]:
    """The members of etcd that this cluster consisted of when it ran last; none without etcd."""
    if not folder.plan.exists():
        return []
    return [one for one in clusters.plan(folder).processes if one.component == plan.ETCD]


@asynccontextmanager
async def opened(folder: state.Folder, seams: process.Seams) -> AsyncIterator["Storage"]:
    """The store of a cluster that is stopped. Failed, storage.Unavailable."""
    from cluster.launcher import certificates  # late: few commands get here

    left = state.leftovers(folder)
    if left:
        raise Failed(
            f"processes of cluster {folder.name} still run ({', '.join(left)}); end them with: "
            f"kubemu down --keep-data --name {folder.name}"
        )
    try:
        lock = state.acquire(folder)
    except state.Locked as error:
        raise Failed(str(error)) from error
    try:
        folder.prepare()
        certificates.renew_due(folder, clocks.SystemClock().now())
        store = _factory(folder)(seams)
        with _running(folder, members(folder)) as started:
            await _open(store, started, folder)
            try:
                yield store
            finally:
                await store.close()
    finally:
        os.close(lock)


def _factory(folder: state.Folder) -> storageflags.Factory:
    """How the API servers of the cluster reach it."""
    argv = next(
        one.argv for one in clusters.plan(folder).processes if one.component == plan.APISERVER
    )
    told = dict(flag.removeprefix("--").partition("=")[::2] for flag in argv[1:])
    files = {
        f"etcd_{name}": Path(told[f"etcd-{name}"]) for name in ("cafile", "certfile", "keyfile")
    }
    return storageflags.from_flags({
        "storage_backend": "etcd", "data_dir": Path(), **files,
        "etcd_servers": tuple(told["etcd-servers"].split(",")),
        "etcd_prefix": told.get("etcd-prefix", "/registry"),
    })  # fmt: skip


@contextlib.contextmanager
def _running(folder: state.Folder, wanted: Sequence[Process]) -> Iterator[_Started]:
    from cluster.cli import supervise

    started: dict[str, subprocess.Popen[bytes]] = {}
    environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
    try:
        for one in wanted:
            with folder.log(one.name).open("ab") as log:
                started[one.name] = subprocess.Popen(
                    [*supervise.COMMANDS.program, *one.argv], env=environment | dict(one.env),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
        state.record(folder, {
            name: state.Running(child.pid, state.started(child.pid) or 0.0)
            for name, child in started.items()
        })  # fmt: skip
        yield started
    finally:
        for child in started.values():
            child.terminate()
        end = time.monotonic() + _END_SECONDS
        for child in started.values():
            try:
                child.wait(max(end - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        folder.processes.unlink(missing_ok=True)


async def _open(store: "Storage", started: _Started, folder: state.Folder) -> None:
    """Open it as soon as a majority is there. Failed, storage.Unavailable."""
    from cluster.storage.interface import Unavailable

    end = time.monotonic() + _READY_SECONDS
    ports = [client for client, _ in folder.member_ports()]
    while sum([await _listens(port) for port in ports]) * 2 <= len(started):
        _check(started, folder)
        if time.monotonic() > end:
            raise Failed(f"etcd of cluster {folder.name} does not answer; see {folder.logs}")
        await asyncio.sleep(_PAUSE_SECONDS)
    while True:
        try:
            return await store.open()
        except Unavailable:  # no leader yet
            _check(started, folder)
            if time.monotonic() > end:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


def _check(started: _Started, folder: state.Folder) -> None:
    ended = [name for name, child in started.items() if child.poll() is not None]
    if len(ended) * 2 >= len(started):
        logs = ", ".join(str(folder.log(name)) for name in ended)
        raise Failed(f"{', '.join(ended)} of cluster {folder.name} ended; see {logs}")


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(plan.LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
