"""What /metrics tells of the process itself: Prometheus' own names, on Linux by /proc."""

import resource
from pathlib import Path
from typing import Final

import psutil

from cluster.client.figures import Family, Figures

FAMILIES: Final = {
    "process_cpu_seconds_total": Family("Total user and system CPU time spent in seconds."),
    "process_max_fds": Family("Maximum number of open file descriptors.", kind="gauge"),
    "process_open_fds": Family("Number of open file descriptors.", kind="gauge"),
    "process_resident_memory_bytes": Family("Resident memory size in bytes.", kind="gauge"),
    "process_start_time_seconds": Family(
        "Start time of the process since unix epoch in seconds.", kind="gauge"
    ),
    "process_virtual_memory_bytes": Family("Virtual memory size in bytes.", kind="gauge"),
}


def follow(figures: Figures) -> None:
    """Have `figures` tell of this process. They need FAMILIES."""
    process = psutil.Process()
    started = process.create_time()

    def cpu() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    figures.follow("process_cpu_seconds_total", cpu)
    figures.follow("process_resident_memory_bytes", lambda: process.memory_info().rss)
    figures.follow("process_virtual_memory_bytes", lambda: process.memory_info().vms)
    figures.follow("process_start_time_seconds", lambda: started)
    figures.follow("process_max_fds", lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    descriptors = Path("/proc/self/fd")
    if descriptors.is_dir():
        figures.follow("process_open_fds", lambda: sum(1 for _ in descriptors.iterdir()))
