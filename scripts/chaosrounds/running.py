"""Brings a cluster up, plays rounds in it, and takes it down."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from chaosrounds import rest, rounds
from chaosrounds.looking import Runtimes
from chaosrounds.rounds import Bench, Report
from chaosrounds.store import Book
from cluster.aio import tasks
from cluster.api import errors
from cluster.chaos.hammer.watching import Watcher
from cluster.chaos.hammer.workloads import Workloads
from cluster.cli import connection
from cluster.client.client import Client
from cluster.launcher import controlling, processes, state

_KUBEMU = (sys.executable, "-m", "cluster.cli")
_NAME = "chaos-rounds"
_BEGIN_SECONDS = 30.0


@dataclass(frozen=True)
class Settings:
    """What is to be done. `save`: where the cluster's folder goes when a round failed."""

    count: int
    seed: int
    start: int = 0
    up: tuple[str, ...] = ()
    save: Path | None = None
    first_fault_ends: bool = True


def run(settings: Settings, tell: Callable[[Report], None]) -> list[Report]:
    """Play the rounds in a cluster of their own; `tell` hears of each."""
    with tempfile.TemporaryDirectory(prefix="kubemu-rounds-") as home:
        _kubemu(home, "up", "--name", _NAME, *(settings.up or ("--nodes", "3")))
        try:
            reports = asyncio.run(_play(state.Folder(Path(home) / _NAME), settings, tell))
        finally:
            _kubemu(home, "down", "--name", _NAME)
    return reports


def _save(logs: Path, folder: Path, report: Report) -> None:
    shutil.copytree(logs, folder, dirs_exist_ok=True)
    for key, text in report.histories.items():
        name = f"round-{report.number}-{key.replace('/', '-')}.txt"
        (folder / name).write_text(text + "\n")


def _kubemu(home: str, *arguments: str) -> None:
    environment = os.environ | {"KUBEMU_HOME": home}
    done = subprocess.run(
        [*_KUBEMU, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"kubemu {arguments[0]} failed:\n{done.stdout}{done.stderr}")


async def _play(
    folder: state.Folder, settings: Settings, tell: Callable[[Report], None]
) -> list[Report]:
    control = Path(processes.decode(folder.plan.read_bytes()).control)
    ours = connection.of_kubeconfig(folder.kubeconfig)
    reports: list[Report] = []
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(ours.client(f"grpc-{at}")) for at in range(4)]
        clients += [
            await stack.enter_async_context(rest.client(folder.kubeconfig, f"rest-{at}"))
            for at in range(3)
        ]
        remote = await stack.enter_async_context(controlling.connect(control))
        found = await remote.processes()
        victims: dict[str, list[str]] = {}
        for each in found:
            if each.component in rounds.VICTIMS:
                victims.setdefault(each.component, []).append(each.name)
        runtimes = await stack.enter_async_context(Runtimes(_runtimes(found)))
        await _begin(clients[0])
        group = await stack.enter_async_context(tasks.Group("rounds"))
        watchers = [
            Watcher(clients[at], name, rounds.NAMESPACE, Random(at))
            for at, name in ((3, "grpc"), (6, "rest"))
        ]
        asking = await stack.enter_async_context(rest.transport(folder.kubeconfig))
        book = Book(asking, rounds.NAMESPACE, [each.watch for each in watchers])
        load = [*clients[:3], *clients[4:6]]
        bench = Bench(remote, victims, load, watchers, runtimes, [], book)
        for each in watchers:
            group.spawn(each.run(), each.watch.name)
        async with asyncio.timeout(_BEGIN_SECONDS):
            while not all(each.caught_up(1) for each in watchers):  # they have to see all of it
                await asyncio.sleep(0.05)
        group.spawn(rounds.sight(clients[3], bench.sightings), "sight")
        for number in range(settings.start, settings.start + settings.count):
            report = await rounds.play(bench, number, Random(f"{settings.seed}/{number}"))
            reports.append(report)
            tell(report)
            if settings.save and report.faults:
                _save(folder.path / "logs", settings.save, report)
            if report.faults and settings.first_fault_ends:
                break
        group.cancel()
    return reports


def _runtimes(found: Sequence[Any]) -> dict[str, str]:
    return {
        each.node: argument.partition("=")[2]
        for each in found
        if each.component == "runtime"
        for argument in each.arguments
        if argument.startswith("--listen=")
    }


async def _begin(client: Client) -> None:
    """Make the namespace and the workloads."""
    end = time.monotonic() + _BEGIN_SECONDS
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": rounds.NAMESPACE}}
    while True:
        try:
            with contextlib.suppress(errors.AlreadyExists):
                await client.create("namespaces", space)
            await Workloads(client, rounds.NAMESPACE, Random(0)).begin()
        except errors.AlreadyExists:
            return
        except errors.StatusError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.2)
        else:
            return


def summary(reports: Sequence[Report]) -> str:
    """All rounds in a few lines."""
    kills = [name.partition("-node")[0] for each in reports for name in each.kills]
    counts = ", ".join(f"{name} {kills.count(name)}" for name in sorted(set(kills)))
    times = sorted(each.recovered for each in reports)
    failed = [each.number for each in reports if each.faults]
    return (
        f"{len(reports)} rounds in {sum(each.seconds for each in reports):.0f} s, {len(kills)} "
        f"kills ({counts})\n"
        f"{sum(each.calls for each in reports)} operations, "
        f"{sum(each.unanswered for each in reports)} without an answer\n"
        f"everything as it should be after {times[len(times) // 2]:.1f} s (median), "
        f"{times[-1]:.1f} s (longest)\n"
        f"rounds with faults: {', '.join(map(str, failed)) or 'none'}"
    )
