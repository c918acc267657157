"""`cache`: answers are kept for as long as they may be, in two stores of a bounded size."""

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Final

from dnslib import QTYPE, RR

from cluster.runtime.emulated.coredns import naming
from cluster.runtime.emulated.coredns.corefile import Directive
from cluster.runtime.emulated.coredns.messages import NOERROR, NXDOMAIN, SERVFAIL, Query, Reply
from cluster.runtime.emulated.coredns.plugins.plugin import (
    Following,
    Plugin,
    Server,
    whole,
)

_SUCCESS_TTL: Final = 3600
_DENIAL_TTL: Final = 1800
_LEAST_TTL: Final = 5
_FAILURE_TTL: Final = 5
_CAPACITY: Final = 9984
_LOOKED_AT: Final = 16
SUCCESS, DENIAL = "success", "denial"
_Key = tuple[str, int, bool]


@dataclass(slots=True)
class Item:
    """An answer that is kept."""

    reply: Reply
    stored: float
    ttl: int


@dataclass(slots=True)
class Half:
    """What is kept of one kind of answers. `off` are the zones of which nothing is."""

    capacity: int
    most: int
    least: int
    items: dict[_Key, Item]
    off: tuple[str, ...] = ()


class Cache(Plugin):
    """See the module."""

    name = "cache"

    def __init__(
        self, server: Server, zones: tuple[str, ...], halves: dict[str, Half], *, stale: float
    ) -> None:
        self._metrics = server.metrics
        self._now = server.call.kernel.clock.now
        self._zones = zones
        self._halves = halves
        self._stale = stale
        place = server.keys[0].zone if server.keys else ""
        self._labels = (("server", f"dns://:{server.keys[0].port}"), ("zones", place + "."))

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        if naming.zone_of(query.name, self._zones) is None:
            return await following(query)
        key = (query.name, query.kind, query.do)
        now = self._now()
        self._metrics.count("coredns_cache_requests_total", self._labels)
        for name, half in self._halves.items():
            item = half.items.get(key)
            if item is not None and now < item.stored + item.ttl:
                self._metrics.count("coredns_cache_hits_total", (*self._labels, ("type", name)))
                return _aged(query, item, int(now - item.stored))
        self._metrics.count("coredns_cache_misses_total", self._labels)
        reply = await following(query)
        if reply.code == SERVFAIL and (old := self._old(key, now)) is not None:
            return old
        self._keep(query, key, reply, now)
        return reply

    def _old(self, key: _Key, now: float) -> Reply | None:
        """What was known until lately, with no time to live (`serve_stale`)."""
        if not self._stale:
            return None
        for half in self._halves.values():
            item = half.items.get(key)
            if item is not None and now < item.stored + item.ttl + self._stale:
                return dataclasses.replace(
                    item.reply, answers=[_with_ttl(one, 0) for one in item.reply.answers]
                )
        return None

    def _keep(self, query: Query, key: _Key, reply: Reply, now: float) -> None:
        if reply.truncated or reply.code not in (NOERROR, NXDOMAIN, SERVFAIL):
            return
        denial = reply.code != NOERROR or not reply.answers
        half = self._halves[DENIAL if denial else SUCCESS]
        if any(naming.within(query.name, zone) for zone in half.off):
            return
        ttl = _FAILURE_TTL
        if reply.code != SERVFAIL:
            found = [one.ttl for one in (*reply.answers, *reply.authority)]
            ttl = max(min([half.most, *found]), half.least)
        if ttl <= 0:
            return
        half.items.pop(key, None)
        if len(half.items) >= half.capacity:
            make_room(half, now, self._stale)
        half.items[key] = Item(reply, now, ttl)
        self._metrics.set("coredns_cache_entries", len(half.items),
                          (*self._labels, ("type", DENIAL if denial else SUCCESS)))  # fmt: skip


def make_room(half: Half, now: float, stale: float) -> None:
    """Forget the oldest, and those next to it that are over: not all are looked at, for names
    that nobody has may be asked for without end.
    """
    oldest = list(itertools.islice(half.items.items(), _LOOKED_AT))
    over = [key for key, item in oldest if now >= item.stored + item.ttl + stale]
    for key in over or [oldest[0][0]]:
        del half.items[key]


def _aged(query: Query, item: Item, seconds: int) -> Reply:
    """What is kept, with the time to live that it has left."""
    left = max(item.ttl - seconds, 0)
    reply = item.reply

    def of(records: list[RR]) -> list[RR]:
        return [
            _with_ttl(one, left, query.record.q.qname if _same(one, query) else None)
            for one in records
        ]

    return dataclasses.replace(
        reply, answers=of(reply.answers), authority=of(reply.authority), extra=of(reply.extra),
        authoritative=reply.authoritative, by="cache",
    )  # fmt: skip


def _same(record: RR, query: Query) -> bool:
    return naming.normal(str(record.rname)) == query.name


def _with_ttl(record: RR, ttl: int, name: object | None = None) -> RR:
    if record.rtype == QTYPE.OPT:
        return record
    return RR(name or record.rname, record.rtype, record.rclass, ttl, record.rdata)


def setup(directive: Directive, server: Server) -> Plugin:
    """`cache [TTL] [ZONE…] { success|denial|disable|serve_stale|… }`. corefile.Unusable."""
    args = list(directive.args)
    success, denial = _SUCCESS_TTL, _DENIAL_TTL
    if args and args[0].isdigit():
        success = denial = whole(directive, args.pop(0), 1)
    halves = {
        SUCCESS: Half(_CAPACITY, success, _LEAST_TTL, {}),
        DENIAL: Half(_CAPACITY, denial, _LEAST_TTL, {}),
    }
    zones = tuple(naming.normal(one) for one in args) or server.zones
    stale = 0.0
    for line in directive.block:
        if line.name in (SUCCESS, DENIAL):
            _sized(line, halves[line.name])
        elif line.name == "disable":
            if not line.args or line.args[0] not in halves:
                raise directive.wrong(f"unknown type for disable: {(line.args or ('',))[0]!r}")
            off = tuple(naming.normal(one) for one in line.args[1:]) or zones
            halves[line.args[0]].off = off
        elif line.name == "serve_stale":
            stale = 3600.0
        elif line.name not in ("prefetch", "servfail", "keepttl"):
            raise directive.wrong(f"unknown property '{line.name}'")
    return Cache(server, zones, halves, stale=stale)


def _sized(line: Directive, half: Half) -> None:
    if not 0 < len(line.args) < 4:
        raise line.wrong("Wrong argument count or unexpected line ending")
    half.capacity = max(whole(line, line.args[0], 1), 1)
    if len(line.args) > 1:
        half.most = whole(line, line.args[1], 1)
    if len(line.args) > 2:
        half.least = whole(line, line.args[2], 0)
