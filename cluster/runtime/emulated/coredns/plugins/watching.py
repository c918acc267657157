"""Plugins that tell of a server: `errors`, `log`, `prometheus`, `health`, `ready`, `reload`."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from cluster.runtime.emulated.coredns import naming
from cluster.runtime.emulated.coredns.corefile import Directive
from cluster.runtime.emulated.coredns.messages import (
    CODES,
    NOERROR,
    NXDOMAIN,
    SERVFAIL,
    Query,
    Reply,
    flags,
    packed,
)
from cluster.runtime.emulated.coredns.plugins.plugin import (
    Failed,
    Following,
    Plugin,
    Server,
    no_args,
    one,
)
from cluster.runtime.emulated.web import golang
from cluster.runtime.emulated.web.messages import Handler, Request, Response, split_host, text

_RELOAD: Final = 30.0
_LEAST_RELOAD: Final = 2.0
_LOOKS, _LOOK = 16, 0.05
"""Less than the second that a probe waits."""
_KINDS: Final = frozenset((
    "A", "AAAA", "MX", "SOA", "CNAME", "PTR", "TXT", "SRV", "NS", "HTTPS", "SVCB", "DS", "DNSKEY",
    "ANY",
))  # fmt: skip
_HOLE: Final = re.compile(r"\{[a-z/_>]+\}")
COMMON: Final = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" '
    "{rcode} {>rflags} {rsize} {duration}"
)
_FORMATS: Final = {
    "{common}": COMMON,
    "{combined}": COMMON + ' "{>opcode}"',
}


class Errors(Plugin):
    """Prints what could not be answered."""

    name = "errors"

    def __init__(self, server: Server) -> None:
        self._server = server

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        try:
            return await following(query)
        except Failed as failed:
            said = f"plugin/errors: {SERVFAIL} {query.asked} {query.type}: {failed}"
            await self._server.log("ERROR", said)
            return Reply(SERVFAIL, by=self.name)


class Log(Plugin):
    """Prints questions and answers."""

    name = "log"

    def __init__(self, server: Server, rules: dict[str, tuple[str, frozenset[str]]]) -> None:
        self._server = server
        self._rules = rules

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        zone = naming.zone_of(query.name, self._rules)
        if zone is None or query.depth:
            return await following(query)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            reply = await following(query)
        except Failed:
            await self._print(zone, query, Reply(SERVFAIL), loop.time() - begun)
            raise
        await self._print(zone, query, reply, loop.time() - begun)
        return reply

    async def _print(self, zone: str, query: Query, reply: Reply, seconds: float) -> None:
        form, classes = self._rules[zone]
        if "all" not in classes and _class(reply) not in classes:
            return
        header = query.record.header
        known: dict[str, Callable[[], object]] = {
            "{remote}": lambda: query.client.address, "{port}": lambda: query.client.port,
            "{type}": lambda: query.type, "{class}": lambda: "IN", "{name}": lambda: query.asked,
            "{proto}": lambda: query.protocol, "{size}": lambda: query.size,
            "{rcode}": lambda: CODES.get(reply.code, reply.code),
            "{rsize}": lambda: len(packed(query, reply)),
            "{duration}": lambda: f"{seconds:.9f}s", "{>id}": lambda: header.id,
            "{>do}": lambda: str(query.do).lower(), "{>bufsize}": lambda: query.limit,
            "{>rflags}": lambda: flags(query, reply), "{>opcode}": lambda: 0,
        }  # fmt: skip
        line = _HOLE.sub(lambda m: str(known.get(m[0], lambda: "-")()), form)
        await self._server.log("INFO", line)


def _class(reply: Reply) -> str:
    if reply.code == NXDOMAIN or (reply.code == NOERROR and not reply.answers):
        return "denial"
    return "success" if reply.code == NOERROR else "error"


class Prometheus(Plugin):
    """Counts, and shows what all have counted."""

    name = "prometheus"

    def __init__(self, server: Server, place: tuple[str, int]) -> None:
        self._server = server
        server.sites.setdefault(place, {})["/metrics"] = self._page

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        if query.depth:
            return await following(query)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            reply = await following(query)
        except Failed:
            self._count(query, Reply(SERVFAIL), loop.time() - begun)
            raise
        self._count(query, reply, loop.time() - begun)
        return reply

    def _count(self, query: Query, reply: Reply, seconds: float) -> None:
        metrics, key = self._server.metrics, self._server.keys[0]
        zone = (naming.zone_of(query.name, self._server.zones) or "") + "."
        common = (("server", f"dns://:{key.port}"), ("view", ""), ("zone", zone))
        kind = query.type if query.type in _KINDS else "other"
        family = "2" if ":" in query.client.address else "1"
        with_protocol = (("proto", query.protocol), *common)
        metrics.count("coredns_dns_requests_total",
                      (("family", family), *with_protocol, ("type", kind)))  # fmt: skip
        metrics.time("coredns_dns_request_duration_seconds", seconds, common)
        metrics.size("coredns_dns_request_size_bytes", query.size, with_protocol)
        metrics.count("coredns_dns_responses_total",
                      (("plugin", reply.by), ("rcode", str(CODES.get(reply.code, reply.code))),
                       *common))  # fmt: skip

    async def _page(self, _request: Request) -> Response:
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return text(self._server.metrics.text(), kind=kind)


async def _healthy(_request: Request) -> Response:
    return text("OK")


def _ready(server: Server) -> Handler:
    async def page(_request: Request) -> Response:
        waiting = await _waiting(server)
        return text(",".join(waiting), 503) if waiting else text("OK")

    return page


async def _waiting(server: Server) -> list[str]:
    """The plugins that are not ready. Who asks at the very start waits for a moment, for the next
    time is seconds away.
    """
    for _ in range(_LOOKS):
        waiting = [one.name for one in server.plugins if one.waits and not one.ready]
        if not waiting:
            break
        await asyncio.sleep(_LOOK)
    return waiting


class Reload(Plugin):
    """Looks at the Corefile now and then."""

    name = "reload"

    def __init__(self, server: Server, every: float) -> None:
        self._server = server
        self._every = every

    async def run(self) -> None:
        """See Plugin."""
        while self._server.reload is not None:
            await asyncio.sleep(self._every)
            await self._server.reload()
        await super().run()


def errors(directive: Directive, server: Server) -> Plugin:
    """`errors { consolidate … }`."""
    no_args(directive)
    return Errors(server)


def log(directive: Directive, server: Server) -> Plugin:
    """`log [NAME…] [FORMAT] { class … }`. corefile.Unusable."""
    classes = frozenset(word for line in directive.block for word in line.args) or {"all"}
    unknown = classes - {"success", "denial", "error", "all"}
    if unknown or any(line.name != "class" for line in directive.block):
        raise directive.wrong("Wrong argument count or unexpected line ending after 'class'")
    args = list(directive.args)
    form = COMMON
    if args and "{" in args[-1]:
        form = _FORMATS.get(args[-1], args[-1])
        args.pop()
    zones = [naming.normal(each) for each in args] or [""]
    return Log(server, {zone: (form, frozenset(classes)) for zone in zones})


def prometheus(directive: Directive, server: Server) -> Plugin:
    """`prometheus [ADDRESS]`."""
    return Prometheus(server, _place(directive, 9153))


def health(directive: Directive, server: Server) -> Plugin:
    """`health [ADDRESS] { lameduck DURATION }`. corefile.Unusable."""
    for line in directive.block:
        seconds = golang.seconds(one(directive, line.args))
        if line.name != "lameduck" or seconds is None:
            raise directive.wrong(f"unknown property '{line.name}'")
        server.lame(seconds)
    server.sites.setdefault(_place(directive, 8080), {})["/health"] = _healthy
    return _named("health")


def ready(directive: Directive, server: Server) -> Plugin:
    """`ready [ADDRESS]`."""
    server.sites.setdefault(_place(directive, 8181), {})["/ready"] = _ready(server)
    return _named("ready")


def reload(directive: Directive, server: Server) -> Plugin:
    """`reload [INTERVAL] [JITTER]`. corefile.Unusable."""
    every = golang.seconds(directive.args[0]) if directive.args else _RELOAD
    if every is None or every < _LEAST_RELOAD:
        raise directive.wrong(f"interval value must be greater or equal to {_LEAST_RELOAD:g}s")
    return Reload(server, every)


def _place(directive: Directive, port: int) -> tuple[str, int]:
    if len(directive.args) > 1:
        raise directive.wrong("Wrong argument count or unexpected line ending after "
                              f"'{directive.args[1]}'")  # fmt: skip
    host, told = split_host(directive.args[0] if directive.args else "", port)
    return (host if host not in ("localhost", "0.0.0.0") else "", told)


def _named(name: str) -> Plugin:
    made = Plugin()
    made.name = name  # type: ignore[misc]
    return made
