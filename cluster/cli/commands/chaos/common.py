"""What the commands of `kubemu chaos` share: which cluster is meant, and how it is reached."""

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

import click

from cluster.api import errors, faults
from cluster.cli import clusters, connection, flags
from cluster.launcher import files, state

if TYPE_CHECKING:
    from cluster.chaos.journal import File
    from cluster.chaos.world import World

F = TypeVar("F", bound=Callable[..., Any])

_MANAGER: Final = "kubemu-chaos"
_SHOWN: Final = 40
"""So much of a folder's name stands in that of its journal, for people."""


class Unusable(faults.Fault):
    """The cluster cannot be reached as it was said; the message says why."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which cluster: one of `kubemu up` by its name, or the compose project in a folder."""

    name: str
    compose: Path | None = None
    kubeconfig: Path | None = None

    @property
    def journal(self) -> "File":
        """What is to be undone in it."""
        from cluster.chaos.journal import File

        home = state.home(os.environ) / ".chaos"
        if self.compose is None:
            return File(home / f"local-{self.name}.json")
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        shown = Path(self.folder).name[:_SHOWN]
        return File(home / f"compose-{shown}-{digest}.json")

    @property
    def folder(self) -> str:
        """Where the compose project is, however that was said. Compose writes it so, too: by it its
        containers are known, and its journal.
        """
        return os.path.abspath(self.compose or "")  # noqa: PTH100

    @contextmanager
    def alone(self, *, heals: bool = False, waits: bool = False) -> Iterator[None]:
        """Nobody else runs an experiment on it, or heals it, meanwhile. Unusable, at once where it
        does not wait for them.
        """
        path = self.journal.path.with_suffix(".lock")
        with _locked(path, waits=waits) as file:
            file.truncate(0)
            file.write(
                f"what an experiment did is being undone (process {os.getpid()}): wait for its end"
                if heals
                else f"another experiment runs (process {os.getpid()}); Ctrl-C, or kill "
                f"{os.getpid()}, ends it and undoes what it did"
            )
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    @property
    def arguments(self) -> list[str]:
        """The flags that say the same."""
        if self.compose is None:
            return [f"--name={self.name}"]
        more = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig is not None else []
        return [f"--compose={self.compose}", *more]


@contextmanager
def _locked(path: Path, *, waits: bool) -> Iterator[TextIO]:
    """The file of a lock that nobody else has. Who has it takes it away at the end."""
    files.make_private(path.parent)
    while True:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
            except BlockingIOError as error:
                file.seek(0)
                raise Unusable(file.read()) from error
            # What was waited for may have been taken away meanwhile, and nobody else looks at it.
            if _is(path, file.fileno()):
                yield file
                return


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def options(function: F) -> F:
    """`--name`, or `--compose` and `--kubeconfig`; `where` makes a Where of them."""
    for decorate in (
        flags.option(
            "kubeconfig", "Kubeconfig of the compose project's administrator.",
            click.Path(exists=True, dir_okay=False, path_type=Path), default=None,
            show_default="kubeconfig in its folder",
        ),
        flags.option(
            "compose", "Folder of a compose project, for its cluster instead.",
            click.Path(file_okay=False, path_type=Path), default=None,
        ),
        clusters.name_option,
    ):  # fmt: skip
        function = decorate(function)
    return function


def where(values: dict[str, Any]) -> Where:
    """Takes the flags of `options` out of `values`."""
    return Where(values.pop("name"), values.pop("compose"), values.pop("kubeconfig"))


@asynccontextmanager
async def opened(meant: Where) -> AsyncIterator["World"]:
    """The cluster that is meant, while it runs. faults.Fault."""
    try:
        if meant.compose is not None:
            async with _compose(meant.compose, meant.folder, meant.kubeconfig) as world:
                yield world
            return
        async with _local(meant.name) as world:
            yield world
    except errors.StatusError as error:
        raise Unusable(f"the API server: {error.message}") from error


@asynccontextmanager
async def _local(name: str) -> AsyncIterator["World"]:
    from cluster.chaos.local import LocalWorld
    from cluster.chaos.reaching import Doors
    from cluster.cli.simulating import flag
    from cluster.client import channel
    from cluster.pb.cluster.v1 import control_pb2_grpc

    folder = clusters.running(name)
    plan = clusters.plan(folder)
    reached = connection.of_kubeconfig(folder.kubeconfig)
    servers = {
        one.name: f"127.0.0.1:{flag(one, 'grpc-port')}"
        for one in plan.processes
        if one.component == "apiserver"
    }
    runtimes = {
        one.node: flag(one, "listen")
        for one in plan.processes
        if one.component == "runtime" and one.node
    }
    files = {one.name: flag(one, "clock-file") for one in plan.processes}
    clocks = {process: Path(path) for process, path in files.items() if path}
    disks = {one.name for one in plan.processes if one.name in servers and flag(one, "data-dir")}
    doors = Doors(servers, reached.tls, runtimes)
    try:
        async with (
            channel.connect([f"unix:{plan.control}"]) as link,
            reached.client(_MANAGER) as client,
        ):
            control = control_pb2_grpc.ControlStub(link)
            yield LocalWorld(name, client, control, doors, clocks=clocks, disks=disks)
    finally:
        await doors.close()


@asynccontextmanager
async def _compose(folder: Path, whole: str, kubeconfig: Path | None) -> AsyncIterator["World"]:
    from cluster.chaos.compose import ComposeWorld
    from cluster.chaos.reaching import Doors

    if not folder.is_dir():  # noqa: ASYNC240  (nothing else goes on)
        raise Unusable(f"there is no folder {folder}, and so no compose project in it")
    path = kubeconfig or folder / "kubeconfig"
    if not path.exists():
        raise Unusable(
            f"there is no {path}: say by --kubeconfig where the administrator's is "
            "(docs/compose.md tells how to get it)"
        )
    reached = connection.of_kubeconfig(path)
    if not reached.servers:
        raise Unusable(f"{path} does not say where gRPC is served: take the project's own")
    # compose/ha.env names the second one, too.
    servers = dict(zip(("apiserver", "apiserver-2"), reached.servers, strict=False))
    doors = Doors(servers, reached.tls)
    try:
        async with reached.client(_MANAGER) as client:
            yield ComposeWorld(whole, client, doors)
    finally:
        await doors.close()
