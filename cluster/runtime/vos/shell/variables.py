"""Variables that a shell has by itself, until somebody sets them."""

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cluster.runtime.vos.kernel import Process
from cluster.runtime.vos.shell.state import State

_VERSION: Final = ("5", "2", "37", "1", "release", "x86_64-pc-linux-gnu")
"""bash's, as BASH_VERSINFO has it."""


def give(state: State, process: Process) -> None:
    """Let a shell of this process have them."""
    clock = process.kernel.clock
    begin = clock.now()
    draw = lru_cache(1)(
        lambda: random.Random(f"{process.kernel.hostname}/{process.pid}/{begin}")  # noqa: S311
    )
    found: dict[str, Callable[[], str]] = {
        "RANDOM": lambda: str(draw().randrange(1 << 15)),
        "SECONDS": lambda: str(int(clock.now() - begin)),
        "EPOCHSECONDS": lambda: str(int(clock.now())),
        "PPID": lambda: str(process.parent),
    }
    if state.bash:
        found |= _bash(process)
        for place, value in enumerate(_VERSION):
            state.put_element("BASH_VERSINFO", place, value)
    state.dynamic = found


def _bash(process: Process) -> dict[str, Callable[[], str]]:
    major, minor, patch, build, status, machine = _VERSION
    return {
        "BASH": lambda: "/bin/bash",
        "BASH_VERSION": lambda: f"{major}.{minor}.{patch}({build})-{status}",
        "BASHPID": lambda: str(process.pid),
        "EUID": lambda: str(process.who.uid),
        "HOSTTYPE": lambda: machine.partition("-")[0],
        "MACHTYPE": lambda: machine,
        "OSTYPE": lambda: "linux-gnu",
        "UID": lambda: str(process.who.uid),
    }
