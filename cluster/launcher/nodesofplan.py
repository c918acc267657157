"""Which nodes a plan starts, hollow ones among them."""

from collections.abc import Iterator, Sequence

from cluster.launcher.processes import Process


def names(processes: Sequence[Process]) -> Iterator[str]:
    """The names of the nodes, in the plan's order."""
    for process in processes:
        if process.component != "kubelet":
            continue
        if process.node:
            yield process.node
            continue
        flags = dict(flag.removeprefix("--").split("=", 1) for flag in process.argv if "=" in flag)
        first, count = int(flags["hollow-start"]), int(flags["hollow"])
        yield from (f"{flags['hollow-prefix']}-{number}" for number in range(first, first + count))


def gone(before: Sequence[Process], now: Sequence[Process]) -> list[str]:
    """The nodes that were started before and are not now."""
    known = set(names(now))
    return [name for name in names(before) if name not in known]
