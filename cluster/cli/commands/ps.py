"""`kubemu ps`."""

from dataclasses import dataclass
from typing import Any

import click

from cluster.aio import clock
from cluster.api.printing import durations
from cluster.cli import clusters, tables


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses: CPU seconds, resident and proportional bytes (0 where unknown)."""

    cpu: float
    rss: int
    pss: int


@click.command()
@clusters.name_option
def ps(name: str) -> None:
    """List the processes of a cluster: state, pid, CPU time, memory, restarts, uptime.

    PSS counts memory that processes share once: its sum is what the cluster takes.
    """
    processes = clusters.controlled(name, lambda remote: remote.processes())
    from cluster.launcher import state

    now = clock.SystemClock().now()
    usages = {process.pid: usage(process.pid) for process in processes if process.pid}
    rows = [_row(process, usages.get(process.pid), now) for process in processes]
    recorded = state.recorded(clusters.folder(name))
    for own in (state.SUPERVISOR, state.ZYGOTE):
        if own in recorded:
            pid, started = recorded[own].pid, recorded[own].started
            usages[pid] = usage(pid)
            age = durations.human(now - started)
            rows.append((f"({own})", "Running", str(pid), *_figures([usages[pid]]), "", age))
    rows.append(("total", "", "", *_figures(list(usages.values())), "", ""))
    tables.show(("PROCESS", "STATE", "PID", "CPU", "RSS", "PSS", "RESTARTS", "UPTIME"), rows)


def usage(pid: int) -> Usage:
    """What process `pid` uses; nothing where it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        memory = process.memory_full_info()
    except psutil.Error:
        return Usage(0.0, 0, 0)
    return Usage(times.user + times.system, memory.rss, getattr(memory, "pss", 0))


def _row(process: Any, used: Usage | None, now: float) -> tuple[str, ...]:
    phase = process.Phase.Name(process.phase).capitalize()
    shown = f"{phase} (paused)" if process.paused else phase
    if process.last_exit and not process.pid:
        shown = f"{phase} ({process.last_exit})"
    figures = _figures([used]) if used else ("", "", "")
    uptime = durations.human(now - process.started) if process.pid and process.started else ""
    pid = str(process.pid) if process.pid else ""
    return (process.name, shown, pid, *figures, str(process.restarts), uptime)


def _figures(usages: list[Usage]) -> tuple[str, str, str]:
    cpu = sum(each.cpu for each in usages)
    rss, pss = sum(each.rss for each in usages), sum(each.pss for each in usages)
    return f"{cpu:.2f}s", megabytes(rss), megabytes(pss) if pss else "-"


def megabytes(count: int) -> str:
    """Bytes as `12.3M`."""
    return f"{count / 2**20:.1f}M"
