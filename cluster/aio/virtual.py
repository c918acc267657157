"""An event loop whose time is virtual: it never waits, it jumps to the next timer.

The lab runs on it. There are no threads and no sockets here; anything that would need the real
world (an executor, a selector wait with nothing scheduled) is an error that says so.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class Stuck(RuntimeError):
    """Nothing is ready, no timer is set, and the program waits: it would wait for ever."""


class _JumpingSelector(selectors.SelectSelector):
    """Advances the loop's time by the timeout that it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing is scheduled: every task waits for something that cannot come")
        if timeout > 0:
            self.time += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A single-threaded event loop on virtual time, starting at 0.0 seconds."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.time

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> NoReturn:
        """Refuse: a thread would run on real time."""
        raise RuntimeError(f"no threads on virtual time: {func!r}")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh virtual loop, then cancel what it left behind."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)
