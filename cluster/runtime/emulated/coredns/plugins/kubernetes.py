"""`kubernetes`: names of services and pods, from the cluster's API."""

import asyncio
from collections.abc import Callable
from typing import Final

import dnslib

from cluster.aio import tasks
from cluster.api import errors, objects, selectors
from cluster.client.informer import Change, Informers
from cluster.runtime.emulated.coredns import naming
from cluster.runtime.emulated.coredns.answering import (
    ADDRESSES,
    DISABLED,
    INSECURE,
    VERIFIED,
    Found,
    Record,
    Settings,
    Zones,
)
from cluster.runtime.emulated.coredns.corefile import Directive
from cluster.runtime.emulated.coredns.messages import (
    NOERROR,
    NXDOMAIN,
    Query,
    Reply,
    made,
)
from cluster.runtime.emulated.coredns.plugins.plugin import (
    Failed,
    Following,
    Plugin,
    Server,
    one,
    whole,
)
from cluster.runtime.emulated.coredns.records import Store

_TTL: Final = 5
_SYNC_SECONDS: Final = 5.0
_MAX_CHAIN: Final = 8
_EXPIRY: Final = (7200, 1800, 86400)
"""Refresh, retry and expiry of the SOA."""


class Kubernetes(Plugin):
    """See the module."""

    name = "kubernetes"
    waits = True

    def __init__(
        self, server: Server, settings: Settings, ttl: int, fall: tuple[str, ...],
        selected: str, *, pod_names: bool,
    ) -> None:  # fmt: skip
        self._server = server
        self._pods = settings.pods == VERIFIED
        self._selected = selected
        self._ttl = ttl
        self._fall = fall
        self._store = Store(pod_names)
        self._zones = Zones(settings, self._store)
        self._serial = int(server.call.kernel.clock.now())
        self._informers: Informers | None = None
        self._synced = False

    @property
    def ready(self) -> bool:
        """See Plugin."""
        return self._synced

    async def begin(self) -> None:
        """See Plugin: there is a way to the API."""
        informers = self._informers = Informers(self._server.client())
        followed = [
            ("services", self._selected, self._store.put_service),
            ("endpointslices.discovery.k8s.io", self._selected, self._store.put_slice),
            ("namespaces", "", self._store.put_namespace),
        ]
        if self._pods:
            followed.append(("pods", "", self._store.put_pod))
        for resource, labels, put in followed:
            informers.get(resource, labels=labels).on_change(self._changed(put))

    def _changed(
        self, put: Callable[[str, objects.Object | None], None]
    ) -> Callable[[Change], None]:
        def take(change: Change) -> None:
            put(change.key, change.new)
            self._serial = int(self._server.call.kernel.clock.now())

        return take

    async def run(self) -> None:
        """See Plugin."""
        if self._informers is None:
            raise RuntimeError("it has not begun")
        async with tasks.Group("kubernetes") as group:
            self._informers.start(group)
            await self._informers.synced()
            self._synced = True

    async def synced(self) -> None:
        """Wait for what the API has, but not for long: it may be away."""
        loop = asyncio.get_running_loop()
        end, said = loop.time() + _SYNC_SECONDS, 0.0
        while not self._synced and loop.time() < end:
            await asyncio.sleep(0.05)
            if not self._synced and loop.time() >= said + 1.0:
                said = loop.time()
                text = "plugin/kubernetes: waiting for Kubernetes API before starting server"
                await self._server.log("INFO", text)
        if not self._synced:
            text = "plugin/kubernetes: starting server with unsynced Kubernetes API"
            await self._server.log("WARNING", text)

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        zone = self._zones.zone(query.name)
        if zone is None:
            return await following(query)
        found = self._zones.find(query.name, query.type)
        if not found.exists and any(naming.within(query.name, one) for one in self._fall):
            return await following(query)
        if not self._synced and not found.exists:
            raise Failed("plugin/kubernetes: kubernetes: not synced")
        reply = Reply(authoritative=True, by=self.name)
        if found.answers:
            reply.answers = [self._made(query, record) for record in found.answers]
            reply.extra = [self._made(query, record) for record in found.extra]
            await self._chase(query, found, reply)
            return reply
        reply.code = NOERROR if found.exists else NXDOMAIN
        reply.authority = [self._made(query, self._zones.soa(zone))]
        return reply

    async def _chase(self, query: Query, found: Found, reply: Reply) -> None:
        """Answer for what an alias means, too, as far as it can be found."""
        record = found.answers[0]
        if record.kind != "CNAME" or query.type not in ADDRESSES:
            return
        if query.depth < _MAX_CHAIN:
            further = await self._server.look(query.about(str(record.data)))
            reply.answers += further.answers

    def _made(self, query: Query, record: Record) -> dnslib.RR:
        name: object = record.name + "."
        if record.name == query.name:
            name = query.record.q.qname  # in the letters of who asks
        return made(name, record.kind, self._ttl, self._data(record))

    def _data(self, record: Record) -> object:
        data = record.data
        if isinstance(data, str):
            kinds = {"A": dnslib.A, "AAAA": dnslib.AAAA, "TXT": dnslib.TXT, "PTR": dnslib.PTR,
                     "NS": dnslib.NS, "CNAME": dnslib.CNAME}  # fmt: skip
            text = data if record.kind in (*ADDRESSES, "TXT") else data + "."
            return kinds[record.kind](text)
        if len(data) == 3:
            weight, port, target = data
            return dnslib.SRV(0, weight, port, target + ".")
        times = (self._serial & 0xFFFFFFFF, *_EXPIRY, self._ttl)
        return dnslib.SOA(data[0] + ".", data[1] + ".", times)


def setup(directive: Directive, server: Server) -> Plugin:
    """`kubernetes [ZONE…] { … }`. corefile.Unusable."""
    zones = tuple(naming.normal(one) for one in directive.args) or server.zones
    given: dict[str, Directive] = {}
    for line in directive.block:
        if line.name not in _OPTIONS:
            raise directive.wrong(f"unknown property '{line.name}'")
        given[line.name] = line
    pods = DISABLED
    if "pods" in given:
        pods = one(directive, given["pods"].args)
        if pods not in (DISABLED, INSECURE, VERIFIED):
            raise directive.wrong(f"wrong value for pods: {pods},  must be one of: disabled, "
                                  "verified, insecure")  # fmt: skip
    ttl = _TTL
    if "ttl" in given:
        text = one(directive, given["ttl"].args)
        ttl = whole(directive, text, 0, 3600)
    fall: tuple[str, ...] = ()
    if "fallthrough" in given:
        fall = tuple(naming.normal(each) for each in given["fallthrough"].args) or ("",)
    settings = Settings(
        zones,
        pods,
        frozenset(given["namespaces"].args) if "namespaces" in given else frozenset(),
        _selector(given.get("namespace_labels")),
        "ignore" in given,
        tuple(server.call.net.addresses),
    )
    labels = str(_selector(given.get("labels")) or "")
    return Kubernetes(server, settings, ttl, fall, labels,
                      pod_names="endpoint_pod_names" in given)  # fmt: skip


_OPTIONS: Final = frozenset((
    "pods", "ttl", "fallthrough", "namespaces", "namespace_labels", "labels", "ignore",
    "endpoint_pod_names",
))  # fmt: skip


def _selector(line: Directive | None) -> selectors.Selector | None:
    if line is None:
        return None
    try:
        return selectors.parse_labels(" ".join(line.args))
    except errors.StatusError as error:
        raise line.wrong(f"unable to parse label selector value: {error}") from error
