"""/sys/fs/cgroup: the container's own cgroup, of version 2."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cluster.runtime.vos.proc import tasks
from cluster.runtime.vos.proc.pseudo import Made, file

if TYPE_CHECKING:
    from cluster.runtime.vos.kernel import Kernel


def entries(kernel: "Kernel") -> Mapping[str, Made]:
    """What is in it, by name."""
    shown: dict[str, Callable[[], str]] = {
        "cgroup.controllers": lambda: "cpuset cpu io memory hugetlb pids rdma misc",
        "cgroup.events": lambda: "populated 1\nfrozen 0",
        "cgroup.freeze": lambda: "0",
        "cgroup.max.depth": lambda: "max",
        "cgroup.max.descendants": lambda: "max",
        "cgroup.procs": lambda: _pids(kernel),
        "cgroup.stat": lambda: "nr_descendants 0\nnr_dying_descendants 0",
        "cgroup.subtree_control": lambda: "",
        "cgroup.threads": lambda: _pids(kernel),
        "cgroup.type": lambda: "domain",
        "cpu.max": lambda: _cpu_max(kernel),
        "cpu.max.burst": lambda: "0",
        "cpu.stat": lambda: _cpu_stat(kernel),
        "cpu.weight": lambda: str(kernel.facts().weight),
        "cpuset.cpus": lambda: "",
        "cpuset.cpus.effective": lambda: tasks.cpus(kernel),
        "cpuset.mems.effective": lambda: "0",
        "io.stat": lambda: "",
        "memory.current": lambda: str(kernel.facts().memory_used),
        "memory.events": lambda: "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0",
        "memory.high": lambda: "max",
        "memory.low": lambda: "0",
        "memory.max": lambda: str(kernel.facts().memory_limit or "max"),
        "memory.min": lambda: "0",
        "memory.oom.group": lambda: "1",
        "memory.peak": lambda: str(kernel.facts().memory_used),
        "memory.stat": lambda: _memory_stat(kernel),
        "memory.swap.current": lambda: "0",
        "memory.swap.max": lambda: "0" if kernel.facts().memory_limit else "max",
        "pids.current": lambda: str(len(tasks.pids(kernel))),
        "pids.max": lambda: str(kernel.facts().pids_limit or "max"),
    }
    return {name: file(_line(content)) for name, content in shown.items()}


def _line(content: Callable[[], str]) -> Callable[[], str]:
    def made() -> str:
        text = content()
        return text + "\n" if text else ""

    return made


def _pids(kernel: "Kernel") -> str:
    return "\n".join(str(pid) for pid in tasks.pids(kernel))


def _cpu_max(kernel: "Kernel") -> str:
    facts = kernel.facts()
    return f"{facts.quota if facts.quota > 0 else 'max'} {facts.period}"


def _cpu_stat(kernel: "Kernel") -> str:
    worked = kernel.facts().worked
    return (
        f"usage_usec {worked}\nuser_usec {worked - worked // 4}\nsystem_usec {worked // 4}\n"
        "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\nnr_bursts 0\nburst_usec 0"
    )


def _memory_stat(kernel: "Kernel") -> str:
    used = kernel.facts().memory_used
    return (
        f"anon {used}\nfile 0\nkernel 0\nkernel_stack 0\npagetables 0\nsock 0\nshmem 0\n"
        f"file_mapped 0\nfile_dirty 0\ninactive_anon 0\nactive_anon {used}\ninactive_file 0\n"
        "active_file 0\nunevictable 0\nslab 0\npgfault 0\npgmajfault 0"
    )
