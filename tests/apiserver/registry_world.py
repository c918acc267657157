"""A registry over memory on virtual time, and short ways to write to it."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import asynccontextmanager

import msgspec

from cluster.aio import clock, tasks
from cluster.api import errors, identity, resources
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache.cache import Limits
from cluster.storage import interface as storage
from cluster.storage.memory import MemoryStorage

EPOCH = 1_700_000_000.0
USER = identity.User("tester", ("system:authenticated",))


class LateStorage(MemoryStorage):
    """Takes its time before it makes a change, so that writes overtake each other."""

    def __init__(self, seconds: float = 0.01) -> None:
        super().__init__()
        self.seconds = seconds
        self.calls = 0

    async def write(
        self, changes: Sequence[storage.Change]
    ) -> list[storage.Record | storage.Deleted | storage.Mismatch]:
        self.calls += 1
        await asyncio.sleep(self.seconds)
        return await super().write(changes)


class World:
    """A registry, and verbs that raise."""

    def __init__(self, registry: Registry, store: MemoryStorage, group: tasks.Group) -> None:
        self.registry = registry
        self.store = store
        self.group = group

    async def do(self, operation: Operation):
        (result,) = await self.registry.write([operation], USER)
        if isinstance(result, errors.StatusError):
            raise result
        return result

    async def create(self, resource, obj, namespace="default", **more):
        entry = await self.do(create(resource, obj, namespace, **more))
        return msgspec.json.decode(entry.json)

    async def update(self, resource, obj, subresource=""):
        meta = obj["metadata"]
        entry = await self.do(
            Operation(
                Verb.UPDATE, resource, meta.get("namespace", ""), meta["name"], subresource,
                msgspec.json.encode(obj),
            )
        )  # fmt: skip
        return msgspec.json.decode(entry.json)

    async def patch(self, resource, name, body, namespace="default", subresource=""):
        entry = await self.do(patch(resource, name, body, namespace, subresource))
        return msgspec.json.decode(entry.json)

    async def delete(self, resource, name, namespace="default", **options):
        entry = await self.do(delete(resource, name, namespace, **options))
        return msgspec.json.decode(entry.json)

    async def get(self, resource, name, namespace="default", **more):
        entry = await self.registry.get(resource, namespace, name, **more)
        return msgspec.json.decode(entry.json)

    async def exists(self, resource, name, namespace="default") -> bool:
        try:
            await self.registry.get(resource, namespace, name)
        except errors.NotFound:
            return False
        return True


@asynccontextmanager
async def world(
    store: MemoryStorage | None = None,
    seed: int = 1,
    limits: Limits | None = None,
    admission: Chain | None = None,
):
    """An open registry."""
    store = store or MemoryStorage()
    await store.open()
    registry = Registry(
        resources.built_in(),
        store,
        clock=clock.LoopClock(asyncio.get_running_loop(), EPOCH),
        random=random.Random(seed),
        limits=limits,
        admission=admission,
    )
    await registry.open()
    try:
        async with tasks.Group("test") as group:
            yield World(registry, store, group)
    finally:
        await registry.close()


def create(resource, obj, namespace="default", **more) -> Operation:
    name = obj.get("metadata", {}).get("name", "")
    return Operation(Verb.CREATE, resource, namespace, name, body=msgspec.json.encode(obj), **more)


def patch(resource, name, body, namespace="default", subresource="") -> Operation:
    return Operation(
        Verb.PATCH, resource, namespace, name, subresource, msgspec.json.encode(body), MERGE_PATCH
    )


def delete(resource, name, namespace="default", **options) -> Operation:
    body = msgspec.json.encode(options) if options else b""
    return Operation(Verb.DELETE, resource, namespace, name, body=body)


def config_map(name: str = "", **data: str):
    return {"metadata": {"name": name} if name else {}, "data": data}


def pod(name: str = "web", node: str = "", **meta):
    spec = {"containers": [{"name": "main", "image": "nginx"}]}
    if node:
        spec["nodeName"] = node
    return {"metadata": {"name": name, **meta}, "spec": spec}
