"""Plugins that change questions or answers on their way: `loadbalance`, `rewrite`, `loop`,
`whoami`, `any`.
"""

import dataclasses
import re
from typing import Final

import dnslib
from dnslib import QTYPE, RR

from cluster.runtime.emulated.coredns import naming
from cluster.runtime.emulated.coredns.corefile import Directive
from cluster.runtime.emulated.coredns.messages import Query, Reply, made
from cluster.runtime.emulated.coredns.plugins.plugin import (
    Following,
    Plugin,
    Server,
    no_args,
)

_ADDRESSES: Final = (QTYPE.A, QTYPE.AAAA)
_HINFO: Final = 13


class Loadbalance(Plugin):
    """Puts another address first in every answer, in turn: the lab stays the same."""

    name = "loadbalance"

    def __init__(self) -> None:
        self._turn = 0

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        reply = await following(query)
        ours = [one for one in reply.answers if one.rtype in _ADDRESSES]
        if len(ours) < 2:
            return reply
        self._turn += 1
        start = self._turn % len(ours)
        others = [one for one in reply.answers if one.rtype not in _ADDRESSES]
        return dataclasses.replace(reply, answers=[*others, *ours[start:], *ours[:start]])


class Rewrite(Plugin):
    """Asks for other names: exact, prefix, suffix, substring or regex."""

    name = "rewrite"

    def __init__(self, kind: str, before: str, after: str, *, back: bool, stop: bool) -> None:
        self._kind = kind
        self._before = before
        self._after = after
        self._back = back
        self._pattern = _pattern(kind, before)
        self.stop = stop

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        name = self.rewritten(query.name)
        if name is None or name == query.name:
            return await following(query)
        asked = query.about(name)
        asked.depth = query.depth
        asked.record.ar = query.record.ar
        reply = await following(asked)
        if not self._back:
            return reply
        answers = [_renamed(one, name, query) for one in reply.answers]
        return dataclasses.replace(reply, answers=answers)

    def rewritten(self, name: str) -> str | None:
        """The other name; None for one that is none of the rule's."""
        match = self._pattern.fullmatch(name + ".") if self._kind == "regex" else (
            self._pattern.fullmatch(name)
        )  # fmt: skip
        if match is None:
            return None
        if self._kind == "exact":
            return self._after
        if self._kind == "regex":
            groups = match.groups()
            filled = re.sub(
                r"\{(\d)\}",
                lambda m: (groups[int(m[1]) - 1] or "") if 0 < int(m[1]) <= len(groups) else "",
                self._after,
            )
            return naming.normal(filled)
        return naming.normal(f"{match[1]}{self._after}{match[2]}")


def _pattern(kind: str, before: str) -> re.Pattern[str]:
    escaped = re.escape(before)
    if kind == "exact":
        return re.compile(escaped)
    if kind == "prefix":
        return re.compile(f"(){escaped}(.*)")
    if kind == "suffix":
        return re.compile(f"(.*){escaped}()")
    if kind == "substring":
        return re.compile(f"(.*?){escaped}(.*)")
    return re.compile(before)


def _renamed(record: RR, name: str, query: Query) -> RR:
    if naming.normal(str(record.rname)) != name:
        return record
    return RR(query.record.q.qname, record.rtype, record.rclass, record.ttl, record.rdata)


class Loop(Plugin):
    """Would look for questions that come back: nothing loops here but by `forward`."""

    name = "loop"


class Whoami(Plugin):
    """Tells a client its own address."""

    name = "whoami"

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        del following
        address, port = query.client
        kind, data = ("AAAA", dnslib.AAAA) if ":" in address else ("A", dnslib.A)
        name = query.record.q.qname
        service = dnslib.SRV(0, 0, port, ".")
        extra = [made(name, kind, 0, data(address)),
                 made(f"_{query.protocol}.{query.asked}", "SRV", 0, service)]  # fmt: skip
        return Reply(extra=extra, authoritative=True, by=self.name)


class Any(Plugin):
    """Answers little to ANY (RFC 8482)."""

    name = "any"

    async def answer(self, query: Query, following: Following) -> Reply:
        """See Plugin."""
        if query.kind != QTYPE.ANY:
            return await following(query)
        told = dnslib.RD(b"\x03ANY" + b"\x0dSee RFC 8482")
        return Reply(answers=[RR(query.record.q.qname, _HINFO, ttl=8482, rdata=told)], by=self.name)


def loadbalance(directive: Directive, _server: Server) -> Plugin:
    """`loadbalance [round_robin]`. corefile.Unusable."""
    if directive.args and directive.args[0] not in ("round_robin",):
        raise directive.wrong(f"unknown policy: {directive.args[0]}")
    return Loadbalance()


def rewrite(directive: Directive, _server: Server) -> Plugin:
    """`rewrite [continue|stop] name [exact|prefix|suffix|substring|regex] FROM TO [answer auto]`.

    corefile.Unusable.
    """
    words = list(directive.args)
    blocks = [[line.name, *line.args] for line in directive.block]
    stop = True
    if words and words[0] in ("continue", "stop"):
        stop = words.pop(0) == "stop"
    if not words and blocks:
        words, blocks = blocks[0], blocks[1:]
    if not words or words.pop(0) != "name":
        raise directive.wrong("only names can be rewritten in the emulated CoreDNS")
    kinds = ("exact", "prefix", "suffix", "substring", "regex")
    kind = words.pop(0) if words and words[0] in kinds else "exact"
    if len(words) < 2:
        raise directive.wrong("few arguments for a name rule")
    before, after, *more = words
    back = kind == "exact" or more[:2] == ["answer", "auto"] or any("answer" in b for b in blocks)
    try:
        return Rewrite(
            kind,
            before if kind == "regex" else naming.normal(before),
            naming.normal(after),
            back=back or not more,
            stop=stop,
        )
    except re.error as error:
        raise directive.wrong(f"Invalid regex pattern in a name rule: {before}") from error


def loop(directive: Directive, _server: Server) -> Plugin:
    """`loop`. corefile.Unusable."""
    no_args(directive)
    return Loop()


def whoami(directive: Directive, _server: Server) -> Plugin:
    """`whoami`. corefile.Unusable."""
    no_args(directive)
    return Whoami()


def any_type(_directive: Directive, _server: Server) -> Plugin:
    """`any`."""
    return Any()
