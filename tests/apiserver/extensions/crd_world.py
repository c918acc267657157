"""A registry that serves custom resources, on virtual time, and a definition to play with."""

import asyncio
import copy
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from cluster.aio import clock, tasks
from cluster.api import errors, identity, resources
from cluster.api.objects import Object
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.extensions.controller import DEFINITIONS, Extensions
from cluster.apiserver.registry import Registry
from cluster.storage.memory import MemoryStorage

USER = identity.User("tester", ("system:authenticated",))
WIDGETS = "widgets.example.com"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["color"],
            "properties": {
                "color": {"type": "string", "enum": ["red", "blue"]},
                "size": {"type": "integer", "minimum": 1, "default": 3},
                "replicas": {"type": "integer"},
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {"type": "string"},
                "replicas": {"type": "integer"},
                "selector": {"type": "string"},
            },
        },
    },
}
VERSION: Object = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": SCHEMA},
    "subresources": {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    },
    "additionalPrinterColumns": [
        {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ],
    "selectableFields": [{"jsonPath": ".spec.color"}],
}


def definition(*versions: Object, **spec: Any) -> Object:
    """The definition of widgets.example.com."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": WIDGETS},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [copy.deepcopy(version) for version in versions or (VERSION,)],
            **spec,
        },
    }


def widget(name: str = "a", **spec: Any) -> Object:
    """A widget, red unless told otherwise."""
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"color": "red", **spec},
    }


class World:
    """A registry, its extensions, and verbs that raise."""

    def __init__(self, registry: Registry, store: MemoryStorage) -> None:
        self.registry = registry
        self.store = store
        self.warnings: list[str] = []

    async def do(
        self, verb: Verb, resource: str, obj: Object | bytes, name: str = "", **more: Any
    ) -> Object:
        body = obj if isinstance(obj, bytes) else msgspec.json.encode(obj)
        more.setdefault("namespace", "default")
        operation = Operation(verb, resource, name=name, body=body, **more)
        entry = await self.registry.one(
            operation, USER, lambda _i, text: self.warnings.append(text)
        )
        assert entry is not None
        found: Object = msgspec.json.decode(entry.json)
        return found

    async def create(self, resource: str, obj: Object, **more: Any) -> Object:
        return await self.do(Verb.CREATE, resource, obj, **more)

    async def update(self, resource: str, obj: Object, **more: Any) -> Object:
        return await self.do(Verb.UPDATE, resource, obj, obj["metadata"]["name"], **more)

    async def merge(self, resource: str, name: str, patch: Object, **more: Any) -> Object:
        return await self.do(Verb.PATCH, resource, patch, name, patch_type=MERGE_PATCH, **more)

    async def delete(self, resource: str, name: str, **more: Any) -> Object:
        return await self.do(Verb.DELETE, resource, b"", name, **more)

    async def get(
        self, resource: str, name: str, namespace: str = "default", **more: Any
    ) -> Object:
        found: Object = (await self.registry.get(resource, namespace, name, **more)).document()
        return found

    async def established(self, name: str = WIDGETS) -> Object:
        """The definition, once it is served and says so."""
        return await self.condition(name, "Established", "True")

    async def condition(self, name: str, kind: str, status: str) -> Object:
        watch = await self.registry.watch(DEFINITIONS, fields=f"metadata.name={name}", initial=True)
        async with watch:
            async for batch in watch:
                for event in batch.events:
                    found = msgspec.json.decode(event.json) if event.json else {}
                    for one in (found.get("status") or {}).get("conditions") or ():
                        if (one["type"], one["status"]) == (kind, status):
                            return found  # type: ignore[no-any-return]
        raise AssertionError("the watch ended")

    async def gone(self, resource: str, name: str, namespace: str = "") -> None:
        watch = await self.registry.watch(resource, namespace, initial=True)
        async with watch:
            if self.registry.cache.get(resource, namespace, name) is None:
                return
            async for batch in watch:
                for event in batch.events:
                    if event.type == "DELETED" and event.previous.name == name:
                        return


@asynccontextmanager
async def world(store: MemoryStorage | None = None) -> AsyncIterator[World]:
    store = store if store is not None else MemoryStorage()
    await store.open()
    registry = Registry(
        resources.built_in(),
        store,
        clock=clock.LoopClock(asyncio.get_running_loop(), 1_700_000_000.0),
        random=random.Random(7),
        admission=Chain(),
    )
    await registry.open()
    extensions = Extensions(registry, random.Random(8))
    extensions.open()
    try:
        async with tasks.Group("test") as group:
            group.spawn(extensions.run(), "extensions")
            yield World(registry, store)
            group.cancel()
    finally:
        await registry.close()


def causes(error: errors.StatusError) -> list[str]:
    return [f"{one['field']}: {one['message']}" for one in error.details["causes"]]
