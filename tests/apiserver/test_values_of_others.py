"""What others wrote into the store (`etcdctl put`): read if it is an object, and nothing else
suffers if it is none.
"""

import json

import msgspec
import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors
from cluster.apiserver import codec
from cluster.storage.interface import Change
from cluster.storage.memory import MemoryStorage

TEMPLATE = {"metadata": {"labels": {"app": "x"}}}
OBJECT = {
    "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "template": TEMPLATE,
    "metadata": {"name": "odd", "namespace": "default", "uid": "u", "resourceVersion": "7"},
}  # fmt: skip
SPELLINGS = [
    json.dumps(OBJECT).encode(),
    json.dumps(OBJECT, indent=1).encode(),
    # The first metadata is not that of the object.
    json.dumps(OBJECT, separators=(",", ":")).encode(),
    json.dumps(dict(reversed(OBJECT.items()))).encode(),
]
BROKEN = [
    b"", b"[]", b"null", b"{", b"{}", b'{"apiVersion":"v1","kind":"ConfigMap"}',
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":[]}',
    b'{"apiVersion":"v1","kind":"ConfigMap", "metadata":{}}',
    b'{"apiVersion":1,"kind":"ConfigMap","metadata":{"name":"odd"}}', b"{" * 100_000,
    b'{"a":' * 100_000, b"\xff\xfe",
]  # fmt: skip
KEY = codec.key("configmaps", "default", "odd")


@pytest.mark.parametrize("value", SPELLINGS)
def test_an_object_is_read_however_it_is_spelled(value: bytes) -> None:
    spelled = codec.spelled(value)
    assert spelled is not None
    seen = msgspec.json.decode(codec.with_revision(spelled, 9))
    assert seen == OBJECT | {"metadata": OBJECT["metadata"] | {"resourceVersion": "9"}}
    assert codec.spelled(spelled) is spelled


@pytest.mark.parametrize("value", BROKEN)
def test_what_is_no_object_is_none(value: bytes) -> None:
    assert codec.spelled(value) is None


@pytest.mark.parametrize("running", [False, True], ids=["at the start", "while it runs"])
@pytest.mark.parametrize("value", [*SPELLINGS[:1], *BROKEN[2:6]])
def test_a_server_lives_with_what_others_wrote(value: bytes, running: bool) -> None:
    async def story() -> None:
        store = MemoryStorage()
        await store.open()
        if not running:
            await store.write([Change(KEY, value, 0)])
        async with rw.world(store=store) as world:
            if running:
                await store.write([Change(KEY, value, 0)])
            if value in SPELLINGS:
                entry = await world.registry.get("configmaps", "default", "odd")
                assert msgspec.json.decode(entry.json)["data"] == OBJECT["data"]
            else:
                with pytest.raises(errors.InternalError, match=f'transform key "{KEY}"'):
                    await world.registry.list("configmaps", "default")
            assert (await world.registry.list("configmaps", "kube-system")).items == []
            assert (await world.registry.list("secrets", "default")).items == []

    virtual.run(story())
