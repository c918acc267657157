"""Answers in dig's layout (BIND 9.18: bin/dig/dig.c, and its master file style)."""

import datetime
from typing import TYPE_CHECKING, Any, Final

from cluster.runtime.vos.programs.network.bind.asking import Answer

if TYPE_CHECKING:
    import dnslib

VERSION: Final = "9.18.33"
_TTL, _CLASS, _TYPE, _DATA = 24, 32, 40, 48
"""The columns that the fields of a record begin at."""
_FLAGS: Final = ("qr", "aa", "tc", "rd", "ra", "ad", "cd")
_LEAKED: Final = """;; WARNING: .local is reserved for Multicast DNS
;; You are currently testing what happens when an mDNS query is leaked to DNS
"""
_WEEKDAY_FIRST: Final = "%a %b %d %H:%M:%S UTC %Y"


def answer(found: Answer, shown: dict[str, bool], server: str, port: int, now: float) -> str:
    """All that dig prints of an answer; `shown` says which parts, `server` is what it was called
    by. Seconds since the epoch.
    """
    record, text = found.record, ""
    comments = shown["comments"]
    if comments:
        text += _head(record)
        option = next((one for one in record.ar if one.rtype == _OPT), None)
        text += "\n"
        if option is not None:
            do = " do" if option.ttl & 0x8000 else ""
            text += ";; OPT PSEUDOSECTION:\n"
            text += (
                f"; EDNS: version: {option.ttl >> 16 & 0xFF}, flags:{do}; udp: {option.rclass}\n"
            )
    if shown["question"] and record.questions:
        text += ";; QUESTION SECTION:\n" if comments else ""
        text += "".join(f";{_question(one)}\n" for one in record.questions)
        text += "\n" if comments else ""
    for name, rows in (
        ("answer", record.rr),
        ("authority", record.auth),
        ("additional", record.ar),
    ):
        lines = [line(one) for one in rows if one.rtype != _OPT]
        if shown[name] and lines:
            text += f";; {name.upper()} SECTION:\n" if comments else ""
            text += "\n".join(lines) + "\n"
            text += "\n" if comments else ""
    return text + (_statistics(found, server, port, now) if shown["stats"] else "")


_OPT: Final = 41


def line(record: "dnslib.RR") -> str:
    """A record in columns."""
    text, at = str(record.rname), len(str(record.rname))
    fields = (
        (_TTL, str(record.ttl)), (_CLASS, _class(record.rclass)), (_TYPE, kind(record.rtype)),
        (_DATA, data(record)),
    )  # fmt: skip
    for column, field in fields:
        gap, at = _gap(at, column)
        text += gap + field
        at += len(field)
    return text


def data(record: "dnslib.RR") -> str:
    """What a record says, as in a zone file."""
    return str(record.rdata.toZone())


def kind(number: int) -> str:
    """The name of a type."""
    import dnslib

    return str(dnslib.QTYPE.forward.get(number) or f"TYPE{number}")


def status(record: "dnslib.DNSRecord") -> str:
    """The name of what an answer says of the whole question: `NXDOMAIN`."""
    import dnslib

    number = record.header.rcode
    return str(dnslib.RCODE.forward.get(number) or f"RESERVED{number}")


def _question(asked: Any) -> str:
    name = str(asked.qname)
    gap, at = _gap(len(name), _CLASS)
    of_class = _class(asked.qclass)
    return name + gap + of_class + _gap(at + len(of_class), _TYPE)[0] + kind(asked.qtype)


def _class(number: int) -> str:
    import dnslib

    return str(dnslib.CLASS.forward.get(number) or f"CLASS{number}")


def _gap(at: int, column: int) -> tuple[str, int]:
    """Tabs and blanks from a column to another, one at least; and where they end."""
    to = column if at < column else at + 1
    tabs = to // 8 - at // 8
    begin = to // 8 * 8 if tabs else at
    return "\t" * tabs + " " * (to - begin), to


def _head(record: "dnslib.DNSRecord") -> str:
    header, text = record.header, ";; Got answer:\n"
    name = str(record.q.qname).lower() if record.questions else ""
    if f".{name}".endswith(".local."):
        text += _LEAKED
    text += f";; ->>HEADER<<- opcode: QUERY, status: {status(record)}, id: {header.id}\n"
    flags = "".join(f" {one}" for one in _FLAGS if getattr(header, one))
    text += (
        f";; flags:{flags}; QUERY: {len(record.questions)}, ANSWER: {len(record.rr)}, "
        f"AUTHORITY: {len(record.auth)}, ADDITIONAL: {len(record.ar)}\n"
    )
    if header.rd and not header.ra:
        text += ";; WARNING: recursion requested but not available\n"
    return text


def _statistics(found: Answer, server: str, port: int, now: float) -> str:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    how = "TCP" if found.tcp else "UDP"
    return (
        f";; Query time: {int(found.seconds * 1000)} msec\n"
        f";; SERVER: {found.server}#{port}({server or found.server}) ({how})\n"
        f";; WHEN: {moment:{_WEEKDAY_FIRST}}\n"
        f";; MSG SIZE  rcvd: {found.size}\n\n"
    )
