"""A change as etcd's Txn, and what its answer says. Pure."""

from typing import Any

from cluster.pb.etcd.v3 import rpc_pb2 as pb
from cluster.storage.etcd.keys import Keys
from cluster.storage.interface import Change, Event, Mismatch, Record


def request(change: Change, expected: int, keys: Keys) -> pb.TxnRequest:
    """The Txn that makes `change` where the key is at `expected` and the guards hold; where they
    do not, it reads all of them, so that the answer says which it was.
    """
    name = keys.named(change.key)
    compare = [_is_at(name, expected)]
    otherwise = [_read(name)]
    for guard, revision in change.conditions:
        compare.append(_is_at(keys.named(guard), revision))
        otherwise.append(_read(keys.named(guard)))
    if change.value is None:
        made = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=name))
    else:
        made = pb.RequestOp(request_put=pb.PutRequest(key=name, value=change.value))
    return pb.TxnRequest(compare=compare, success=[made], failure=otherwise)


def mismatch(change: Change, answer: Any) -> Mismatch:
    """Why a Txn changed nothing."""
    found = [one.response_range.kvs for one in answer.responses]
    for (key, revision), read in zip(change.conditions, found[1:], strict=True):
        guard = record(key, read[0]) if read else None
        if revision != (guard.revision if guard else 0):
            return Mismatch(guard, guard=True)
    return Mismatch(record(change.key, found[0][0]) if found[0] else None)


def record(key: str, found: Any) -> Record:
    """A KeyValue as the store has it."""
    return Record(key, found.value, found.mod_revision, found.create_revision)


def event(key: str, told: Any) -> Event:
    """An Event of a watch. `previous` is None, too, where it is compacted already."""
    previous = record(key, told.prev_kv) if told.HasField("prev_kv") else None
    if told.type == pb.Event.DELETE:
        return Event(told.kv.mod_revision, key, None, previous)
    return Event(told.kv.mod_revision, key, record(key, told.kv), previous)


def makes(change: Change, expected: int, heard: Event) -> bool:
    """Whether `heard` is `change`, made where the key was at `expected`.

    Nobody else writes the same bytes over the same state of a key: objects carry a uid, and times
    of who wrote them.
    """
    before = heard.previous.revision if heard.previous is not None else 0
    if before != expected:
        return False
    if heard.record is None:
        return change.value is None
    return heard.record.value == change.value


def _is_at(name: bytes, revision: int) -> pb.Compare:
    return pb.Compare(
        result=pb.Compare.EQUAL, target=pb.Compare.MOD, key=name, mod_revision=revision
    )


def _read(name: bytes) -> pb.RequestOp:
    return pb.RequestOp(request_range=pb.RangeRequest(key=name))
