"""A small API for the client's tests: it keeps objects, and a test scripts what goes wrong."""

import asyncio

import msgspec

from cluster.api import errors, objects
from cluster.api.operations import Verb
from cluster.client.transport import Raw, RawEvent, RawPage

encode = msgspec.json.encode
decode = msgspec.json.decode


class FakeApi:
    """Implements the Transport. `failures` are raised by the next calls, one each."""

    def __init__(self):
        self.revision = 0
        self.objects = {}
        self.history = []
        self.batches = []
        self.calls = []
        self.failures = []
        self.latency = 0.0
        self.oldest = 0
        self._changed = asyncio.Event()
        self._end_watches = asyncio.Event()

    def put(self, resource, obj, type=""):
        """Store an object as the server would, and tell watchers."""
        self.revision += 1
        obj = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.revision)}}
        key = resource, objects.namespace(obj), objects.name(obj)
        kind = type or ("MODIFIED" if key in self.objects else "ADDED")
        if kind == "DELETED":
            self.objects.pop(key, None)
        else:
            self.objects[key] = obj
        self.history.append((resource, RawEvent(kind, encode(obj), self.revision)))
        self._notify()
        return obj

    def remove(self, resource, namespace, name):
        self.put(resource, self.objects[resource, namespace, name], "DELETED")

    def bookmark(self, resource):
        self.revision += 1
        self.history.append((resource, RawEvent("BOOKMARK", b"", self.revision)))
        self._notify()

    def compact(self):
        self.oldest = self.revision

    def end_watches(self):
        ended, self._end_watches = self._end_watches, asyncio.Event()
        ended.set()
        self._notify()

    def _notify(self):
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _enter(self, *call):
        self.calls.append(call)
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure

    async def get(self, resource, namespace, name):
        await self._enter("get", resource, name)
        obj = self.objects.get((resource, namespace, name))
        if obj is None:
            raise errors.not_found(resource, name)
        return Raw(encode(obj), objects.revision(obj))

    async def list(self, resource, namespace, *, labels, fields, limit, token):
        await self._enter("list", resource)
        found = [obj for (kind, _, _), obj in self.objects.items() if kind == resource]
        items = [Raw(encode(obj), objects.revision(obj)) for obj in found]
        return RawPage(items, self.revision)

    async def watch(self, resource, namespace, *, revision, labels, fields):
        await self._enter("watch", resource, revision)
        if revision < self.oldest:
            raise errors.expired()
        ended = self._end_watches
        while not ended.is_set():
            news = [e for r, e in self.history if r == resource and e.revision > revision]
            if news:
                revision = news[-1].revision
                yield news
            else:
                await self._changed.wait()

    async def write(self, batch):
        self.batches.append(list(batch))
        await self._enter("write", len(batch))
        return [self._one(operation) for operation in batch]

    def _one(self, operation):
        key = operation.resource, operation.namespace, operation.name
        current = self.objects.get(key)
        if operation.verb is Verb.CREATE:
            if current is not None:
                return errors.already_exists(operation.resource, operation.name)
            new = decode(operation.body)
        elif current is None:
            return errors.not_found(operation.resource, operation.name)
        elif operation.verb is Verb.DELETE:
            self.remove(*key)
            return None
        elif operation.verb is Verb.PATCH:
            new = current | decode(operation.body)
        else:
            new = decode(operation.body)
            if objects.revision(new) not in (0, objects.revision(current)):
                return errors.conflict(operation.resource, operation.name, errors.MODIFIED)
        stored = self.put(operation.resource, new)
        return Raw(encode(stored), self.revision) if operation.want_object else None


def pod(name, namespace="default", **more):
    """A pod with little in it."""
    metadata = {"name": name, "namespace": namespace, "uid": more.pop("uid", f"uid-{name}")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata | more.pop("meta", {}), **more}
