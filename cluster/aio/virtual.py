"""An event loop whose time is virtual: it never waits, it jumps to the next timer.

The lab runs on it. There are no threads, no sockets and no signals here; anything that would need
the real world is an error that says so. What runs next is settled by the program alone: timers of
one moment run in the order in which they were set, and what is left at the end is cancelled in the
order in which it was started.
"""

import asyncio
import contextlib
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import CodeType
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAX_TURNS = 500_000
"""Turns of the loop without time passing, after which the program is taken to be in a circle."""

_MIN_CANCELLED = 100


class Stuck(RuntimeError):
    """The program cannot go on: all wait for what cannot come, or they go round in a circle."""


_context: Final = contextvars.copy_context


class _Handle(asyncio.Handle):
    """A callback that is due, made in the fewest steps: several are made for each write."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = context if context is not None else _context()
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """A callback of later, made in the fewest steps."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = context if context is not None else _context()
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = True  # it asks to hear of cancel

    def cancel(self) -> None:
        """Do not call back: what TimerHandle.cancel does, without its calls.

        It may wait for days until it is taken out, and keeps nothing that long.
        """
        if not self._cancelled:
            self._loop._timer_handle_cancelled(self)  # type: ignore[attr-defined]  # noqa: SLF001
            self._cancelled = True
            self._callback = self._args = self._context = None  # type: ignore[assignment]


class VirtualLoop(asyncio.BaseEventLoop):
    """A single-threaded event loop on virtual time, starting at 0.0 seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._turns = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._sequence = 0
        self._cancelled_timers = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._prune_at = 1000

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back when time has come to `when`; of one moment, in the order of these calls."""
        timer = _Timer(when, callback, args, self, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, timer))
        return timer

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back `delay` seconds from now."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call back in the next turn, in the order of these calls."""
        if self._closed or self._debug:  # type: ignore[attr-defined]
            return super().call_soon(callback, *args, context=context)
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """A task, remembered in the order of creation as long as it lives."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        if len(self._tasks) > self._prune_at:
            self._prune_at = 1000 + 2 * len(self.living())
        return task

    def living(self) -> list[asyncio.Task[Any]]:
        """The tasks that have not ended, in the order of creation."""
        self._tasks = [task for task in self._tasks if not task.done()]
        return list(self._tasks)

    async def end_leftovers(self) -> None:
        """Cancel every other living task, in the order of creation, and wait for their end.

        The failure of one in ending is shown by the loop's exception handler.
        """
        mine = asyncio.current_task()
        while left := [task for task in self.living() if task is not mine]:
            for task in left:
                task.cancel()
            for failure in await asyncio.gather(*left, return_exceptions=True):
                if isinstance(failure, Exception):
                    report = {"message": "a task failed while it was ended", "exception": failure}
                    self.call_exception_handler(report)

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> NoReturn:
        """Refuse: a thread would run on real time."""
        raise RuntimeError(f"no threads on virtual time: {func!r}")

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        timers = self._timers
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            self._jump()
        now = self._now
        while timers and timers[0][0] <= now:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001
            if timer._cancelled:  # noqa: SLF001
                self._cancelled_timers -= 1
            else:
                ready.append(timer)
        self._turns += 1
        if self._turns > MAX_TURNS:
            self._turns = 0
            raise Stuck(f"no time passes after {MAX_TURNS} turns:{self._story()}")
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:  # noqa: SLF001  (as BaseEventLoop does)
                continue
            try:  # what Handle._run does, without its call
                handle._context.run(handle._callback, *handle._args)  # noqa: SLF001
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001  (it reaches the loop's handler)
                self._failed(handle, error)

    def _failed(self, handle: asyncio.Handle, error: BaseException) -> None:
        """Tell of a callback that raised, as Handle._run does."""
        text = f"Exception in callback {handle!r}"
        self.call_exception_handler({"message": text, "exception": error, "handle": handle})

    def _jump(self) -> None:
        """Let time pass until the next timer."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:  # noqa: SLF001
            heapq.heappop(timers)
            self._cancelled_timers -= 1
        if not timers:
            raise Stuck(
                "nothing is scheduled: every task waits for something that cannot come:"
                + self._story()
            )
        if timers[0][0] > self._now:
            self._now = timers[0][0]
            self._turns = 0

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Count a cancelled timer; throw them out where they are the larger part."""
        if not handle._scheduled:  # type: ignore[attr-defined]  # noqa: SLF001
            return
        self._cancelled_timers += 1
        if self._cancelled_timers > _MIN_CANCELLED + len(self._timers) // 2:
            # The handle that is being cancelled does not say so yet: it stays until next time.
            self._timers[:] = [entry for entry in self._timers if not entry[2].cancelled()]
            heapq.heapify(self._timers)
            self._cancelled_timers = 1

    def _write_to_self(self) -> None:
        """There is no other thread to be woken from a wait: there are no waits."""

    def _story(self) -> str:
        return "".join(f"\n  {task.get_name()} at {_place(task)}" for task in self.living())


def _place(task: asyncio.Task[Any]) -> str:
    """Where a task waits: the innermost coroutine's function and line."""
    inner: Any = task.get_coro()
    place = "its start"
    while inner is not None:
        code: CodeType | None = getattr(inner, "cr_code", None) or getattr(inner, "ag_code", None)
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "ag_frame", None)
        if code is not None and frame is not None:
            place = f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})"
        inner = getattr(inner, "cr_await", None) or getattr(inner, "ag_await", None)
    return place


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh virtual loop, then cancel what it left behind."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main)
        finally:
            with contextlib.suppress(Stuck):
                runner.run(loop.end_leftovers())
