"""`hosts`: names of a file as /etc/hosts, and of lines in the Corefile."""

import asyncio
from typing import Final

import dnslib

from cluster.runtime.emulated.coredns import naming
from cluster.runtime.emulated.coredns.corefile import Directive
from cluster.runtime.emulated.coredns.messages import SERVFAIL, Query, Reply, made
from cluster.runtime.emulated.coredns.plugins.plugin import (
    Following,
    Plugin,
    Server,
    one,
    whole,
)
from cluster.runtime.emulated.web import golang

_FILE: Final = "/etc/hosts"
_TTL: Final = 3600
_RELOAD: Final = 5.0
_MAX_LINES: Final = 100_000


class Hosts(Plugin):
    """See the module."""

    name = "hosts"

    def __init__(
        self, server: Server, path: str, zones: tuple[str, ...], inline: list[str],
        fall: tuple[str, ...], *, ttl: int, every: float, reverse: bool,
    ) -> None:  # fmt: skip
        self._server = server
        self._path = path
        self._zones = zones
        self._inline = inline
        self._fall = fall
        self._ttl = ttl
        self._every = every
        self._reverse = reverse
        self._text = ""
        self._addresses: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] = {}
        self._read()

    async def run(self) -> None:
        """See Plugin: follow the file."""
        while self._every > 0:
            await asyncio.sleep(self._every)
            self._read()
        await super().run()

    def _read(self) -> None:
        try:
            text = self._server.call.files.read(self._path).decode(errors="replace")
        except OSError:
            text = ""
        if text == self._text and (self._addresses or not self._inline):
            return
        self._text = text
        self._addresses, self._names = {}, {}
        for line in [*text.splitlines()[:_MAX_LINES], *self._inline]:
            words = line.partition("#")[0].split()
            if len(words) < 2 or not naming.is_address(words[0]):
                continue
            for name in map(naming.normal, words[1:]):
                if naming.zone_of(name, self._zones) is not None:
                    self._addresses.setdefault(name, []).append(words[0])
                    self._names.setdefault(words[0], []).append(name)
        entries = sum(len(found) for found in self._addresses.values())
        self._server.metrics.set("coredns_hosts_entries", entries)

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        if query.type == "PTR":
            ip = naming.address_of(query.name)
            names = self._names.get(ip, []) if ip and self._reverse else []
            if not names:
                return await following(query)
            answers = [made(query.record.q.qname, "PTR", self._ttl, dnslib.PTR(each + "."))
                       for each in names]  # fmt: skip
            return Reply(answers=answers, authoritative=True, by=self.name)
        if naming.zone_of(query.name, self._zones) is None:
            return await following(query)
        found = self._addresses.get(query.name)
        if found is None:
            if any(naming.within(query.name, zone) for zone in self._fall):
                return await following(query)
            return Reply(SERVFAIL, by=self.name)  # a hosts file has no SOA to deny with
        kinds = {"A": dnslib.A, "AAAA": dnslib.AAAA}
        wanted = [ip for ip in found if ("AAAA" if ":" in ip else "A") == query.type]
        answers = [made(query.record.q.qname, query.type, self._ttl, kinds[query.type](ip))
                   for ip in wanted]  # fmt: skip
        return Reply(answers=answers, authoritative=True, by=self.name)


def setup(directive: Directive, server: Server) -> Plugin:
    """`hosts [FILE [ZONE…]] { ADDRESS NAME… | fallthrough | ttl | reload | no_reverse }`."""
    args = list(directive.args)
    path = args.pop(0) if args else _FILE
    ttl, every, reverse = _TTL, _RELOAD, True
    fall: tuple[str, ...] = ()
    inline: list[str] = []
    for line in directive.block:
        if line.name == "fallthrough":
            fall = tuple(naming.normal(each) for each in line.args) or ("",)
        elif line.name == "ttl":
            ttl = whole(directive, one(directive, line.args), 1, 65535)
        elif line.name == "reload":
            told = golang.seconds(one(directive, line.args))
            if told is None or told < 0:
                raise directive.wrong(f"invalid duration for reload '{line.args[0]}'")
            every = told
        elif line.name == "no_reverse":
            reverse = False
        elif naming.is_address(line.name):
            inline.append(" ".join((line.name, *line.args)))
        else:
            raise directive.wrong(f"unknown property '{line.name}'")
    zones = tuple(naming.normal(each) for each in args) or server.zones
    return Hosts(server, path, zones, inline, fall, ttl=ttl, every=every, reverse=reverse)
