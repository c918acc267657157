"""An API in memory for programs of pods: lists, watches, writes; and objects to put there."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from cluster.api import errors, objects, selectors
from cluster.api.operations import Operation, Verb
from cluster.client.transport import Outcome, Raw, RawEvent, RawPage

_encode = msgspec.json.encode


class Api:
    """A `client.transport.Transport`. `down` makes it unreachable."""

    def __init__(self) -> None:
        self.revision = 1
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.log: list[tuple[int, str, str, bytes, dict[str, str]]] = []
        self.down = False
        self.writes: list[Operation] = []
        self._changed = asyncio.Event()

    def put(self, resource: str, obj: dict[str, Any]) -> None:
        """Create or replace an object."""
        self.revision += 1
        obj["metadata"] = {**obj["metadata"], "resourceVersion": str(self.revision)}
        key = (resource, objects.key(obj))
        kind = "MODIFIED" if key in self.objects else "ADDED"
        self.objects[key] = obj
        self._tell(kind, resource, obj)

    def remove(self, resource: str, key: str) -> None:
        """Delete an object."""
        self.revision += 1
        obj = self.objects.pop((resource, key))
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self._tell("DELETED", resource, obj)

    def _tell(self, kind: str, resource: str, obj: dict[str, Any]) -> None:
        labels = dict(obj["metadata"].get("labels") or {})
        self.log.append((self.revision, kind, resource, _encode(obj), labels))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _check(self) -> None:
        if self.down:
            raise errors.ServiceUnavailable("connection refused")

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See Transport."""
        self._check()
        found = self.objects.get((resource, f"{namespace}/{name}" if namespace else name))
        if found is None:
            raise errors.not_found(resource, name)
        return Raw(_encode(found), int(found["metadata"]["resourceVersion"]))

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """See Transport."""
        del fields, limit, token
        self._check()
        chosen = selectors.parse_labels(labels)
        items = [
            Raw(_encode(obj), self.revision)
            for (kind, key), obj in self.objects.items()
            if kind == resource
            and (not namespace or key.startswith(f"{namespace}/"))
            and chosen.matches(obj["metadata"].get("labels") or {})
        ]
        return RawPage(items, self.revision)

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncGenerator[Sequence[RawEvent], None]:
        """See Transport."""
        del fields
        self._check()
        chosen = selectors.parse_labels(labels)
        while True:
            changed = self._changed
            new = [one for one in self.log if one[0] > revision]
            revision = self.revision
            events = [
                RawEvent(kind, data, at)
                for at, kind, what, data, told in new
                if what == resource
                and chosen.matches(told)
                and (not namespace or f'"namespace":"{namespace}"'.encode() in data)
            ]
            if events:
                yield events
            await changed.wait()
            self._check()

    async def write(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """See Transport: creates, updates, and merge patches as they come."""
        self._check()
        found: list[Outcome] = []
        for one in batch:
            self.writes.append(one)
            key = f"{one.namespace}/{one.name}" if one.namespace else one.name
            old = self.objects.get((one.resource, key))
            if one.verb is Verb.CREATE and old is not None:
                found.append(errors.already_exists(one.resource, one.name))
                continue
            if one.verb is not Verb.CREATE and old is None:
                found.append(errors.not_found(one.resource, one.name))
                continue
            body = msgspec.json.decode(one.body)
            made = {**(old or {}), **body} if one.verb is Verb.PATCH else body
            if one.verb is Verb.PATCH:
                made["metadata"] = dict(old["metadata"]) if old else {}
            self.put(one.resource, made)
            found.append(Raw(_encode(made), self.revision))
        return found

    async def read(self, path: str) -> bytes:
        """See Transport."""
        raise errors.NotFound(path)


def meta(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    """Metadata."""
    found = {"name": name, "uid": f"uid-{namespace}-{name}", **more}
    return {**found, "namespace": namespace} if namespace else found


def namespace(name: str, **labels: str) -> dict[str, Any]:
    """A Namespace."""
    return {"metadata": meta(name, "", labels=labels)}


def service(
    name: str, ip: str = "None", *ports: tuple[str, int], namespace: str = "default", **more: Any
) -> dict[str, Any]:
    """A Service with TCP ports."""
    listed = [{"name": each, "protocol": "TCP", "port": port} for each, port in ports]
    spec = {"clusterIP": ip, "clusterIPs": [ip], "ports": listed, **more}
    return {"metadata": meta(name, namespace), "spec": spec}


def external(name: str, target: str, namespace: str = "default") -> dict[str, Any]:
    """A Service of the type ExternalName."""
    return {"metadata": meta(name, namespace),
            "spec": {"type": "ExternalName", "externalName": target}}  # fmt: skip


def endpoints(
    name: str, *addresses: str | tuple[str, str], ports: tuple[tuple[str, int], ...] = (),
    namespace: str = "default", ready: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """An EndpointSlice: addresses, or addresses with hostnames."""
    found: list[dict[str, Any]] = []
    for one in addresses:
        ip, hostname = one if isinstance(one, tuple) else (one, "")
        found.append({"addresses": [ip], "conditions": {"ready": ready}})
        if hostname:
            found[-1]["hostname"] = hostname
    labels = {"kubernetes.io/service-name": name}
    return {
        "metadata": meta(f"{name}-x", namespace, labels=labels),
        "addressType": "IPv4",
        "endpoints": found,
        "ports": [{"name": each, "protocol": "TCP", "port": port} for each, port in ports],
    }
