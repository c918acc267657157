"""A JavaScript engine that runs a script of Node, sans-IO: events in, commands out.

The engine is QuickJS (the extra `node` of the project), in the same thread, with limits: memory,
stack, and CPU time an event. A script that goes beyond one of them has ended (`Overrun`).

The heap is weighed between events. QuickJS' own limit is what one event cannot go beyond, and not
what should end scripts: where it has no room for an error that a built-in function throws, it calls
itself until the process has no stack left. That, and regular expressions, for which it does not
look at the clock, is why scripts have processes of their own (`host`).
"""

import importlib.resources
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

MEMORY: Final = 48 << 20
"""Bytes of a script's heap between two events."""
_MOST: Final = 2 * MEMORY
"""And within one."""
_NEARLY: Final = _MOST * 3 // 4
"""By how much a process has grown whose script's heap has been full: some of what the heap has, it
had already.
"""
_SELDOM: Final = 64
"""Events after which a heap is weighed that does not grow: it takes as long as two or three."""
FULL: Final = (
    "Reached heap limit Allocation failed - JavaScript heap out of memory "
    f"(the emulated node has {MEMORY >> 20} MiB)"
)
_LOST: Final = '["lost"]'
"""The command that says that the script failed with null: the script's, or the engine's own."""
_THROWN: Final = '["uncaught","Uncaught null"]'
STACK: Final = 512 << 10
SECONDS: Final = 0.25
"""CPU time that one event may take."""
MAX_JOBS: Final = 10_000
_MAX_COMMANDS: Final = 16 << 20


class Missing(Exception):
    """The engine is not installed."""


class Overrun(Exception):
    """The script used more than it may; the message says of what."""


@lru_cache(1)
def _source() -> str:
    return importlib.resources.files(__package__).joinpath("runtime.js").read_text()


def prepare() -> None:
    """Have in memory what every script needs. Missing."""
    _quickjs()
    _source()


def _quickjs() -> Any:
    try:
        # Imported here: it is an extra, and few containers need it.
        import quickjs
    except ImportError as error:
        raise Missing from error
    return quickjs


class Engine:
    """One script. `given` is what it knows of its world: see `runtime.js`; `peak` tells how many
    bytes its process has had at most since it began, where it has one of its own.
    """

    def __init__(self, given: Mapping[str, Any], peak: Callable[[], int] = lambda: 0) -> None:
        quickjs = _quickjs()
        self._context = quickjs.Context()
        self._context.set_memory_limit(_MOST)
        self._context.set_max_stack_size(STACK)
        self._context.set_time_limit(SECONDS)
        self._faults = (quickjs.JSException,)
        made = self._context.eval(_source())
        self._event = made(self._context.parse_json(json.dumps(given)))
        self._peak = peak
        self._size = self._unweighed = 0
        self._due = 1

    def ask(self, now: float, name: str, *args: Any) -> str:
        """Tell the script what happened; the commands that it gives, as JSON. Overrun."""
        try:
            self._event(json.dumps([now, name, *args]))
            for _ in range(MAX_JOBS):
                if not self._context.execute_pending_job():
                    break
            else:
                raise Overrun(f"more than {MAX_JOBS} promises were settled at once")
            text: str = self._event("")
        except self._faults as fault:
            raise Overrun(_reason(str(fault))) from fault
        if _LOST in text:
            text = text.replace(_LOST, '["full"]' if self._peaked() else _THROWN)
        self._weigh()
        if len(text) > _MAX_COMMANDS:
            raise Overrun(f"it said more than {_MAX_COMMANDS >> 20} MiB at once")
        return text

    def _peaked(self) -> bool:
        """Whether the heap has been full: what was thrown may have emptied it since."""
        return self._peak() > _NEARLY

    def _weigh(self) -> None:
        """See how large the heap is, the sooner again the faster it grows. Overrun."""
        self._unweighed += 1
        if self._unweighed < self._due:
            return
        size = self._context.memory()["malloc_size"]
        if size > MEMORY:
            raise Overrun(FULL)
        growth = (size - self._size) / self._unweighed
        soon = int((MEMORY - size) / (2 * growth)) if growth > 0 else _SELDOM
        self._due = min(max(soon, 1), _SELDOM)
        self._size, self._unweighed = size, 0


def _reason(text: str) -> str:
    if "interrupted" in text:
        return f"it computed for more than {SECONDS} seconds at once"
    if "out of memory" in text or "null" in text:
        return FULL
    return text.splitlines()[0] if text else "the engine failed"
