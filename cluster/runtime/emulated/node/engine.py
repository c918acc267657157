"""A JavaScript engine that runs a script of Node, sans-IO: events in, commands out.

The engine is QuickJS (the extra `node` of the project), in the same thread, with limits: memory,
stack, and CPU time an event. A script that goes beyond one of them has ended (`Overrun`).
"""

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

MEMORY: Final = 48 << 20
STACK: Final = 512 << 10
SECONDS: Final = 0.25
"""CPU time that one event may take: as long do all other containers of the node wait."""
MAX_JOBS: Final = 10_000
_MAX_COMMANDS: Final = 16 << 20


class Missing(Exception):
    """The engine is not installed."""


class Overrun(Exception):
    """The script used more than it may; the message says of what."""


@lru_cache(1)
def _source() -> str:
    return importlib.resources.files(__package__).joinpath("runtime.js").read_text()


class Engine:
    """One script. `given` is what it knows of its world: see `runtime.js`."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        try:
            # Imported here: it is an extra, and few containers need it.
            import quickjs
        except ImportError as error:
            raise Missing from error
        self._context = quickjs.Context()
        self._context.set_memory_limit(MEMORY)
        self._context.set_max_stack_size(STACK)
        self._context.set_time_limit(SECONDS)
        self._faults = (quickjs.JSException,)
        made = self._context.eval(_source())
        self._event = made(self._context.parse_json(json.dumps(given)))

    def event(self, now: float, name: str, *args: Any) -> Sequence[Sequence[Any]]:
        """Tell the script what happened; the commands that it gives. Overrun."""
        try:
            self._event(json.dumps([now, name, *args]))
            for _ in range(MAX_JOBS):
                if not self._context.execute_pending_job():
                    break
            else:
                raise Overrun(f"more than {MAX_JOBS} promises were settled at once")
            text = self._event("")
        except self._faults as fault:
            raise Overrun(_reason(str(fault))) from fault
        if len(text) > _MAX_COMMANDS:
            raise Overrun(f"it said more than {_MAX_COMMANDS >> 20} MiB at once")
        found: Sequence[Sequence[Any]] = json.loads(text)
        return found


def _reason(text: str) -> str:
    if "interrupted" in text:
        return f"it computed for more than {SECONDS} seconds at once"
    if "out of memory" in text or "null" in text:
        return f"JavaScript heap out of memory (the emulated node has {MEMORY >> 20} MiB)"
    return text.splitlines()[0] if text else "the engine failed"
