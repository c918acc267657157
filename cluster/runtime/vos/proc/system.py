"""/proc itself: what is known of the machine."""

import itertools
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos.nodes import File, Folder, Node
from cluster.runtime.vos.proc import net, tasks
from cluster.runtime.vos.proc.pseudo import Made, file, folder, link

if TYPE_CHECKING:
    from cluster.runtime.vos.kernel import Kernel

_NAMESPACE: Final = uuid.UUID("9c1c3c1e-6f1d-4a55-8d8c-3a2b7f1f0a10")
_UP: Final = 86_400.0
"""Seconds that a machine had run before the container came."""


def entries(kernel: "Kernel") -> Mapping[str, Made]:
    """What is in it, by name."""
    plain: dict[str, Callable[[], str]] = {
        "cmdline": lambda: "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro\n",
        "cpuinfo": lambda: _cpuinfo(kernel),
        "devices": lambda: "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n",
        "diskstats": str,
        "filesystems": lambda: "nodev\tproc\nnodev\ttmpfs\nnodev\tcgroup2\nnodev\toverlay\n",
        "interrupts": str,
        "loadavg": lambda: _loadavg(kernel),
        "meminfo": lambda: _meminfo(kernel),
        "modules": str,
        "partitions": lambda: "major minor  #blocks  name\n\n",
        "stat": lambda: _stat(kernel),
        "swaps": lambda: "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
        "uptime": lambda: _uptime(kernel),
        "version": lambda: f"{version(kernel)}\n",
        "vmstat": lambda: f"nr_free_pages {_free(kernel) // 4}\npgfault 0\npgmajfault 0\n",
    }
    found: dict[str, Made] = {name: file(content) for name, content in plain.items()}
    found["mounts"] = link(lambda: "self/mounts")
    found["net"] = folder(lambda: net.entries(kernel))
    found["sys"] = lambda: _settings(kernel)
    if kernel.current() is not None or kernel.main_argv:
        found["self"] = found["thread-self"] = link(lambda: str(_self(kernel)))
    for pid in tasks.pids(kernel):
        found[str(pid)] = _task(kernel, pid)
    return found


def _task(kernel: "Kernel", pid: int) -> Made:
    def made() -> Node:
        node = folder(lambda: tasks.entries(kernel, pid))()
        who = tasks.Seen(kernel, pid).who
        node.uid, node.gid = who.uid, who.gid
        return node

    return made


def _self(kernel: "Kernel") -> int:
    found = kernel.current()
    return 1 if found is None else found.pid


def version(kernel: "Kernel") -> str:
    """What the kernel says of itself."""
    return f"Linux version {kernel.facts().release} (kubemu) #1 SMP"


def _cpuinfo(kernel: "Kernel") -> str:
    cores = kernel.facts().cores
    flags = "fpu tsc msr cx8 apic cmov mmx fxsr sse sse2 ht syscall nx lm pni ssse3 sse4_1 sse4_2"
    return "".join(
        f"processor\t: {number}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
        f"model name\t: kubemu virtual CPU\nstepping\t: 7\ncpu MHz\t\t: 2000.000\n"
        f"cache size\t: 16384 KB\nphysical id\t: 0\nsiblings\t: {cores}\ncore id\t\t: {number}\n"
        f"cpu cores\t: {cores}\napicid\t\t: {number}\nfpu\t\t: yes\nflags\t\t: {flags}\n"
        "bogomips\t: 4000.00\naddress sizes\t: 46 bits physical, 48 bits virtual\n\n"
        for number in range(cores)
    )


def _free(kernel: "Kernel") -> int:
    """KiB."""
    facts = kernel.facts()
    return max(facts.memory - 2 * facts.used, 0) // 1024


