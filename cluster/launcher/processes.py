"""A process of a cluster, as data: what the plan says and the supervisor carries out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Process:
    """One process: the `kubemu` command with `argv`, logging to the file `log`.

    `after` names the processes that it depends on. They start at the same time, for everybody
    retries; but they are stopped later. A process says by `NOTIFY_SOCKET` that it is ready.
    """

    name: str
    component: str
    argv: tuple[str, ...]
    log: str
    node: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The processes of a cluster and where their supervisor listens (paths of unix sockets)."""

    cluster: str
    control: str
    notify: str
    processes: tuple[Process, ...]

    def encode(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), indent=1).encode()


def decode(content: bytes) -> Plan:
    """The plan that `Plan.encode` wrote."""
    found: dict[str, Any] = json.loads(content)
    processes = tuple(_process(entry) for entry in found.pop("processes"))
    return Plan(**found, processes=processes)


def rounds(processes: Iterable[Process]) -> list[list[Process]]:
    """In what rounds to stop: first those that nobody depends on, at last those all depend on."""
    left = {process.name: process for process in processes}
    result = []
    while left:
        needed = {name for process in left.values() for name in process.after}
        free = [process for name, process in left.items() if name not in needed]
        if not free:
            raise ValueError(f"these processes depend on each other: {', '.join(left)}")
        result.append(free)
        for process in free:
            del left[process.name]
    return result


def _process(entry: dict[str, Any]) -> Process:
    sequences: dict[str, Sequence[str]] = {key: entry.pop(key) for key in ("argv", "after")}
    return Process(**entry, argv=tuple(sequences["argv"]), after=tuple(sequences["after"]))
