"""Finding the cluster that a command is about."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from cluster.api import faults, metadata
from cluster.cli import flags
from cluster.launcher import state, topology

if TYPE_CHECKING:
    from cluster.launcher.controlling import Remote
    from cluster.launcher.processes import Plan

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Unknown(faults.Fault):
    """There is no cluster of this name."""


class NotRunning(faults.Fault):
    """There is no such cluster, or it does not run."""


class _Name(flags.ParamType):
    """A cluster's name is that of a folder, which `kubemu down` removes: nothing but a label."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for complaint in metadata.dns1123_label(value):
            self.fail(f"{value!r}: {complaint}", param, ctx)
        return str(value)


NAME: Final = _Name()


def name_option(function: F) -> F:
    """`--name`, which cluster is meant."""
    return flags.option("name", "Name of the cluster.", NAME, default=topology.DEFAULT_NAME)(
        function
    )


def folder(name: str) -> state.Folder:
    """The folder of the cluster of this name, be there one or not."""
    return state.Folder(state.home(os.environ) / name)


def known(name: str) -> state.Folder:
    """The folder of a cluster that there is, running or not. Unknown."""
    found = folder(name)
    if not found.exists():
        others = ", ".join(names())
        said = f"there are: {others}" if others else "there is none: start one with kubemu up"
        raise Unknown(f"no cluster named {name} ({said})")
    return found


def running(name: str) -> state.Folder:
    """The folder of a cluster that runs. NotRunning."""
    found = folder(name)
    if state.holder(found) is None:
        raise NotRunning(not_running(name))
    return found


def not_running(name: str) -> str:
    """What to say of a cluster that does not run."""
    others = [other for other in names() if state.holder(folder(other)) is not None]
    flag = "" if name == topology.DEFAULT_NAME else f" --name {name}"
    said = f"no cluster named {name} is running; start it with: kubemu up{flag}"
    return f"{said} (running now: {', '.join(others)})" if others else said


def names() -> list[str]:
    """All clusters that have a folder."""
    return state.names(state.home(os.environ))


def plan(found: state.Folder) -> "Plan":
    """What a cluster consists of."""
    from cluster.launcher import processes

    try:
        return processes.decode(found.plan.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise NotRunning(
            f"{found.plan} cannot be read ({error}); kubemu down --name {found.name} clears it up"
        ) from error


def registry(found: state.Folder) -> str:
    """What images of a cluster's registry are called by, `localhost:5000`; "" without one."""
    for process in plan(found).processes:
        for flag in process.argv if process.component == "registry" else ():
            if flag.startswith("--port="):
                return f"localhost:{flag.removeprefix('--port=')}"
    return ""


def controlled(name: str, act: Callable[["Remote"], Coroutine[Any, Any, T]]) -> T:
    """What `act` gives for the supervisor of the cluster. faults.Fault."""
    found = running(name)

    async def story() -> T:
        from cluster.launcher import controlling

        async with controlling.connect(Path(plan(found).control)) as remote:
            return await act(remote)

    return asyncio.run(story())
