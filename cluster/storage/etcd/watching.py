"""One watch on one member: its events in whole revisions, without gap."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import grpc

from cluster.pb.etcd.v3 import rpc_pb2 as pb
from cluster.storage.etcd import faults
from cluster.storage.etcd.members import Member

_LEADER: Final = (("hasleader", "true"),)
"""etcd ends the watch where its member has lost the others, instead of letting it be silent."""


class Forgotten(Exception):
    """etcd has compacted events that were asked for, up to `revision`."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"etcd has compacted up to {revision}")
        self.revision = revision


async def follow(
    member: Member, key: bytes, end: bytes, since: int, seconds: float
) -> AsyncGenerator[list[Any], None]:
    """Batches of etcd's Events from revision `since` on, for ever; the first batch is empty and
    says that the watch is there.

    A revision is never in two batches. faults.Unanswered where the member is lost, or does not
    begin within `seconds`; Forgotten.
    """
    call = member.watch(metadata=_LEADER)
    try:
        async with asyncio.timeout(seconds):
            await call.write(_creation(key, end, since))
            created = await call.read()
        _checked(created)
        yield []
        held: list[Any] = []
        while True:
            answer = await call.read()
            _checked(answer)
            held.extend(answer.events)
            if held and not answer.fragment:
                batch, held = held, []
                yield batch
    except grpc.aio.AioRpcError as error:
        raise faults.Unanswered(error.details() or error.code().name) from error
    except (asyncio.InvalidStateError, TimeoutError) as error:
        raise faults.Unanswered(f"the watch at {member.server} does not begin") from error
    finally:
        call.cancel()


def _checked(answer: Any) -> None:
    if answer is grpc.aio.EOF:
        raise faults.Unanswered("the watch has ended")
    if answer.compact_revision:
        raise Forgotten(answer.compact_revision)
    if answer.canceled:
        raise faults.Unanswered(answer.cancel_reason or "the watch was ended")


def _creation(key: bytes, end: bytes, since: int) -> pb.WatchRequest:
    return pb.WatchRequest(
        create_request=pb.WatchCreateRequest(
            key=key,
            range_end=end,
            start_revision=since,
            progress_notify=True,
            prev_kv=True,
            fragment=True,
        )
    )
