"""Joins the writes of one turn of the loop into one call of the transport.

Coroutines that write in the same turn share a batch, and writes that arrive while the allowed
number of batches is under way wait and share the next one: the busier the client, the larger its
batches. Writes by different leases (`Operation.fence`) never share one. An operation that would
keep its batch waiting (for a webhook) is sent again alone. Batches start in the order of
submission. Writes to one object never overtake each other: one whose object is in a batch under way
waits for that batch's end.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from cluster.aio import tasks
from cluster.api import errors
from cluster.api.operations import Operation
from cluster.client.transport import Alone, Outcome, Raw, Settle

Answer = Raw | errors.StatusError | None
Write = Callable[[Sequence[Operation]], Awaitable[Sequence[Outcome]]]
Send = Callable[[Sequence[Operation], float, Settle], Callable[[], None] | None]
"""See `transport.Pushing.send`."""
_Target = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a Batcher. ValueError where one is not positive.

    `operations` and `size` (bytes of bodies) bound one batch, but for a single operation that is
    larger than `size`, which travels alone. `in_flight` bounds the batches under way, `waiting`
    the operations that are queued, `deadline` (seconds) each call of the transport.
    """

    operations: int = 512
    size: int = 2 << 20
    in_flight: int = 4
    waiting: int = 100_000
    deadline: float = 30.0

    def __post_init__(self) -> None:
        for field in ("operations", "size", "in_flight", "waiting", "deadline"):
            if getattr(self, field) <= 0:
                raise ValueError(f"the batch limit {field} must be positive")


class _Entry:
    """An operation that waits for its answer. `target` is the object that is written, None where
    the server chooses its name.
    """

    __slots__ = ("answer", "operation", "queued", "target")

    def __init__(self, operation: Operation, answer: asyncio.Future[Answer], queued: float) -> None:
        self.operation = operation
        self.answer = answer
        self.queued = queued
        self.target: _Target | None = None
        if operation.name:
            self.target = (operation.resource, operation.namespace, operation.name)


