"""The shell around a component: loop, signals, logging, readiness, and how it ends.

SIGTERM and SIGINT end it in order, with exit code 0; a start that fails is told in one sentence,
with exit code 1. Readiness is told to `NOTIFY_SOCKET` as sd_notify(3) has it, so that our
supervisor and systemd both understand. SIGUSR1 lets it log how many tasks it has.
"""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol, TypeVar

import click
import structlog

import cluster
from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.cli import flags, logformat, memory

F = TypeVar("F", bound=Callable[..., Any])
_CLOCK_FILE: Final = "cluster.cli.process.clock_file"


class Component(Protocol):
    """What every component is: it serves until cancelled, and tells when it is ready."""

    @property
    def ready(self) -> asyncio.Event:
        """Set when it serves."""
        ...

    async def run(self) -> None:
        """Serve."""
        ...


@dataclass(frozen=True, slots=True)
class Seams:
    """What a process gives its component of the world outside."""

    clock: clocks.Clock
    random: random.Random


class StartFailure(Exception):
    """The process cannot do its work; the message is one sentence."""


def logging_options(function: F) -> F:
    """The flags by which every component's logging is set, and its clock."""
    for decorate in (
        flags.option(
            "clock-file", "File that says how wrong its clock is, for chaos (docs/chaos.md).",
            click.Path(dir_okay=False, path_type=Path), expose_value=False, callback=_keep_clock,
        ),
        flags.option(
            "log-level", "Least level that is logged.", click.Choice(logformat.LEVELS),
            default="info",
        ),
        flags.option(
            "log-format", "Lines for people, or JSON; auto: JSON unless on a terminal.",
            click.Choice(logformat.FORMATS), default="auto",
        ),
    ):  # fmt: skip
        function = decorate(function)
    return function


def _keep_clock(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    context.meta[_CLOCK_FILE] = path


def _clock() -> clocks.Clock:
    """The machine's clock, or what a file makes of it. click.UsageError."""
    context = click.get_current_context(silent=True)
    path = context.meta.get(_CLOCK_FILE) if context is not None else None
    if path is None:
        return clocks.SystemClock()
    try:
        return clocks.SkewedClock(clocks.SystemClock(), path)
    except OSError as error:
        raise click.UsageError(f"--clock-file {path} cannot be used ({error.strerror}).") from error


def run(
    component: str,
    story: Callable[[Seams], Awaitable[None]],
    *,
    log_level: str = "info",
    log_format: str = "auto",
) -> NoReturn:
    """Run `story` in this process until it ends or a signal ends it, and exit."""
    import uvloop

    memory.settle()
    clock = _clock()
    logformat.configure(component, clock, format=log_format, level=log_level)
    structlog.get_logger().info("starting", version=cluster.__version__, pid=os.getpid())
    seams = Seams(clock, random.Random(os.urandom(16)))  # noqa: S311 - nothing secret comes of it
    with asyncio.Runner(loop_factory=uvloop.new_event_loop, debug=False) as runner:
        sys.exit(runner.run(_main(story(seams))))


async def serve(*components: Component) -> None:
    """Run components side by side; say that the process is ready when all are."""
    async with tasks.Group("process") as group:
        for component in components:
            group.spawn(component.run(), type(component).__name__)
        group.spawn(_tell_when_ready(components), "readiness")


def notify(text: str, pid: int = 0) -> None:
    """Tell the supervisor something, in the form of sd_notify(3); nothing where there is none.

    `pid` is the process that it is about, 0: this one.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = os.environ.get("KUBEMU_PROCESS", "")
    message = f"{text}\nMAINPID={pid or os.getpid()}\nKUBEMU_PROCESS={name}"
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.setblocking(False)
        try:
            notices.sendto(message.encode(), address)
        except OSError as error:
            structlog.get_logger().warning("cannot tell the supervisor", error=str(error))


async def _main(story: Awaitable[None]) -> int:
    """The exit code."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    signals: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        signals.append(number)
        if len(signals) > 1:
            os._exit(128 + number)
        if task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGUSR1, _tell_of_tasks)
    beside = tasks.Background("process", _not_given_back)
    beside.spawn(memory.give_back(), "give back")
    try:
        await story
    except asyncio.CancelledError:
        if not signals:
            raise
        structlog.get_logger().info("ended", signal=signals[0].name)
        return 0
    except Exception as error:  # noqa: BLE001 - the last place that can tell of it
        return _failed(error)
    finally:
        beside.cancel()
    return 0


def _not_given_back(_name: str, error: BaseException) -> None:
    structlog.get_logger().error("memory is not given back", exc_info=error)


def _tell_of_tasks() -> None:
    from cluster.cli import census

    census.tell()


def _failed(error: Exception) -> int:
    log = structlog.get_logger()
    sentence = explained(error)
    if sentence is None:
        sentence = f"{type(error).__name__}: {error}"
        log.critical("the process failed", error=sentence, exc_info=error)
    else:
        log.critical(sentence)
    notify(f"STATUS={sentence.splitlines()[0]}")
    return 1


def explained(error: Exception) -> str | None:
    """The sentence that an expected failure says; None for a fault of ours."""
    from cluster.api import errors, faults
    from cluster.runtime.config import Unusable
    from cluster.storage import interface

    expected: Sequence[type[Exception]] = (
        StartFailure, Unusable, faults.Fault, OSError, interface.Unavailable, errors.StatusError,
    )  # fmt: skip
    if isinstance(error, tuple(expected)):
        return str(error)
    from cluster.client import leaderelection

    return str(error) if isinstance(error, leaderelection.LostLeadership) else None


async def _tell_when_ready(components: Sequence[Component]) -> None:
    for component in components:
        await component.ready.wait()
    notify("READY=1\nSTATUS=ready")
