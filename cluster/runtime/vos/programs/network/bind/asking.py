"""Questions to name servers, as BIND's programs ask them: one server, some tries, EDNS."""

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.sockets import Endpoint

if TYPE_CHECKING:
    import dnslib

TIMED_OUT: Final = "timed out"
_UDP_SIZE: Final = 1232
"""What BIND offers to take (DNS flag day 2020)."""
_CLASSES: Final = {"IN": 1, "CH": 3, "HS": 4, "ANY": 255}


@dataclass(slots=True)
class Question:
    """What is asked, and how. `tries` are all of them together; `seconds` are of each."""

    name: str
    kind: str = "A"
    of_class: str = "IN"
    recursion: bool = True
    edns: bool = True
    dnssec: bool = False
    tcp: bool = False
    follow: bool = True
    """Whether an answer that was cut is asked for again by TCP."""
    tries: int = 3
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: from where, how big in bytes, after how many seconds."""

    record: "dnslib.DNSRecord"
    server: str
    size: int
    seconds: float
    tcp: bool


class Unsendable(Exception):
    """A name that fits no packet; the message says why."""


def packet(question: Question) -> bytes:
    """The question's bytes. Its number is made of its words. Unsendable."""
    import dnslib

    made = dnslib.DNSRecord(dnslib.DNSHeader(
        id=zlib.crc32(f"{question.name}/{question.kind}".encode()) & 0xFFFF,
        rd=int(question.recursion), ad=1,
    ))  # fmt: skip
    kind, of_class = number(question.kind), _CLASSES[question.of_class]
    if kind is None:
        raise Unsendable(f"unknown type {question.kind!r}")
    try:
        made.add_question(dnslib.DNSQuestion(question.name, kind, of_class))
        if question.edns:
            made.add_ar(dnslib.EDNS0(udp_len=_UDP_SIZE, flags="do" * question.dnssec))
        return bytes(made.pack())
    except Exception as error:  # dnslib raises what it meets
        raise Unsendable(str(error)) from error


def number(kind: str) -> int | None:
    """The number of a type by its name, or `TYPE65`; None for what is none."""
    import dnslib

    name = kind.upper()
    if name.startswith("TYPE") and name[4:].isdigit() and len(name) < 10:
        return int(name[4:]) if int(name[4:]) < 65536 else None
    found: int | None = dnslib.QTYPE.reverse.get(name)
    return found


async def ask(
    call: Call, question: Question, servers: Sequence[str], port: int
) -> tuple[Answer | None, list[str]]:
    """An answer of the first server that gives one, and what went wrong before. Unsendable."""
    data, troubles = packet(question), []
    loop = asyncio.get_running_loop()
    for attempt in range(question.tries):
        server = servers[attempt % len(servers)]
        to, begun = Endpoint(server, port), loop.time()
        try:
            async with asyncio.timeout(question.seconds):
                record, size, tcp = await _exchanged(call, data, to, question)
        except TimeoutError:
            troubles.append(f"communications error to {server}#{port}: {TIMED_OUT}")
        except OSError as error:
            why = reaching.why(error).lower()
            troubles.append(f"communications error to {server}#{port}: {why}")
        else:
            return Answer(record, server, size, loop.time() - begun, tcp), troubles
    return None, troubles


async def _exchanged(
    call: Call, data: bytes, to: Endpoint, question: Question
) -> "tuple[dnslib.DNSRecord, int, bool]":
    identity = int.from_bytes(data[:2], "big")
    if not question.tcp:
        record, size = await resolving.by_datagram(data, identity, to, call.net)
        if not (record.header.tc and question.follow):
            return record, size, False
    record, size = await resolving.by_stream(data, identity, to, call.net)
    return record, size, True


def reverse(address: str) -> str | None:
    """The name under which an address has its own; None for what is no address."""
    import ipaddress

    try:
        return f"{ipaddress.ip_address(address).reverse_pointer}."
    except ValueError:
        return None
