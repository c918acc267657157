"""`kubemu stop|start|restart|kill|pause|resume PROCESS…`: chaos by hand or from scripts."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from cluster.api import faults
from cluster.cli import clusters, flags

if TYPE_CHECKING:
    from cluster.launcher.controlling import Remote

_Act = Callable[["Remote", str], Coroutine[Any, Any, Any]]
_grace = flags.option(
    "grace", "How long it may take to end by itself (0s: 5s).", flags.DURATION, default="0s"
)
_wait = click.option("--wait/--no-wait", default=True, help="Wait until they are ready.")
_timeout = flags.option("timeout", "How long to wait for each.", flags.DURATION, default="30s")


class NotReady(faults.Fault):
    """A process does not say that it is ready."""


class _Signal(flags.ParamType):
    """A signal by name (`KILL`, `SIGTERM`) or number."""

    name = "signal"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> signal.Signals:
        text = str(value).upper()
        try:
            if text.isdecimal():
                return signal.Signals(int(text))
            return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"]
        except (KeyError, ValueError):
            self.fail(f"{value!r} is no signal; try KILL, TERM, STOP or a number", param, ctx)


def _process_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("process", nargs=-1, required=True)(clusters.name_option(function))


@click.command()
@_process_argument
@_grace
def stop(process: tuple[str, ...], name: str, grace: float) -> None:
    """Stop processes, as `kubemu ps` names them. They stay stopped.

    A stopped kubelet's containers run on; a stopped runtime takes its containers with it.
    """
    _each(name, process, lambda remote, one: remote.stop(one, grace), "stopped")


@click.command()
@_process_argument
@_wait
@_timeout
def start(process: tuple[str, ...], name: str, *, wait: bool, timeout: float) -> None:
    """Start processes that are stopped."""

    async def act(remote: "Remote", one: str) -> Any:
        begun = await remote.start(one)
        return await until_ready(remote, begun, timeout) if wait else begun

    _each(name, process, act, "started")


@click.command()
@_process_argument
@_grace
@_wait
@_timeout
def restart(
    process: tuple[str, ...], name: str, *, grace: float, wait: bool, timeout: float
) -> None:
    """Stop processes and start them."""

    async def act(remote: "Remote", one: str) -> Any:
        begun = await remote.restart(one, grace)
        return await until_ready(remote, begun, timeout) if wait else begun

    _each(name, process, act, "restarted")


@click.command()
@_process_argument
@flags.option("signal", "Which signal.", _Signal(), default="KILL")
def kill(process: tuple[str, ...], name: str, signal: signal.Signals) -> None:
    """Send processes a signal. What dies of it is started again, as after a crash."""
    _each(name, process, lambda remote, one: remote.kill(one, signal), f"{signal.name} sent")


@click.command()
@_process_argument
def pause(process: tuple[str, ...], name: str) -> None:
    """Let processes hang (SIGSTOP): alive, and deaf."""
    _each(name, process, lambda remote, one: remote.pause(one), "paused")


@click.command()
@_process_argument
def resume(process: tuple[str, ...], name: str) -> None:
    """Let paused processes go on (SIGCONT)."""
    _each(name, process, lambda remote, one: remote.resume(one), "resumed")


async def until_ready(remote: "Remote", begun: Any, seconds: float) -> Any:
    """The process (a cluster.v1.Process) once it is ready, or runs again and is. NotReady."""
    from cluster.pb.cluster.v1 import control_pb2 as pb

    last = begun
    try:
        async with (
            asyncio.timeout(seconds),
            contextlib.aclosing(remote.watch()) as told,  # type: ignore[type-var]
        ):
            async for processes in told:
                last = next((one for one in processes if one.name == begun.name), last)
                if last.phase == pb.Process.RUNNING and last.pid:
                    return last
                if last.phase in (pb.Process.STOPPING, pb.Process.STOPPED):
                    break
    except TimeoutError:
        heard = "; ".join(filter(None, (last.last_exit, last.status)))
        why = f" ({heard})" if heard else ""
        raise NotReady(
            f"{begun.name} is not ready after {seconds:g} s{why}; it goes on starting"
        ) from None
    raise NotReady(f"{begun.name} was stopped meanwhile")


def _each(name: str, processes: tuple[str, ...], act: _Act, done: str) -> None:
    async def story(remote: "Remote") -> None:
        for process in processes:
            after = await act(remote, process)
            shown = f" (pid {after.pid})" if after.pid else ""
            click.echo(f"{process}: {done}{shown}")

    clusters.controlled(name, story)