def _meminfo(kernel: "Kernel") -> str:
    facts = kernel.facts()
    used, total, free = facts.used // 1024, facts.memory // 1024, _free(kernel)
    rows = {
        "MemTotal": total, "MemFree": free, "MemAvailable": total - used, "Buffers": 0,
        "Cached": total - used - free, "SwapCached": 0, "Active": used, "Inactive": 0,
        "SwapTotal": 0, "SwapFree": 0, "Dirty": 0, "Writeback": 0, "AnonPages": used, "Mapped": 0,
        "Shmem": 0, "Slab": 0, "SReclaimable": 0, "CommitLimit": total, "Committed_AS": used,
        "VmallocTotal": 34359738367, "HugePages_Total": 0, "HugePages_Free": 0,
        "Hugepagesize": 2048,
    }  # fmt: skip
    return "".join(
        f"{name + ':':<15} {value:8d}{'' if name.startswith('HugePages_') else ' kB'}\n"
        for name, value in rows.items()
    )


def seconds_up(kernel: "Kernel") -> float:
    """How long the machine has run."""
    return _UP + max(kernel.clock.now() - kernel.started, 0)


def _uptime(kernel: "Kernel") -> str:
    up = seconds_up(kernel)
    return f"{up:.2f} {up * kernel.facts().cores:.2f}\n"


def _loadavg(kernel: "Kernel") -> str:
    found = tasks.pids(kernel)
    return f"0.00 0.00 0.00 1/{len(found)} {max(found, default=1)}\n"


def _stat(kernel: "Kernel") -> str:
    cores, up = kernel.facts().cores, seconds_up(kernel)
    ticks = int(up * 100)
    rows = [f"cpu  0 0 0 {ticks * cores} 0 0 0 0 0 0"]
    rows += [f"cpu{number} 0 0 0 {ticks} 0 0 0 0 0 0" for number in range(cores)]
    found = tasks.pids(kernel)
    rows += ["intr 0", "ctxt 0", f"btime {int(kernel.clock.now() - up)}"]
    rows += [f"processes {max(found, default=1)}", "procs_running 1", "procs_blocked 0"]
    return "\n".join(rows) + "\n"


def _settings(kernel: "Kernel") -> Folder:
    """/proc/sys, which `sysctl` writes to; made once."""
    if kernel.settings is None:
        from cluster.runtime.vos.programs.tools.settings import DEFAULTS

        root = kernel.settings = Folder(kernel.files.space, mode=0o555)
        values = {
            **DEFAULTS, "kernel.hostname": kernel.hostname, "kernel.domainname": "(none)",
            "kernel.ostype": "Linux", "kernel.osrelease": kernel.facts().release,
            "kernel.version": "#1 SMP", "kernel.random.boot_id": _drawn(kernel, "boot"),
            "kernel.random.entropy_avail": "256", "kernel.cap_last_cap": "40",
            "kernel.threads-max": "62860", "vm.overcommit_ratio": "50",
        }  # fmt: skip
        for name, value in values.items():
            _set(root, name.split("."), value, kernel)
        _fresh(kernel, root)
    return kernel.settings


def _drawn(kernel: "Kernel", name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{name}/{kernel.hostname}/{kernel.started}"))


def _fresh(kernel: "Kernel", root: Folder) -> None:
    """/proc/sys/kernel/random/uuid: another one at each reading."""
    read = itertools.count()

    def drawn() -> bytes:
        return f"{_drawn(kernel, str(next(read)))}\n".encode()

    _set(root, ["kernel", "random", "uuid"], "", kernel)
    place: Node = root
    for part in ("kernel", "random", "uuid"):
        place = place.entries[part] if isinstance(place, Folder) else place
    if isinstance(place, File):
        place.virtual = drawn


def _set(root: Folder, parts: list[str], value: str, kernel: "Kernel") -> None:
    for part in parts[:-1]:
        inside = root.entries.get(part)
        root = inside if isinstance(inside, Folder) else root.make_folder(part, kernel.started)
        root.mode = 0o555
    root.make_file(parts[-1], kernel.started).append(f"{value}\n".encode(), kernel.started)
