"""Tasks with owners: who starts tasks, hears of their failures and ends them in order.

`asyncio.TaskGroup` keeps its children in a set, so the order in which it cancels them varies from
run to run; and it cannot be handed to an object that lives longer than one `async with` block.
`Group` keeps creation order, which the lab needs, and serves both uses. `Background` is for
objects that have no block at all: they begin and end by calls, and their tasks fail one by one.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Self


class Group:
    """Owns tasks. The first child that fails cancels its siblings and ends the `async with`.

    Inside `async with Group("kubelet") as group:` call `group.spawn(coro, name)`. Leaving the
    block normally waits for all children; leaving it by an exception or cancellation cancels them
    in creation order and waits for their end. A child's failure is raised from the block.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._children: dict[asyncio.Task[Any], None] = {}
        self._failures: list[BaseException] = []
        self._owner: asyncio.Task[Any] | None = None
        self._closing = False
        self._cancelled_owner = False

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        return self

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start `coro` as a child named `<group>/<name>`. RuntimeError after the group closed."""
        if self._closing or self._owner is None:
            coro.close()
            raise RuntimeError(f"group {self.name} is not open; cannot start {name}")
        loop = asyncio.get_running_loop()
        task = loop.create_task(coro, name=f"{self.name}/{name}")
        self._children[task] = None
        task.add_done_callback(self._child_done)
        return task

    def cancel(self) -> None:
        """Cancel all children, in creation order. The group stays open."""
        for task in list(self._children):
            task.cancel()

    def __len__(self) -> int:
        return len(self._children)

    def _child_done(self, task: asyncio.Task[Any]) -> None:
        self._children.pop(task, None)
        if task.cancelled():
            return
        failure = task.exception()
        if failure is None:
            return
        self._failures.append(failure)
        if not self._closing and self._owner is not None and not self._cancelled_owner:
            self._cancelled_owner = True
            self._owner.cancel()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is not None:
            self._closing = True
            self.cancel()
        cancelled = await self._drain(isinstance(error, asyncio.CancelledError))
        self._closing = True
        if self._cancelled_owner and self._owner is not None:
            # Our own cancellation is taken back; what remains came from outside.
            cancelled = self._owner.uncancel() > 0 and cancelled
        failures, self._failures = self._failures, []
        raised: BaseException | None = None
        try:
            if error is not None and isinstance(error, asyncio.CancelledError) == cancelled:
                self._note(error, failures)
                return False
            raised = self._of_its_own(failures, cancelled=cancelled)
            if raised is not None:
                raise raised
            return self._cancelled_owner
        finally:
            del raised, failures  # with a traceback that holds this frame, till the collector comes

    def _of_its_own(
        self, failures: list[BaseException], *, cancelled: bool
    ) -> BaseException | None:
        """What the block raises where it has not failed by itself."""
        if cancelled:
            ended = asyncio.CancelledError()
            self._note(ended, failures)
            return ended
        if not failures:
            return None
        first, *others = failures
        self._note(first, others)
        return first

    def _note(self, error: BaseException, failures: Iterable[BaseException]) -> None:
        """Failures that `error` hides are told of with it: no error is lost in silence."""
        for failure in failures:
            error.add_note(f"in group {self.name}, as well: {failure!r}")

    async def _drain(self, cancelled: bool) -> bool:
        """Wait for every child to end; say whether the owner was cancelled meanwhile."""
        while self._children:
            child = next(iter(self._children))
            waiter = asyncio.get_running_loop().create_future()
            child.add_done_callback(functools.partial(_wake, waiter))
            try:
                await waiter
            except asyncio.CancelledError:
                cancelled = True
                self._closing = True
                self.cancel()
        return cancelled


def _wake(waiter: asyncio.Future[None], _child: asyncio.Task[Any]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Background:
    """Owns tasks that have nothing to do with each other: `failed(name, error)` hears of each that
    fails, and the others go on. It costs nothing while it has none. Whoever has it calls `cancel`
    at his own end.
    """

    def __init__(self, name: str, failed: Callable[[str, BaseException], None]) -> None:
        self.name = name
        self._failed = failed
        self._children: dict[asyncio.Task[Any], None] = {}

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start `coro` as a task named `<background>/<name>`."""
        task = asyncio.get_running_loop().create_task(coro, name=f"{self.name}/{name}")
        self._children[task] = None
        task.add_done_callback(self._done)
        return task

    def cancel(self) -> None:
        """Cancel all, in creation order."""
        for task in list(self._children):
            task.cancel()

    def __len__(self) -> int:
        return len(self._children)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._children.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._failed(task.get_name(), error)
