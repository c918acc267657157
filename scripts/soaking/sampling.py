"""What the processes of a cluster take, from /proc and from what they log when they are asked."""

import contextlib
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_SILENT = {"zygote", "supervisor"}
"""Processes that do not tell of their tasks: the zygote has none, and the supervisor is small."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment: seconds since the start, sizes in bytes."""

    at: float
    pid: int
    pss: int
    rss: int
    private: int
    descriptors: int
    threads: int
    tasks: int | None


class Sampler:
    """Looks at the processes of the cluster in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kinds: dict[str, dict[str, int]] = {}
        """The kinds of tasks that each process has, as it last told."""
        self._told: dict[str, int] = {}
        self._read: dict[str, int] = {}

    def processes(self) -> dict[str, int]:
        """Process ids by name."""
        text = (self._folder / "processes.json").read_text()
        return {name: pid for name, (pid, _) in json.loads(text).items()}

    def ask(self) -> None:
        """Let all processes log their tasks. `take` has the answers, some time later."""
        for name, pid in self.processes().items():
            if name not in _SILENT:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGUSR1)

    def take(self, at: float) -> dict[str, Sample]:
        """A sample of each process that is there."""
        found = {}
        for name, pid in self.processes().items():
            self._hear(name)
            with contextlib.suppress(OSError):
                found[name] = self._sample(at, name, pid)
        return found

    def _sample(self, at: float, name: str, pid: int) -> Sample:
        root = Path("/proc") / str(pid)
        sizes = _sizes((root / "smaps_rollup").read_text())
        return Sample(
            at,
            pid,
            sizes["Pss"],
            sizes["Rss"],
            sizes["Private_Clean"] + sizes["Private_Dirty"],
            len(list((root / "fd").iterdir())),
            len(list((root / "task").iterdir())),
            self._told.get(name),
        )

    def _hear(self, name: str) -> None:
        """Read what the process has logged since the last time."""
        log = self._folder / "logs" / f"{name}.log"
        with contextlib.suppress(OSError), log.open("rb") as file:
            file.seek(self._read.get(name, 0))
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read[name] = self._read.get(name, 0) + len(line)
                if b'"event":"tasks"' in line.replace(b'": ', b'":'):
                    told = json.loads(line)
                    self._told[name], self.kinds[name] = told["total"], told["kinds"]


def _sizes(text: str) -> dict[str, int]:
    """The lines of smaps_rollup, in bytes."""
    found = {}
    for line in text.splitlines()[1:]:
        key, _, value = line.partition(":")
        found[key] = int(value.split()[0]) * 1024
    return found
