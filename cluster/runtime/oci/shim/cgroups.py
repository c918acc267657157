"""What cgroups tell of a container: use of CPU and memory, kills for want of memory, processes.

Version 2 has one tree, version 1 one for each controller.
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MOUNT: Final = Path("/sys/fs/cgroup")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICK: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of a container's cgroup, by controller; "" is that of version 2."""

    folders: Mapping[str, Path] = field(default_factory=dict)

    def file(self, controller: str, name: str) -> Path | None:
        """A file of a controller, in whichever version it is."""
        folder = self.folders.get(controller) or self.folders.get("")
        return folder / name if folder is not None else None


def version(mount: Path = MOUNT) -> int:
    """2, 1, or 0 where there are no cgroups."""
    if (mount / "cgroup.controllers").exists():
        return 2
    return 1 if (mount / "memory").is_dir() else 0


def of(pid: int, wanted: str) -> Place:
    """Where a process is, so far as it is in a cgroup whose path ends with `wanted`."""
    found: dict[str, Path] = {}
    unified = version() == 2
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            number, names, path = line.split(":", 2)
            if not path.endswith(wanted):
                continue
            if number == "0" and unified:
                found[""] = MOUNT / path.lstrip("/")
            for name in names.split(",") if not unified else ():
                folder = MOUNT / name.removeprefix("name=") / path.lstrip("/")
                if name and folder.is_dir():
                    found[name] = folder
    return Place(found)


def at(path: str, mount: Path = MOUNT) -> Place:
    """The cgroup of a path from the root of the trees, so far as it is there. Who has ended is in
    none any more, but the cgroup still tells what happened.
    """
    if not path:
        return Place()
    roots = {"": mount}
    if version(mount) == 1:
        roots = {one.name: one for one in sorted(mount.iterdir()) if one.is_dir()}
    folders = {name: root / path.lstrip("/") for name, root in roots.items()}
    return Place({name: folder for name, folder in folders.items() if folder.is_dir()})


def oom_kills(place: Place) -> int:
    """How many processes were killed because the memory was used up."""
    new, old = place.file("", "memory.events"), place.file("memory", "memory.oom_control")
    return _entries(new).get("oom_kill", 0) or _entries(old).get("oom_kill", 0)


def usage(place: Place, pid: int) -> dict[str, int]:
    """Nanoseconds of CPU since the start; bytes of memory: in all, in the working set, anonymous;
    and how many processes there are.
    """
    if not place.folders:
        return _of_processes(pid)
    stat = _entries(place.file("memory", "memory.stat"))
    used = _number(place.file("", "memory.current"))
    used = used or _number(place.file("memory", "memory.usage_in_bytes"))
    inactive = stat.get("total_inactive_file", stat.get("inactive_file", 0))
    cpu = _number(place.file("cpuacct", "cpuacct.usage"))
    cpu = cpu or 1000 * _entries(place.file("", "cpu.stat")).get("usage_usec", 0)
    return {
        "cpu": cpu,
        "memory": used,
        "working": max(used - inactive, 0),
        "rss": stat.get("total_rss", stat.get("anon", 0)),
        "processes": sum(1 for _ in processes(place)),
    }


def processes(place: Place) -> Iterator[int]:
    """The processes in a cgroup."""
    folder = next(iter(place.folders.values()), None)
    if folder is None:
        return
    for path in (folder, *folder.rglob("*/")):
        with contextlib.suppress(OSError):
            yield from map(int, (path / "cgroup.procs").read_text().split())


def kill(place: Place) -> None:
    """Kill all that is in it."""
    for pid in list(processes(place)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def remove(path: str) -> None:
    """Remove an empty cgroup with those in it, by its path from the root of the trees."""
    for root in (MOUNT, *(MOUNT.iterdir() if version() == 1 else ())):
        top = root / path.lstrip("/")
        if top.is_dir():
            for folder in [*sorted(top.rglob("*/"), reverse=True), top]:
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _of_processes(pid: int) -> dict[str, int]:
    """The same, added up of a process and its descendants."""
    cpu = rss = count = 0
    for one in _family(pid):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            # Its own, and that of children which it has buried.
            cpu += sum(map(int, fields[11:15])) * _TICK
            rss += int(fields[21]) * _PAGE
            count += 1
    return {"cpu": cpu, "memory": rss, "working": rss, "rss": rss, "processes": count}


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in path.read_text().split():
                yield from _family(int(child))


def _entries(path: Path | None) -> dict[str, int]:
    """A file of lines `name number`."""
    found: dict[str, int] = {}
    if path is not None:
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text().splitlines():
                name, _, number = line.partition(" ")
                found[name] = int(number)
    return found


def _number(path: Path | None) -> int:
    if path is not None:
        with contextlib.suppress(OSError, ValueError):
            return int(path.read_text())
    return 0
