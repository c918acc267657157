"""`forward`: questions for other name servers."""

import asyncio
import ipaddress
import zlib
from collections.abc import Sequence
from typing import Final

import dnslib
from dnslib import DNSRecord

from cluster.runtime.emulated.coredns import naming
from cluster.runtime.emulated.coredns.corefile import Directive
from cluster.runtime.emulated.coredns.messages import Query, Reply
from cluster.runtime.emulated.coredns.plugins.plugin import (
    Failed,
    Following,
    Plugin,
    Server,
    one,
    whole,
)
from cluster.runtime.emulated.web.messages import split_host
from cluster.runtime.vos import resolving
from cluster.runtime.vos.sockets import Endpoint

_OVERALL: Final = 5.0
_READ: Final = 2.0
_MOST_SERVERS: Final = 15
_OUR_LIMIT: Final = 4096
_OPTIONS: Final = frozenset((
    "except", "force_tcp", "prefer_udp", "expire", "max_fails", "policy", "max_concurrent",
    "health_check", "max_idle_conns", "next", "failfast_all_unhealthy_upstreams", "failover",
    "max_age", "max_connect_attempts",
))  # fmt: skip


class Forward(Plugin):
    """See the module."""

    name = "forward"

    def __init__(
        self, server: Server, zone: str, servers: Sequence[Endpoint], given: dict[str, Directive],
    ) -> None:  # fmt: skip
        self._server = server
        self._zone = zone
        self._servers = servers
        args = given["except"].args if "except" in given else ()
        self._except = tuple(naming.normal(one) for one in args)
        self._stream = "force_tcp" in given
        self._datagrams = "prefer_udp" in given and not self._stream
        self._policy = given["policy"].args[0] if "policy" in given else "random"
        self._limit = 0
        if "max_concurrent" in given:
            line = given["max_concurrent"]
            self._limit = whole(line, one(line, line.args))
        self._under_way = 0
        self._turn = 0

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        if not naming.within(query.name, self._zone) or any(
            naming.within(query.name, zone) for zone in self._except
        ):
            return await following(query)
        if self._limit and self._under_way >= self._limit:
            self._server.metrics.count("coredns_forward_max_concurrent_rejects_total")
            raise Failed("plugin/forward: concurrent queries exceeded maximum "
                         f"{self._limit}")  # fmt: skip
        self._under_way += 1
        try:
            return await self._asked(query)
        finally:
            self._under_way -= 1

    async def _asked(self, query: Query) -> Reply:
        loop = asyncio.get_running_loop()
        end = loop.time() + _OVERALL
        failure = "no upstreams"
        for server in self._order():
            if loop.time() >= end:
                break
            begun = loop.time()
            try:
                async with asyncio.timeout(min(_READ, end - begun)):
                    answer = await self._exchange(query, server)
            except TimeoutError:
                failure = f"read udp {self._own()}->{server}: i/o timeout"
                continue
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                failure = f"read udp {self._own()}->{server}: read: {why}"
                continue
            labels = (("proxy_name", "forward"), ("rcode", str(answer.header.rcode)),
                      ("to", str(server)))  # fmt: skip
            seconds = loop.time() - begun
            self._server.metrics.time("coredns_proxy_request_duration_seconds", seconds, labels)
            return _reply(answer)
        raise Failed(failure)

    def _order(self) -> Sequence[Endpoint]:
        """Whom to ask, in order; `random` takes turns, so that the lab stays the same."""
        if self._policy == "sequential":
            return self._servers
        self._turn += 1
        start = self._turn % max(len(self._servers), 1)
        return [*self._servers[start:], *self._servers[:start]]

    def _own(self) -> str:
        return next(iter(self._server.call.net.addresses), "127.0.0.1")

    async def _exchange(self, query: Query, server: Endpoint) -> DNSRecord:
        """Ask one. OSError, TimeoutError."""
        self._turn += 1
        number = zlib.crc32(f"{query.name}/{query.kind}/{self._turn}".encode()) & 0xFFFF
        asked = query.record
        header = dnslib.DNSHeader(id=number, rd=asked.header.rd, ad=asked.header.ad)
        question = DNSRecord(header, [asked.q])
        question.add_ar(dnslib.EDNS0(udp_len=_OUR_LIMIT, flags="do" * query.do))
        packet = bytes(question.pack())
        net = self._server.call.net
        if self._stream or (query.protocol == "tcp" and not self._datagrams):
            return await resolving.over_stream(packet, number, server, net)
        return await resolving.exchanged(packet, number, server, net, follow=self._datagrams)


def _reply(answer: DNSRecord) -> Reply:
    extra = [one for one in answer.ar if one.rtype != dnslib.QTYPE.OPT]
    head = answer.header
    return Reply(
        head.rcode, list(answer.rr), list(answer.auth), extra, bool(head.aa), bool(head.ra),
        bool(head.tc), "forward",
    )  # fmt: skip


def setup(directive: Directive, server: Server) -> Plugin:
    """`forward FROM TO… { … }`. corefile.Unusable."""
    if len(directive.args) < 2:
        raise directive.wrong("Wrong argument count or unexpected line ending after "
                              f"'{(directive.args or (directive.name,))[-1]}'")  # fmt: skip
    given: dict[str, Directive] = {}
    for line in directive.block:
        if line.name in ("tls", "tls_servername"):
            raise directive.wrong("TLS is not built in the emulated CoreDNS")
        if line.name not in _OPTIONS:
            raise directive.wrong(f"unknown property '{line.name}'")
        given[line.name] = line
    policy = given.get("policy")
    if policy is not None and one(policy, policy.args) not in (
        "random", "round_robin", "sequential"
    ):  # fmt: skip
        raise directive.wrong(f"unknown policy '{policy.args[0]}'")
    servers = [found for word in directive.args[1:] for found in _servers(directive, word, server)]
    if len(servers) > _MOST_SERVERS:
        raise directive.wrong(f"more than {_MOST_SERVERS} TOs configured: {len(servers)}")
    return Forward(server, naming.normal(directive.args[0]), servers, given)


def _servers(directive: Directive, word: str, server: Server) -> list[Endpoint]:
    if word.startswith(("tls://", "https://")):
        raise directive.wrong("TLS is not built in the emulated CoreDNS")
    files = server.call.files
    if word.startswith("/"):
        try:
            text = files.read(word).decode(errors="replace")
        except OSError as error:
            raise directive.wrong(f"open {word}: no such file or directory") from error
        # Where the node has no resolver, or one of its own that pods cannot reach (127.0.0.53),
        # CoreDNS would not start, or ask itself; here the names of the cluster go on.
        return [Endpoint(each, 53) for each in resolving.servers(text) if not _own(each)]
    host, port = split_host(word.removeprefix("dns://"), 53)
    if not naming.is_address(host):
        raise directive.wrong(f'not an IP address or file: "{word}"')
    return [Endpoint(host, port)]


def _own(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
