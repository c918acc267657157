"""Writes: one Txn a change, pipelined, and never a doubt about one that etcd did not answer.

An unanswered Txn is tried again as it was. It compares its key with the revision that it is made
over, so at most one of the tries changes anything; where a later try finds the key changed, the
watch tells whether that was an earlier one. Only where neither can be learned in time the writer is
told that nobody knows.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import grpc
import structlog

from cluster.aio import tasks
from cluster.storage.etcd import faults, reading, txns
from cluster.storage.etcd.attempts import Attempt, outcome
from cluster.storage.etcd.hearing import Hearing
from cluster.storage.etcd.keys import Keys
from cluster.storage.etcd.members import Member, Members
from cluster.storage.etcd.settings import Settings
from cluster.storage.interface import Change, Mismatch, Outcome, Unavailable

_log = structlog.get_logger(component="storage")
_WINDOW: Final = 256
"""Changes of one call that are under way at once."""


class Writing:
    """Makes changes, and waits until this server's subscribers have heard of them."""

    def __init__(self, settings: Settings, members: Members, keys: Keys, hearing: Hearing) -> None:
        self._settings = settings
        self._members = members
        self._keys = keys
        self._hearing = hearing
        self._background = tasks.Background("etcd writes", _told_elsewhere)
        self._works: dict[asyncio.Task[list[Outcome]], None] = {}

    async def close(self) -> None:
        """Wait for what is under way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self._settings.patience_seconds):
                for work in list(self._works):
                    await _ended(work)
        self._background.cancel()

    async def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """See `Storage.write`. Unavailable where that is so of every change."""
        work = self._background.spawn(self._all(changes), "write")
        self._works[work] = None
        work.add_done_callback(self._works.pop)
        try:
            results: list[Outcome] = await asyncio.shield(work)
        except asyncio.CancelledError:
            await _ended(work)
            raise
        if results and all(isinstance(result, Unavailable) for result in results):
            raise results[0]  # type: ignore[misc]
        return results

    async def _all(self, changes: Sequence[Change]) -> list[Outcome]:
        results: list[Outcome] = []
        for start in range(0, len(changes), _WINDOW):
            results += await self._window(changes[start : start + _WINDOW])
        await self._hearing.joined()
        return results

    async def _window(self, changes: Sequence[Change]) -> list[Outcome]:
        end = asyncio.get_running_loop().time() + self._settings.patience_seconds
        attempts = [self._started(change, end) for change in changes]
        try:
            return [
                await self._result(change, attempt, end)
                for change, attempt in zip(changes, attempts, strict=True)
            ]
        finally:
            for attempt in attempts:
                if attempt is not None:
                    self._hearing.attempts.remove(attempt)

    def _started(self, change: Change, end: float) -> Attempt | None:
        """The first try of a change; None for one that has to read its key first."""
        if change.expected is None:
            return None
        attempt = Attempt(change, change.expected)
        self._hearing.attempts.add(attempt)
        self._try(attempt, end)
        return attempt

    def _try(self, attempt: Attempt, end: float) -> Member:
        member = self._members.current
        left = end - asyncio.get_running_loop().time()
        request = txns.request(attempt.change, attempt.expected, self._keys)
        seconds = max(min(self._settings.try_seconds, left), 0.01)
        attempt.call = (member, member.begin("Txn", request, seconds))
        return member

    async def _result(self, change: Change, attempt: Attempt | None, end: float) -> Outcome:
        try:
            if attempt is not None:
                return await self._finished(attempt, end)
            return await self._over_whatever(change, end)
        except Unavailable as error:
            return error

    async def _over_whatever(self, change: Change, end: float) -> Outcome:
        """A change that does not care what was there: made over what is there now, or is then."""
        while asyncio.get_running_loop().time() < end:
            current = await reading.get(self._members, self._keys, change.key, 0)
            if current is None and change.value is None and not change.conditions:
                return Mismatch(None)
            attempt = Attempt(change, current.revision if current else 0)
            self._hearing.attempts.add(attempt)
            try:
                self._try(attempt, end)
                result = await self._finished(attempt, end)
            finally:
                self._hearing.attempts.remove(attempt)
            absent = isinstance(result, Mismatch) and result.current is None
            if not isinstance(result, Mismatch) or result.guard:
                return result
            if absent and change.value is None:
                return result
        raise Unavailable(f"{change.key} was written by others all the time")

    async def _finished(self, attempt: Attempt, end: float) -> Outcome:
        """What became of a change, at the latest at `end` (time of the loop). Unavailable."""
        answer = await self._answer(attempt, end)
        try:
            async with asyncio.timeout_at(end):
                if answer.succeeded:
                    revision = answer.header.revision
                    if attempt.change.value is None and not _deleted(answer):
                        return Mismatch(None)
                    waiter = attempt.event(revision)
                    await self._hearing.reach(revision)
                    return outcome(await waiter)
                if attempt.doubted:
                    await self._hearing.reach(answer.header.revision)
                    found = attempt.found()
                    if found is not None:
                        return outcome(found)
        except TimeoutError:
            raise Unavailable(self._untold(attempt, answer)) from None
        return txns.mismatch(attempt.change, answer)

    async def _answer(self, attempt: Attempt, end: float) -> Any:
        """The answer of the first try that has one. Unavailable."""
        loop = asyncio.get_running_loop()
        backoff = self._members.backoff()
        while True:
            member, call = attempt.call
            try:
                return await call
            except grpc.aio.AioRpcError as error:
                fault = faults.judged(error)
            if not isinstance(fault, faults.Unanswered):
                raise Unavailable(self._refusal(attempt, fault))
            attempt.doubted = True
            self._members.leave(member)
            pause = backoff.next()
            if loop.time() + pause >= end:
                raise Unavailable(
                    f"{self._members.silence(fault)}; whether {attempt.change.key} was written "
                    "is not known"
                )
            await asyncio.sleep(pause)
            self._try(attempt, end)

    def _refusal(self, attempt: Attempt, fault: Exception) -> str:
        if not attempt.doubted:
            return str(fault)
        return f"{fault}; whether an earlier try wrote {attempt.change.key} is not known"

    def _untold(self, attempt: Attempt, answer: Any) -> str:
        done = "was written" if answer.succeeded else "may have been written"
        return (
            f"{attempt.change.key} {done} (revision {answer.header.revision} of etcd), but etcd's "
            f"watch did not tell of it within {self._settings.patience_seconds:g} s"
        )


def _deleted(answer: Any) -> bool:
    return bool(answer.responses[0].response_delete_range.deleted)


async def _ended(work: "asyncio.Task[list[Outcome]]") -> None:
    """Wait for the end of a write, whatever it is."""
    with suppress(Exception):
        await asyncio.shield(work)


def _told_elsewhere(_name: str, _error: BaseException) -> None:
    """A write's failure is its writer's, who waits for it."""
