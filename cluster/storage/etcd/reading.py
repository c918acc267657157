"""Reads of etcd: linearizable, now or as of a revision."""

from contextlib import suppress
from typing import Any, Final

import grpc

from cluster.pb.etcd.v3 import rpc_pb2 as pb
from cluster.storage.etcd import faults, txns, watching
from cluster.storage.etcd.keys import COMPACTED, FILLER, Keys
from cluster.storage.etcd.members import Members
from cluster.storage.interface import Compacted, FutureRevision, Range, Record, Unavailable

_PAGE: Final = 500
"""Records in one answer, as kube-apiserver asks for them: objects may have a megabyte each."""


async def newest(members: Members) -> Any:
    """The header of an answer that knows all that was acknowledged before. Unavailable."""
    answer = await members.ask("Range", pb.RangeRequest(key=COMPACTED, count_only=True))
    return answer.header


async def get(members: Members, keys: Keys, key: str, revision: int) -> Record | None:
    """See `Storage.get`."""
    asked = pb.RangeRequest(key=keys.named(key), revision=revision)
    answer = await _range(members, asked)
    return txns.record(key, answer.kvs[0]) if answer.kvs else None


async def read(
    members: Members, keys: Keys, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
) -> Range:
    """See `Storage.range`. All pages are of one revision."""
    start, end = keys.span(prefix, after)
    records: list[Record] = []
    as_of = revision
    while True:
        size = min(limit - len(records), _PAGE) if limit else _PAGE
        asked = pb.RangeRequest(key=start, range_end=end, revision=as_of, limit=size)
        answer = await _range(members, asked)
        as_of = as_of or answer.header.revision
        for found in answer.kvs:
            key = keys.known(found.key)
            if key is not None:
                records.append(txns.record(key, found))
        left = answer.count - len(answer.kvs)
        if not answer.more or not answer.kvs or (limit and len(records) >= limit):
            return Range(records, as_of, left if limit else 0)
        start = answer.kvs[-1].key + b"\0"


async def oldest(members: Members, asked: int) -> int:
    """The oldest revision that can be read, `asked` being compacted."""
    follow = watching.follow(members.current, COMPACTED, b"", max(asked, 1), 3.0)
    try:
        await anext(follow)
    except watching.Forgotten as error:
        return error.revision
    except faults.Unanswered:
        return asked + 1
    finally:
        await follow.aclose()
    return asked + 1


async def _range(members: Members, asked: pb.RangeRequest) -> Any:
    try:
        return await members.ask("Range", asked)
    except faults.Past:
        raise Compacted(asked.revision, await oldest(members, asked.revision)) from None
    except faults.Future:
        header = await newest(members)
        raise FutureRevision(asked.revision, header.revision) from None


async def compact(members: Members, revision: int) -> None:
    """See `Storage.compact`."""
    try:
        await members.ask("Compact", pb.CompactionRequest(revision=revision))
    except faults.Past:
        return
    except faults.Future:
        header = await newest(members)
        raise FutureRevision(revision, header.revision) from None


async def check(members: Members) -> None:
    """Return when etcd takes work. Unavailable where it does not, or says that it is full."""
    await newest(members)
    alarms = (await members.ask("Alarm", pb.AlarmRequest(action=pb.AlarmRequest.GET))).alarms
    kinds = {alarm.alarm for alarm in alarms}
    if pb.NOSPACE in kinds:
        raise Unavailable(faults.NO_SPACE)
    if pb.CORRUPT in kinds:
        raise Unavailable("etcd says that a member's data is damaged (alarm CORRUPT)")


async def disarm(members: Members) -> None:
    """End the alarm NOSPACE of all members."""
    alarms = (await members.ask("Alarm", pb.AlarmRequest(action=pb.AlarmRequest.GET))).alarms
    for alarm in alarms:
        if alarm.alarm == pb.NOSPACE:
            end = pb.AlarmRequest(
                action=pb.AlarmRequest.DEACTIVATE, memberID=alarm.memberID, alarm=pb.NOSPACE
            )
            await members.ask("Alarm", end)


async def advance(members: Members, revision: int) -> None:
    """Write to a key of nobody until the store is at `revision`, hundreds of writes at a time."""
    put = pb.PutRequest(key=FILLER, value=b"")
    request = pb.TxnRequest(success=[pb.RequestOp(request_put=put)])
    while (missing := revision - (await newest(members)).revision) > 0:
        calls = [members.current.begin("Txn", request, 5.0) for _ in range(min(missing, 500))]
        for call in calls:
            with suppress(grpc.aio.AioRpcError):  # the revision tells how many were made
                await call