class Batcher:
    """Carries operations in batches. Use it inside `async with`: it owns the carrying tasks.

    Where there is a `send`, it is tried before `write`.
    """

    def __init__(
        self, write: Write, limits: Limits | None = None, *, send: Send | None = None
    ) -> None:
        self._write = write
        self._send = send
        self._sent: dict[int, tuple[list[_Entry], Callable[[], None]]] = {}
        self._number = 0
        self._limits = limits or Limits()
        self._queue: deque[_Entry] = deque()
        self._busy: dict[_Target, None] = {}
        self._in_flight = 0
        self._flushing = False
        self._group: tasks.Group | None = None

    async def __aenter__(self) -> Self:
        self._group = await tasks.Group("batches").__aenter__()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Cancel what is under way and refuse what waits: their writers get ServiceUnavailable."""
        group, self._group = self._group, None
        self._refuse(self._queue, _closed())
        self._queue.clear()
        sent, self._sent = self._sent, {}
        for batch, stop in sent.values():
            stop()
            self._refuse(batch, _closed())
        if group is not None:
            group.cancel()
            await group.__aexit__(None, None, None)

    def enqueue(self, operation: Operation) -> asyncio.Future[Answer]:
        """Queue an operation for this turn's batch; the future gives what became of it.

        The future never fails: an error is a StatusError as its result (TooManyRequests where too
        many wait). Cancelling it takes an operation back that has not left yet, and disturbs no
        other. RuntimeError outside `async with`.
        """
        if self._group is None:
            raise RuntimeError("the client is not open: use it inside `async with`")
        loop = asyncio.get_running_loop()
        entry = _Entry(operation, loop.create_future(), loop.time())
        if len(self._queue) >= self._limits.waiting:
            full = errors.TooManyRequests("too many writes are waiting to be sent", retry_after=1)
            entry.answer.set_result(full)
            return entry.answer
        self._queue.append(entry)
        if not self._flushing:
            self._flushing = True
            loop.call_soon(self._flush)
        return entry.answer

    async def submit(self, operation: Operation) -> Raw | None:
        """Carry out one operation. Raises the StatusError that it met."""
        outcome = await self.enqueue(operation)
        try:
            if isinstance(outcome, errors.StatusError):
                raise outcome
            return outcome
        finally:
            del outcome  # its traceback holds this frame: both would wait for the collector

    def _flush(self) -> None:
        self._flushing = False
        while self._group is not None and self._queue and self._in_flight < self._limits.in_flight:
            batch = self._take()
            if not batch:
                return
            self._in_flight += 1
            if self._send is None or not self._posted(self._send, batch):
                self._group.spawn(self._carry(batch), "carry")

    def _posted(self, send: Send, batch: list[_Entry]) -> bool:
        """Send a batch, whose end is heard of; whether it is one that can be sent."""
        self._number += 1
        number = self._number

        def settle(outcomes: Sequence[Outcome] | Exception) -> None:
            del self._sent[number]
            self._settled(batch, self._answered(batch, outcomes))

        stop = send([entry.operation for entry in batch], self._limits.deadline, settle)
        if stop is None:
            return False
        self._sent[number] = batch, stop
        return True

    def _take(self) -> list[_Entry]:
        """The next batch, which leaves behind those whose object is in a batch under way."""
        batch: list[_Entry] = []
        size = 0
        held: list[_Entry] = []
        oldest = asyncio.get_running_loop().time() - self._limits.deadline
        while self._queue and len(batch) < self._limits.operations:
            entry = self._queue.popleft()
            if entry.answer.done():
                continue
            if entry.queued < oldest:
                entry.answer.set_result(_late(self._limits.deadline))
                continue
            if entry.target in self._busy:
                held.append(entry)
                continue
            size += len(entry.operation.body)
            other = batch and entry.operation.fence is not batch[0].operation.fence
            if other or (batch and size > self._limits.size):
                self._queue.appendleft(entry)
                break
            batch.append(entry)
        self._queue.extendleft(reversed(held))
        self._busy.update((entry.target, None) for entry in batch if entry.target)
        return batch

    async def _carry(self, batch: list[_Entry]) -> None:
        alone: list[_Entry] = []
        try:
            alone = await self._deliver(batch)
        finally:
            self._settled(batch, alone)

    def _settled(self, batch: list[_Entry], alone: list[_Entry]) -> None:
        """A batch is answered: others may follow, and what of it has to be sent `alone`."""
        kept = {entry.target: None for entry in alone}
        self._release([entry for entry in batch if entry.target not in kept])
        self._in_flight -= 1
        self._flush()
        if alone:
            self._send_alone(alone)

    def _send_alone(self, entries: list[_Entry]) -> None:
        """Send operations in batches of their own, beside those under way; those on one object one
        after the other. They are bounded by the queue: each was in it, and its writer waits for it.
        """
        if self._group is None:
            self._refuse(entries, _closed())
            return
        chains: dict[object, list[_Entry]] = {}
        for entry in entries:
            chains.setdefault(entry.target or entry, []).append(entry)
        for chain in chains.values():
            self._group.spawn(self._carry_alone(chain), "carry alone")

    async def _carry_alone(self, chain: list[_Entry]) -> None:
        try:
            for entry in chain:
                await self._deliver([entry])
        except asyncio.CancelledError:
            self._refuse(chain, _closed())
            raise
        finally:
            self._release(chain)
            self._flush()

    async def _deliver(self, batch: list[_Entry]) -> list[_Entry]:
        """Answer every writer of a batch but those whose operations want to be sent alone."""
        deadline = self._limits.deadline
        outcomes: Sequence[Outcome] | Exception
        try:
            async with asyncio.timeout(deadline):
                outcomes = await self._write([entry.operation for entry in batch])
        except asyncio.CancelledError:
            self._refuse(batch, _closed())
            raise
        except Exception as fault:  # noqa: BLE001  (it reaches every writer of the batch)
            outcomes = fault
        return self._answered(batch, outcomes)

    def _answered(
        self, batch: list[_Entry], outcomes: Sequence[Outcome] | Exception
    ) -> list[_Entry]:
        """Give every writer of a batch its answer; those that have none yet are to go alone."""
        alone: list[_Entry] = []
        if not isinstance(outcomes, Exception) and len(outcomes) != len(batch):
            outcomes = RuntimeError(f"{len(outcomes)} outcomes for {len(batch)} operations")
        if isinstance(outcomes, Exception):
            self._refuse(batch, self._failure(outcomes))
            return alone
        for entry, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Alone):
                alone.append(entry)
            elif not entry.answer.done():
                entry.answer.set_result(outcome)
        return alone

    def _release(self, entries: Sequence[_Entry]) -> None:
        """Others may write to these objects again."""
        for entry in entries:
            if entry.target:
                self._busy.pop(entry.target, None)

    def _failure(self, fault: Exception) -> errors.StatusError:
        """What the writers of a batch are told where it was not carried out."""
        if isinstance(fault, TimeoutError):
            return _late(self._limits.deadline)
        if isinstance(fault, errors.StatusError):
            return fault
        return errors.InternalError(f"the write failed: {fault!r}")

    @staticmethod
    def _refuse(entries: Sequence[_Entry] | deque[_Entry], failure: errors.StatusError) -> None:
        # Each writer gets an error of its own: a raised exception gathers its traceback.
        body = failure.status()
        for entry in entries:
            if not entry.answer.done():
                entry.answer.set_result(errors.from_status(body))


def _closed() -> errors.StatusError:
    return errors.ServiceUnavailable("the client was closed before the write was answered")


def _late(deadline: float) -> errors.StatusError:
    return errors.Timeout(f"the write was not answered within {deadline:g} seconds")
