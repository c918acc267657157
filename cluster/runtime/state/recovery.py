"""What a machine is when it comes back: made of what its state says that ran. Pure.

`reboot` is what a machine does that was switched off and on: containerd finds no task of what ran,
so containers have exited (255, `Unknown`), sandboxes are not ready, and the kubelet makes others.
`resume` is a machine that nobody could see for a while: what ran runs on. `empty` is another
machine with the same name.

Source of the reboot's words: loadContainer and loadSandbox of containerd's CRI plugin.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from cluster.runtime.records import State
from cluster.runtime.state import entries
from cluster.runtime.state.entries import Box, Fate, Made

UNKNOWN_EXIT_CODE: Final = 255
UNKNOWN_EXIT_REASON: Final = "Unknown"
"""unknownExitCode and unknownExitReason of containerd."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was there: sandboxes and containers by id, in the order in which they were made."""

    node: str = ""
    last_time: int = 0
    pod_cidr: str = ""
    images: tuple[str, ...] = ()
    sandboxes: dict[str, Box] = field(default_factory=dict)
    containers: dict[str, tuple[Made, Fate]] = field(default_factory=dict)


def read(payloads: Sequence[bytes]) -> Known:
    """What the records of a journal come to. entries.Unreadable."""
    node, last_time, pod_cidr = "", 0, ""
    images: tuple[str, ...] = ()
    sandboxes: dict[str, Box] = {}
    containers: dict[str, tuple[Made, Fate]] = {}
    for entry in map(entries.decode, payloads):
        match entry:
            case entries.Machine():
                node, last_time = entry.node, entry.last_time
            case entries.Network():
                pod_cidr = entry.pod_cidr
            case entries.Image():
                images = entry.names
            case Box():
                sandboxes[entry.id] = entry
            case entries.Stopped(id) if id in sandboxes:
                sandboxes[id] = msgspec.structs.replace(sandboxes[id], ready=False)
            case Made() if entry.sandbox in sandboxes:
                containers[entry.id] = entry, Fate(entry.id, int(State.CREATED))
            case Fate() if entry.id in containers:
                containers[entry.id] = containers[entry.id][0], entry
            case entries.Gone(id):
                containers.pop(id, None)
                if sandboxes.pop(id, None) is not None:
                    containers = {
                        key: made for key, made in containers.items() if made[0].sandbox != id
                    }
    last_time = max([last_time, *_times(sandboxes.values(), containers.values())])
    return Known(node, last_time, pod_cidr, images, sandboxes, containers)


def _times(boxes: Iterable[Box], containers: Iterable[tuple[Made, Fate]]) -> Iterable[int]:
    for box in boxes:
        yield box.created_at
    for made, fate in containers:
        yield from (made.created_at, fate.started_at, fate.finished_at)


def rebooted(known: Known, now: int) -> Known:
    """The same after a reboot at `now` (nanoseconds since the epoch)."""
    sandboxes = {
        box.id: msgspec.structs.replace(box, ready=False) for box in known.sandboxes.values()
    }
    containers = {
        made.id: (made, _ended(fate, now) if fate.state == State.RUNNING else fate)
        for made, fate in known.containers.values()
    }
    return replace(known, sandboxes=sandboxes, containers=containers)


def _ended(fate: Fate, now: int) -> Fate:
    return msgspec.structs.replace(
        fate, state=int(State.EXITED), finished_at=now, exit_code=UNKNOWN_EXIT_CODE,
        reason=UNKNOWN_EXIT_REASON,
    )  # fmt: skip
