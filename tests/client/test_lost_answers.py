"""Writes whose answer was lost with a server are looked up, repeated only where that harms none."""

import msgspec
import pytest

from cluster.aio import virtual
from cluster.api import errors
from cluster.api.operations import JSON_PATCH, MERGE_PATCH, Operation, Verb
from cluster.client import lostanswers
from cluster.client.transport import Raw


class Api:
    """One object or none, and the writes that were repeated."""

    def __init__(self, obj):
        self.obj = obj
        self.repeated = []

    async def get(self, resource, namespace, name):
        if self.obj is None:
            raise errors.not_found(resource, name)
        return Raw(msgspec.json.encode(self.obj), 7)

    async def write(self, batch):
        self.repeated += batch
        return [None] * len(batch)


def obj(uid="u", revision="7", data=None, **meta):
    found = {"metadata": {"name": "x", "uid": uid, "resourceVersion": revision, **meta}}
    return found | ({"data": data} if data is not None else {})


def operation(verb, body=None, subresource="", patch_type="", name="x"):
    encoded = msgspec.json.encode(body) if body is not None else b""
    return Operation(verb, "configmaps", "default", name, subresource, encoded, patch_type)


MINE = {"metadata": {"name": "x"}, "data": {"a": "1"}}
READ = {"metadata": {"name": "x", "uid": "u", "resourceVersion": "6"}, "data": {"a": "1"}}
BY_UID = {"preconditions": {"uid": "u"}}
BOUND = {"metadata": {"name": "x"}, "spec": {"nodeName": "n1"}}
BIND = {"metadata": {"name": "x"}, "target": {"kind": "Node", "name": "n1"}}
CASES = {
    "a create that was made": (operation(Verb.CREATE, MINE), obj(data={"a": "1"}), "done"),
    "a create that was not": (operation(Verb.CREATE, MINE), None, "repeated"),
    "a name that somebody else took": (operation(Verb.CREATE, MINE), obj(data={}), "repeated"),
    "a name that the server would choose": (
        operation(Verb.CREATE, {"metadata": {"generateName": "x"}}, name=""), None, "unknown"),
    "an update that was made": (operation(Verb.UPDATE, READ), obj(data={"a": "1"}), "done"),
    "an update that was not": (operation(Verb.UPDATE, READ), obj(data={"a": "0"}), "repeated"),
    "an update of whatever is there": (
        operation(Verb.UPDATE, MINE), obj(data={"a": "0"}), "unknown"),
    "a patch that was made": (
        operation(Verb.PATCH, {"data": {"a": "1", "b": None}}, patch_type=MERGE_PATCH),
        obj(data={"a": "1", "c": "2"}), "done"),
    "a patch that another may have undone": (
        operation(Verb.PATCH, {"data": {"a": "1"}}, patch_type=MERGE_PATCH),
        obj(data={"a": "2"}), "unknown"),
    "a patch of steps": (
        operation(Verb.PATCH, {}, patch_type=JSON_PATCH), obj(), "unknown"),
    "a binding that was made": (operation(Verb.CREATE, BIND, "binding"), BOUND, "done"),
    "a binding that was not": (operation(Verb.CREATE, BIND, "binding"), obj(), "repeated"),
    "a deletion that was made": (operation(Verb.DELETE, BY_UID), obj(uid="new"), "done"),
    "a deletion that has begun": (
        operation(Verb.DELETE, BY_UID), obj(deletionTimestamp="now"), "done"),
    "a deletion that was not": (operation(Verb.DELETE, BY_UID), obj(), "repeated"),
    "a deletion of whatever has the name": (operation(Verb.DELETE), obj(), "unknown"),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "there", "wanted"), CASES.values(), ids=[*CASES])
def test_what_became_of_it(sent, there, wanted):
    api = Api(there)

    async def main():
        (outcome,) = await lostanswers.settled([sent], api)
        return outcome

    outcome = virtual.run(main())
    assert (api.repeated == [sent]) == (wanted == "repeated")
    assert isinstance(outcome, errors.ServiceUnavailable) == (wanted == "unknown")
    if wanted == "done":
        assert isinstance(outcome, Raw)


def test_only_what_may_be_repeated_is_and_answers_keep_their_order():
    api = Api(None)
    sent = [operation(Verb.PATCH, {}, patch_type=MERGE_PATCH), operation(Verb.CREATE, MINE)]

    async def main():
        return await lostanswers.settled(sent, api)

    first, second = virtual.run(main())
    assert isinstance(first, errors.NotFound)
    assert second is None
    assert api.repeated == [sent[1]]
