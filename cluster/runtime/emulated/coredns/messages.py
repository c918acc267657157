"""Questions and answers between plugins, and their way to and from the wire, by dnslib."""

import dataclasses
from dataclasses import dataclass, field
from typing import Final

import dnslib
from dnslib import QTYPE, RR, DNSHeader, DNSRecord

from cluster.runtime.emulated.coredns import naming
from cluster.runtime.vos.sockets import Endpoint

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
CODES: Final = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
PLAIN: Final = 512
"""Bytes of an answer by UDP to who does not say that it takes more (RFC 1035, 4.2.1)."""
_MOST: Final = 65_535
_HEAD: Final = 12
_MOST_EXTRA: Final = 2
"""Records that a question has besides: EDNS, a signature. Names in more could point in circles that
are not quite endless.
"""


@dataclass(slots=True)
class Query:
    """One question. `name` is normal, `kind` the type's number."""

    record: DNSRecord
    name: str
    kind: int
    client: Endpoint
    protocol: str
    """udp or tcp."""
    size: int
    """Bytes of the message."""
    limit: int
    """Bytes that the answer may have."""
    do: bool = False
    depth: int = 0
    """How often plugins have asked further for a client's question."""

    @property
    def asked(self) -> str:
        """The name as it was written, with the dot at its end."""
        return str(self.record.q.qname)

    @property
    def type(self) -> str:
        """The type's name."""
        return type_name(self.kind)

    def about(self, name: str, kind: int | None = None) -> "Query":
        """A plugin's own question, for this one."""
        number = self.kind if kind is None else kind
        record = DNSRecord(self.record.header, [dnslib.DNSQuestion(name + ".", number)])
        return dataclasses.replace(self, record=record, name=name, kind=number,
                                   depth=self.depth + 1)  # fmt: skip


@dataclass(slots=True)
class Reply:
    """An answer."""

    code: int = NOERROR
    answers: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    extra: list[RR] = field(default_factory=list)
    authoritative: bool = False
    recursive: bool = False
    truncated: bool = False
    by: str = ""
    """The plugin that made it."""


def type_name(kind: int) -> str:
    """The name of a type: `A`, `TYPE4711`."""
    name = QTYPE.forward.get(kind)
    return str(name) if name else f"TYPE{kind}"


def parsed(data: bytes, client: Endpoint, protocol: str) -> Query | bytes | None:
    """A question. Bytes are the answer to what is none; None: nothing is answered."""
    if len(data) < _HEAD or data[2] & 0x80:
        return None
    opcode = (data[2] >> 3) & 0x0F
    if opcode != 0:
        return _bare(data, NOTIMP)
    counts = [int.from_bytes(data[at : at + 2], "big") for at in (4, 6, 8, 10)]
    if counts[0] != 1 or counts[1] or counts[2] or counts[3] > _MOST_EXTRA:
        return _bare(data, FORMERR)
    try:
        record = DNSRecord.parse(data)
    except Exception:  # noqa: BLE001  (whatever hostile bytes make dnslib raise)
        return _bare(data, FORMERR)
    question = record.q
    option = next((one for one in record.ar if one.rtype == QTYPE.OPT), None)
    limit = _MOST
    if protocol == "udp":
        limit = max(PLAIN, int(option.rclass)) if option is not None else PLAIN
    try:
        name = naming.normal(str(question.qname))
    except ValueError:
        return _bare(data, FORMERR)
    return Query(
        record, name, question.qtype, client, protocol, len(data), min(limit, _MOST),
        do=option is not None and bool(option.ttl & 0x8000),
    )  # fmt: skip


def _bare(data: bytes, code: int) -> bytes:
    """A head alone, with what the question's head said."""
    flags = 0x80 | (data[2] & 0x79)
    return data[:2] + bytes((flags, code)) + bytes(8)


def packed(query: Query, reply: Reply) -> bytes:
    """The answer on the wire, cut to what the client takes."""
    data = _pack(query, reply)
    if len(data) <= query.limit:
        return data
    if reply.extra:
        reply = dataclasses.replace(reply, extra=[])
        data = _pack(query, reply)
        if len(data) <= query.limit:
            return data
    low, high = 0, len(reply.answers)
    cut = dataclasses.replace(reply, truncated=True, authority=[])
    while low < high:
        middle = (low + high + 1) // 2
        tried = _pack(query, dataclasses.replace(cut, answers=reply.answers[:middle]))
        low, high = (middle, high) if len(tried) <= query.limit else (low, middle - 1)
    return _pack(query, dataclasses.replace(cut, answers=reply.answers[:low]))


def _pack(query: Query, reply: Reply) -> bytes:
    asked = query.record.header
    header = DNSHeader(id=asked.id, qr=1, rd=asked.rd, rcode=reply.code)
    header.aa, header.ra, header.tc = reply.authoritative, reply.recursive, reply.truncated
    made = DNSRecord(
        header, [query.record.q], list(reply.answers), auth=list(reply.authority),
        ar=list(reply.extra),
    )  # fmt: skip
    option = next((one for one in query.record.ar if one.rtype == QTYPE.OPT), None)
    if option is not None:
        made.add_ar(dnslib.EDNS0(udp_len=max(PLAIN, int(option.rclass)), flags="do" * query.do))
    return bytes(made.pack())


def made(name: object, kind: str, ttl: int, data: object) -> RR:
    """A resource record: `data` is what dnslib has for the type."""
    return RR(name, getattr(QTYPE, kind), ttl=ttl, rdata=data)


def flags(query: Query, reply: Reply) -> str:
    """An answer's flags as logs have them: `qr,aa,rd`."""
    named = (
        ("qr", True), ("aa", reply.authoritative), ("tc", reply.truncated),
        ("rd", bool(query.record.header.rd)), ("ra", reply.recursive),
    )  # fmt: skip
    return ",".join(name for name, is_set in named if is_set)
