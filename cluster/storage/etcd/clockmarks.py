"""When revisions were made, kept in etcd itself: as the history of one small key.

Each server remembers when it heard of what (`Hearing.times`); now and then one of them writes
`revision seconds` to the key. So a server that starts knows the time of what happened before, as
far back as etcd keeps history, by steps of `EVERY` seconds.
"""

import asyncio
from contextlib import aclosing
from typing import Final

import structlog

from cluster.aio.clock import Clock
from cluster.pb.etcd.v3 import rpc_pb2 as pb
from cluster.storage.etcd import faults, watching
from cluster.storage.etcd.hearing import Hearing, clocked
from cluster.storage.etcd.keys import CLOCK
from cluster.storage.etcd.members import Members
from cluster.storage.interface import Unavailable

EVERY: Final = 10.0
_LOAD_SECONDS: Final = 5.0
_log = structlog.get_logger(component="storage")


class ClockMarks:
    """Reads and writes the marks of one etcd."""

    def __init__(self, members: Members, hearing: Hearing, clock: Clock | None) -> None:
        self._members = members
        self._hearing = hearing
        self._clock = clock

    async def load(self) -> None:
        """Learn what the marks say of the time before this server began."""
        found = (await self._members.ask("Range", pb.RangeRequest(key=CLOCK))).kvs
        if not found:
            return
        last, since = found[0].mod_revision, 1
        for _ in range(2):  # the second time from where history begins
            if last <= since:
                self._note(found[0].value)
                return
            try:
                async with asyncio.timeout(_LOAD_SECONDS):
                    await self._read(since, last)
                return
            except watching.Forgotten as error:
                self._hearing.forget(error.revision)
                since = error.revision
            except (faults.Unanswered, TimeoutError) as error:
                _log.warning("times of the past are not known", error=str(error))
                return

    async def _read(self, since: int, last: int) -> None:
        follow = watching.follow(self._members.watched, CLOCK, b"", since, _LOAD_SECONDS)
        async with aclosing(follow):
            async for batch in follow:
                for told in batch:
                    self._note(told.kv.value)
                if batch and batch[-1].kv.mod_revision >= last:
                    return

    def _note(self, value: bytes) -> None:
        revision, seconds = clocked(value)
        if seconds:
            self._hearing.times.note(revision, seconds)
            self._hearing.marked = revision, seconds

    async def keep(self) -> None:
        """Write marks, as long as something happens and no other server does."""
        while self._clock is not None:
            await asyncio.sleep(EVERY / 2)
            now, ours = self._clock.now(), self._hearing.ours
            marked, at = self._hearing.marked
            if ours <= marked or now - at < EVERY:
                continue
            put = pb.PutRequest(key=CLOCK, value=b"%d %.3f" % (ours, now))
            request = pb.TxnRequest(success=[pb.RequestOp(request_put=put)])
            try:
                await self._members.ask("Txn", request)
                self._hearing.marked = ours, now
            except Unavailable as error:
                _log.warning("the time of a revision was not noted", error=str(error))
