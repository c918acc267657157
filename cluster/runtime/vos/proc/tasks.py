"""/proc/PID: what is known of a container's processes."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.vos.credentials import Credentials
from cluster.runtime.vos.pids import PAUSE, PAUSE_USER
from cluster.runtime.vos.proc.pseudo import Made, file, folder, link
from cluster.runtime.vos.streams import NOTHING
from cluster.runtime.vos.tty import Tty

if TYPE_CHECKING:
    from cluster.runtime.vos.kernel import Kernel, Process

_SPACES: Final = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
_KIB: Final = 1600
"""What a process takes, as `top` tells, too."""
_TICKS: Final = 100
_PAUSE: Final = Credentials(PAUSE_USER, PAUSE_USER)


def pids(kernel: "Kernel") -> list[int]:
    """The processes there are, in order."""
    return [row.pid for row in kernel.pids.rows()]


def cpus(kernel: "Kernel") -> str:
    """The processors, as cpusets name them."""
    cores = kernel.facts().cores
    return f"0-{cores - 1}" if cores > 1 else "0"


class Seen:
    """A process, as /proc shows it. One that sleeps without a coroutine has no record."""

    def __init__(self, kernel: "Kernel", pid: int) -> None:
        self.kernel = kernel
        self.pid = pid

    @property
    def process(self) -> "Process | None":
        """Its record."""
        return self.kernel.processes.get(self.pid)

    @property
    def home(self) -> "Kernel":
        """The container that it is in."""
        row = self.kernel.pids.row(self.pid)
        return self.kernel if row is None or row.kernel is None else row.kernel

    @property
    def paused(self) -> bool:
        """Whether it is the first one of a pod, which is in no container."""
        return self.pid == 1 and self.kernel.pids.pause

    @property
    def running(self) -> bool:
        """Whether it is the one that looks."""
        return self.process is not None and self.process is self.kernel.current()

    @property
    def argv(self) -> Sequence[str]:
        """What it runs; a shell that runs a program is that program to itself."""
        process = self.process
        if process is None:
            return PAUSE if self.paused else self.home.main_argv
        return process.doing if process.doing and self.running else process.argv

    @property
    def who(self) -> Credentials:
        """Whose it is."""
        if self.paused:
            return _PAUSE
        return self.home.who if self.process is None else self.process.who

    @property
    def parent(self) -> int:
        """Who began it; 0 for what came from outside."""
        return 0 if self.process is None else self.process.parent

    @property
    def name(self) -> str:
        """What `ps` shows as its name: at most 15 letters."""
        return (self.argv[0] if self.argv else "").partition(": ")[0].rpartition("/")[2][:15]


def entries(kernel: "Kernel", pid: int) -> Mapping[str, Made]:
    """What is in /proc/PID, by name."""
    seen = Seen(kernel, pid)
    shown: dict[str, Made] = {
        "cgroup": file(lambda: "0::/\n"),
        "cmdline": file(lambda: "".join(f"{word}\0" for word in seen.argv)),
        "comm": file(lambda: f"{seen.name}\n"),
        "cwd": link(lambda: seen.process.cwd if seen.process is not None else seen.home.home),
        "environ": file(lambda: _environ(seen), 0o400),
        "exe": link(lambda: _exe(seen)),
        "fd": folder(lambda: _descriptors(seen), 0o500),
        "limits": file(lambda: _LIMITS),
        "maps": file(str),
        "mountinfo": file(lambda: _mountinfo(seen.home)),
        "mounts": file(lambda: mounts(seen.home)),
        "ns": folder(lambda: {one: link(_space(one)) for one in _SPACES}),
        "oom_score": file(lambda: "0\n"),
        "oom_score_adj": file(lambda: "0\n"),
        "root": _root(seen),
        "stat": file(lambda: _stat(seen)),
        "statm": file(lambda: f"{_KIB // 4} {_KIB // 8} {_KIB // 16} 1 0 1 0\n"),
        "status": file(lambda: _status(seen)),
        "task": folder(lambda: {str(pid): folder(lambda: entries(kernel, pid))}),
        "wchan": file(lambda: "0"),
    }
    shown["net"] = folder(lambda: _net(kernel))
    return shown


def _root(seen: Seen) -> Made:
    home = seen.home
    if home is seen.kernel or seen.paused:
        return link(lambda: "/")
    from cluster.runtime.vos.proc.roots import Root

    return lambda: Root(home.files)


def _net(kernel: "Kernel") -> Mapping[str, Made]:
    from cluster.runtime.vos.proc import net

    return net.entries(kernel)


def _space(name: str) -> Callable[[], str]:
    return lambda: f"{name}:[{4026532000 + _SPACES.index(name)}]"


def _exe(seen: Seen) -> str:
    name = seen.argv[0] if seen.argv else ""
    return name if name.startswith("/") else f"/bin/{name}"


def _environ(seen: Seen) -> str:
    variables = seen.home.environment if seen.process is None else seen.process.environment
    return "".join(f"{name}={value}\0" for name, value in variables.items())


def _descriptors(seen: Seen) -> Mapping[str, Made]:
    process = seen.process
    if process is None:
        return {str(number): link(lambda: "/dev/null") for number in range(3)}
    io = process.io
    every: dict[int, Any] = {0: io.stdin, 1: io.stdout, 2: io.stderr, **io.more}
    return {str(number): link(_opened(seen, number, one)) for number, one in every.items()}


def _opened(seen: Seen, number: int, stream: object) -> Callable[[], str]:
    def told() -> str:
        if stream is NOTHING:
            return "/dev/null"
        if isinstance(stream, Tty):
            return "/dev/pts/0"
        return getattr(stream, "path", "") or f"pipe:[{100_000 + seen.pid * 10 + number}]"

    return told


def _status(seen: Seen) -> str:
    who, kernel = seen.who, seen.kernel
    cores = kernel.facts().cores
    rows = [
        ("Name", seen.name), ("Umask", f"{who.umask:04o}"),
        ("State", "R (running)" if seen.running else "S (sleeping)"), ("Tgid", seen.pid),
        ("Ngid", 0), ("Pid", seen.pid), ("PPid", seen.parent), ("TracerPid", 0),
        ("Uid", "\t".join([str(who.uid)] * 4)), ("Gid", "\t".join([str(who.gid)] * 4)),
        ("FDSize", 64), ("Groups", " ".join(str(one) for one in who.groups)),
        ("NStgid", seen.pid), ("NSpid", seen.pid), ("NSpgid", seen.pid), ("NSsid", 1),
        ("VmPeak", f"{_KIB:8d} kB"), ("VmSize", f"{_KIB:8d} kB"), ("VmLck", f"{0:8d} kB"),
        ("VmHWM", f"{_KIB // 2:8d} kB"), ("VmRSS", f"{_KIB // 2:8d} kB"),
        ("VmSwap", f"{0:8d} kB"), ("Threads", 1), ("SigQ", "0/31430"),
        ("SigPnd", f"{0:016x}"), ("ShdPnd", f"{0:016x}"), ("SigBlk", f"{0:016x}"),
        ("SigIgn", f"{0:016x}"), ("SigCgt", f"{_caught(seen):016x}"),
        ("CapInh", f"{0:016x}"), ("CapPrm", _caps(who)), ("CapEff", _caps(who)),
        ("CapBnd", f"{_DEFAULT_CAPS:016x}"), ("CapAmb", f"{0:016x}"), ("NoNewPrivs", 0),
        ("Seccomp", 0), ("Seccomp_filters", 0), ("Cpus_allowed", f"{(1 << cores) - 1:x}"),
        ("Cpus_allowed_list", cpus(kernel)), ("Mems_allowed", 1), ("Mems_allowed_list", 0),
        ("voluntary_ctxt_switches", 1), ("nonvoluntary_ctxt_switches", 0),
    ]  # fmt: skip
    return "".join(f"{name}:\t{value}\n" for name, value in rows)


_DEFAULT_CAPS: Final = 0xA80425FB
"""Those that containerd gives."""


def _caps(who: Credentials) -> str:
    return f"{_DEFAULT_CAPS if who.root else 0:016x}"


def _caught(seen: Seen) -> int:
    if seen.process is None:
        return 0
    return sum(1 << (number - 1) for number in seen.process.handlers if number > 0)


def _stat(seen: Seen) -> str:
    process = seen.process
    kernel = seen.kernel
    began = int((process.began - kernel.started) * _TICKS) if process is not None else 0
    tty = 34816 if process is not None and process.tty is not None else 0
    fields = [
        seen.pid, f"({seen.name})", "R" if seen.running else "S", seen.parent, seen.pid, 1, tty,
        -1, 4194304, *([0] * 9), 0, 1, 0, max(began, 0), _KIB * 1024, _KIB // 8,
        18446744073709551615, *([0] * 12), 17, *([0] * 13),
    ]  # fmt: skip
    # The priority is the 18th.
    fields[17] = 20
    return " ".join(str(one) for one in fields) + "\n"


def mounts(kernel: "Kernel") -> str:
    """/proc/mounts."""
    return "".join(
        f"{one.source} {_escaped(one.path)} {one.kind} {one.options} 0 0\n"
        for one in kernel.files.mounted()
    )


def _mountinfo(kernel: "Kernel") -> str:
    return "".join(
        f"{100 + number} {99 if one.path == '/' else 100} 0:{40 + number} / {_escaped(one.path)} "
        f"{one.options} - {one.kind} {one.source} {one.options}\n"
        for number, one in enumerate(kernel.files.mounted())
    )


def _escaped(path: str) -> str:
    for letter in "\\ \t\n":
        path = path.replace(letter, f"\\{ord(letter):03o}")
    return path


_LIMITS: Final = "".join(
    f"{name:<26}{soft:<21}{hard:<21}{unit:<10}\n"
    for name, soft, hard, unit in (
        ("Limit", "Soft Limit", "Hard Limit", "Units"),
        ("Max cpu time", "unlimited", "unlimited", "seconds"),
        ("Max file size", "unlimited", "unlimited", "bytes"),
        ("Max data size", "unlimited", "unlimited", "bytes"),
        ("Max stack size", "8388608", "unlimited", "bytes"),
        ("Max core file size", "0", "unlimited", "bytes"),
        ("Max resident set", "unlimited", "unlimited", "bytes"),
        ("Max processes", "unlimited", "unlimited", "processes"),
        ("Max open files", "1048576", "1048576", "files"),
        ("Max locked memory", "8388608", "8388608", "bytes"),
        ("Max address space", "unlimited", "unlimited", "bytes"),
    )
)
