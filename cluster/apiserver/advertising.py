"""Where pods find API servers: what the Service `kubernetes` leads to.

Each of several servers on one store keeps a record of itself there, as kube-apiserver's lease
reconciler does under `masterleases`: written anew every few seconds, gone when the server stops,
and taken for dead by the others when it has not changed for fifteen seconds by their own clocks.
The Service's EndpointSlices and Endpoints name those that live.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import structlog

from cluster.api import errors
from cluster.api.objects import Object
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.api.validation import endpoints
from cluster.apiserver import bootstrap, codec
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache.events import Event
from cluster.storage import interface as storage

RESOURCE: Final = "masterleases"
"""What the records are kept as; there is no such resource in the API."""
RENEW_SECONDS: Final = 5.0
TTL_SECONDS: Final = 15.0
"""DefaultEndpointReconcilerTTL of kube-apiserver."""
_LEAVE_SECONDS: Final = 2.0
Place = tuple[str, int]


class _Record(msgspec.Struct):
    address: str
    port: int


_read = msgspec.json.Decoder(_Record).decode


class Advertiser:
    """Keeps this server's record and what the Service leads to, in an open registry."""

    def __init__(self, registry: Registry, store: storage.Storage, place: Place) -> None:
        self._registry = registry
        self._store = store
        self._place = place
        self._key = codec.key(RESOURCE, "", f"{place[0]}:{place[1]}")
        self._seen: dict[str, tuple[float, Place, int]] = {}
        self._changed = asyncio.Event()
        self._renewals = 0
        self._log = structlog.get_logger().bind(component="apiserver")

    def open(self) -> None:
        """Hear of the others from now on; those that are there have their time from now."""
        self._registry.cache.of(RESOURCE).observe(self._hear)

    async def run(self) -> None:
        """Keep it up until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                if loop.time() >= due:
                    due = loop.time() + RENEW_SECONDS
                    await self._renew()
                await self._bury()
                await self.reconcile()
            except (storage.Unavailable, errors.StatusError) as error:
                self._log.warning("cannot advertise the API server", error=str(error))
            self._changed.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def leave(self) -> None:
        """This server ends: lead nobody here any more."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._store.write([storage.Change(self._key, None, None)])
                self._seen.pop(self._key, None)
                if self._seen:
                    await self.reconcile()
        except (storage.Unavailable, errors.StatusError, TimeoutError) as error:
            self._log.info("this server is still advertised", error=str(error))

    def living(self) -> list[Place]:
        """The servers that live, as far as this one knows."""
        now = asyncio.get_running_loop().time()
        return sorted(
            place
            for key, (since, place, _) in self._seen.items()
            if key == self._key or now - since < TTL_SECONDS
        )

    def others(self) -> bool:
        """Whether this one knows of other servers. Where it hears of nothing any more it is those
        that lived when it did.
        """
        return any(key != self._key for key in self._seen)

    async def reconcile(self) -> None:
        """Let the Service lead to those that live. errors.StatusError."""
        wanted = operations(self._registry, self.living())
        for result in await self._registry.write(wanted, bootstrap.USER) if wanted else ():
            if isinstance(result, errors.StatusError) and not isinstance(
                result, errors.AlreadyExists | errors.Conflict | errors.NotFound
            ):
                raise result

    async def _renew(self) -> None:
        self._renewals += 1
        address, port = self._place
        record = {
            "apiVersion": "kubemu.dev/v1",
            "kind": "MasterLease",
            "metadata": {"name": f"{address}:{port}"},
            "address": address,
            "port": port,
            "renewals": self._renewals,
            "identity": self._registry.identity,
        }
        await self._store.write([storage.Change(self._key, msgspec.json.encode(record), None)])

    async def _bury(self) -> None:
        now = asyncio.get_running_loop().time()
        dead = [
            storage.Change(key, None, revision)
            for key, (since, _, revision) in self._seen.items()
            if key != self._key and now - since >= TTL_SECONDS
        ]
        if dead:
            await self._store.write(dead)

    def _hear(self, event: Event) -> None:
        if event.entry is None:
            if event.previous is not None:
                self._seen.pop(event.previous.key, None)
                self._changed.set()
            return
        found = _read(event.entry.json)
        fresh = event.entry.key not in self._seen
        now = asyncio.get_running_loop().time()
        self._seen[event.entry.key] = now, (found.address, found.port), event.entry.revision
        if fresh:
            self._changed.set()


def operations(registry: Registry, places: Sequence[Place]) -> list[Operation]:
    """What to write so that the Service leads to these places, and to no others."""
    found: list[Operation] = []
    kept: dict[str, None] = {}
    for full, wanted in documents(places):
        operation = _operation(registry, full, wanted)
        kept[f"{full['kind']}/{full['metadata']['name']}"] = None
        if operation is not None:
            found.append(operation)
    slices = registry.table.of_kind("discovery.k8s.io/v1", "EndpointSlice")
    if slices is not None:
        prefix = codec.prefix(slices.id, "default")
        for entry in registry.cache.of(slices.id).scan(prefix):
            ours = entry.name.removeprefix("kubernetes-").isdecimal()
            if ours and f"EndpointSlice/{entry.name}" not in kept:
                found.append(
                    Operation(Verb.DELETE, slices.id, "default", entry.name, want_object=False)
                )
    return found


def _operation(registry: Registry, full: Object, wanted: Object) -> Operation | None:
    row = registry.table.of_kind(full["apiVersion"], full["kind"])
    if row is None:
        raise RuntimeError(f"the table of resources has no {full['kind']}")
    name = full["metadata"]["name"]
    entry = registry.cache.get(row.id, "default", name)
    if entry is None:
        body = codec.document({**full, **wanted})
        return Operation(Verb.CREATE, row.id, "default", name, body=body, want_object=False)
    document = entry.document()
    if all(document.get(field) == value for field, value in wanted.items()):
        return None
    return Operation(
        Verb.PATCH, row.id, "default", name, body=codec.document(wanted), patch_type=MERGE_PATCH,
        want_object=False,
    )  # fmt: skip


def documents(places: Iterable[Place]) -> Iterator[tuple[Object, Object]]:
    """The Service's EndpointSlices and, where such addresses may be there, its Endpoints; of each
    the document without what says where servers are, and that.

    A slice has one set of ports: servers of one address, as `kubemu up` has them, have one each.
    """
    by_port: dict[int, list[str]] = {}
    for address, port in places:
        by_port.setdefault(port, []).append(address)
    subsets = []
    for number, (port, addresses) in enumerate(sorted(by_port.items())):
        ports = [{"name": "https", "port": port, "protocol": "TCP"}]
        name = f"kubernetes-{port}" if number else "kubernetes"
        labels = {"kubernetes.io/service-name": "kubernetes"}
        ends = [{"addresses": [each], "conditions": {"ready": True}} for each in addresses]
        yield (
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": name, "namespace": "default", "labels": labels},
                "addressType": "IPv6" if ":" in addresses[0] else "IPv4",
            },
            {"endpoints": ends, "ports": ports},
        )
        plain = [each for each in addresses if not endpoints.special("", each)]
        if plain:
            subsets.append({"addresses": [{"ip": each} for each in plain], "ports": ports})
    if subsets:
        labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
        meta = {"name": "kubernetes", "namespace": "default", "labels": labels}
        yield (
            {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta},
            {"subsets": subsets},
        )
