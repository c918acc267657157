"""Names to addresses, as getaddrinfo of glibc and musl: /etc/hosts, then the servers of
/etc/resolv.conf (resolv.conf(5): search, ndots, timeout, attempts) over datagrams.

Failures are `socket.gaierror`: EAI_NONAME for a name that nobody has, EAI_AGAIN where no server
answered. IDs of questions are made of the name: nobody can spoof here, and the lab stays the same.
"""

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.sockets import Endpoint, Network

if TYPE_CHECKING:
    import dnslib

PORT: Final = 53
_MAX_SERVERS: Final = 3
_MAX_SEARCH: Final = 32
"""As Kubernetes allows (MaxDNSSearchPaths); glibc takes any number."""
_MAX_CHAIN: Final = 16
_MAX_FILE: Final = 1 << 20
_TYPES: Final = {4: "A", 6: "AAAA"}
NO_ERROR, SERVER_FAILURE, NO_DOMAIN = 0, 2, 3
"""RFC 1035, 4.1.1."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What /etc/resolv.conf says; `timeout` in seconds."""

    servers: tuple[str, ...] = ("127.0.0.1",)
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: int = 5
    attempts: int = 2


class Unanswered(Exception):
    """No server has answered; the message says why."""


def servers(text: str) -> tuple[str, ...]:
    """The name servers that /etc/resolv.conf names."""
    lines = (line.partition("#")[0].partition(";")[0].split() for line in text.splitlines())
    named = (words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")
    return tuple(one for one in named if _is_address(one))


def settings(text: str) -> Settings:
    """Read /etc/resolv.conf; what cannot be read is skipped, as the libraries do."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    numbers = {"ndots": 1, "timeout": 5, "attempts": 2}
    most = {"ndots": 15, "timeout": 30, "attempts": 5}
    for line in text[:_MAX_FILE].splitlines():
        words = line.partition("#")[0].partition(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver" and len(servers) < _MAX_SERVERS and _is_address(words[1]):
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = tuple(one.rstrip(".") for one in words[1 : _MAX_SEARCH + 1])
        elif words[0] == "options":
            for word in words[1:]:
                name, _, value = word.partition(":")
                if name in numbers and value.isdigit() and len(value) < 6:
                    numbers[name] = min(int(value), most[name])
    return Settings(
        tuple(servers) or ("127.0.0.1",),
        tuple(one for one in search if one),
        numbers["ndots"],
        max(numbers["timeout"], 1),
        max(numbers["attempts"], 1),
    )


def configured(files: FileSystem) -> Settings:
    """The settings of a container."""
    return settings(_text(files, "/etc/resolv.conf"))


def candidates(name: str, told: Settings) -> list[str]:
    """The full names to ask for, in order."""
    if name.endswith("."):
        return [name.rstrip(".")]
    longer = [f"{name}.{one}" for one in told.search]
    return [name, *longer] if name.count(".") >= told.ndots else [*longer, name]


def in_hosts(text: str, name: str) -> list[str]:
    """The addresses that /etc/hosts has for a name, in order."""
    found: list[str] = []
    wanted = name.lower().rstrip(".")
    for line in text[:_MAX_FILE].splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and wanted in (one.lower() for one in words[1:]):
            found.append(words[0])
    return [one for one in dict.fromkeys(found) if _is_address(one)]


async def addresses(name: str, *, files: FileSystem, net: Network, family: int = 0) -> list[str]:
    """The addresses of a name, the first of which is to be tried first. socket.gaierror.

    `family` is 4 or 6, or 0 for those that the pod has itself (AI_ADDRCONFIG).
    """
    if _is_address(name):
        return [name] if family in (0, _family(name)) else _no_name()
    families = (family,) if family else _families(net)
    local = in_hosts(_text(files, "/etc/hosts"), name)
    fitting = [one for one in local if _family(one) in families]
    if fitting or (local and not family):
        return sorted(fitting or local, key=lambda one: _family(one) != families[0])
    if not name or len(name) > 253 or not name.isascii() or "\0" in name:
        return _no_name()
    if name.lower().rstrip(".") == "localhost":
        return ["127.0.0.1"] if families[0] == 4 else ["::1"]
    return await _asked(name, families, configured(files), net)


async def _asked(name: str, families: Sequence[int], told: Settings, net: Network) -> list[str]:
    silent = False
    for full in candidates(name, told):
        found: list[str] = []
        for family in families:
            try:
                answer = await query(full, _TYPES[family], told, net)
            except Unanswered:
                silent = True
            else:
                found += chased(answer, _TYPES[family])
        if found:
            return found
        if silent and told.search:
            break
    if silent:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _no_name()


async def query(
    name: str, kind: str, told: Settings, net: Network, *, port: int = PORT
) -> "dnslib.DNSRecord":
    """Ask the servers in turn for the records of a full name. Unanswered.

    An answer is NOERROR or NXDOMAIN; who says anything else is passed over.
    """
    # Imported here: few containers ask.
    import dnslib

    try:
        question = dnslib.DNSRecord.question(name, kind)
        question.header.id = zlib.crc32(f"{name}/{kind}".encode()) & 0xFFFF
        packet = bytes(question.pack())
    except Exception as error:  # dnslib raises what it meets: a label is too long
        raise Unanswered(f"{name}: {error}") from error
    why = "no servers could be reached"
    for _ in range(told.attempts):
        for server in told.servers:
            to = Endpoint(server, port)
            try:
                async with asyncio.timeout(told.timeout):
                    answer = await exchanged(packet, question.header.id, to, net)
            except TimeoutError:
                why = f"{server}: connection timed out"
                continue
            except OSError as error:
                why = f"{server}: {(error.strerror or str(error)).lower()}"
                continue
            if answer.header.rcode in (NO_ERROR, NO_DOMAIN):
                return answer
            why = f"{server}: {dnslib.RCODE.get(answer.header.rcode)}"
    raise Unanswered(why)


async def exchanged(
    packet: bytes, number: int, to: Endpoint, net: Network, *, follow: bool = True
) -> "dnslib.DNSRecord":
    """One question to one server; a cut answer is asked for again by TCP if `follow`. OSError."""
    answer, _ = await by_datagram(packet, number, to, net)
    if follow and answer.header.tc:
        return await over_stream(packet, number, to, net)
    return answer


async def by_datagram(
    packet: bytes, number: int, to: Endpoint, net: Network
) -> "tuple[dnslib.DNSRecord, int]":
    """An answer over UDP, which may be cut, and its size in bytes. OSError."""
    sock = net.datagrams()
    try:
        sock.send(packet, to)
        while True:
            data, sender = await sock.receive()
            answer = _parsed(data, number) if sender.port == to.port else None
            if answer is not None:
                return answer, len(data)
    finally:
        sock.close()


async def over_stream(packet: bytes, number: int, to: Endpoint, net: Network) -> "dnslib.DNSRecord":
    """The same over TCP. OSError."""
    answer, _ = await by_stream(packet, number, to, net)
    return answer


async def by_stream(
    packet: bytes, number: int, to: Endpoint, net: Network
) -> "tuple[dnslib.DNSRecord, int]":
    """An answer over TCP, and its size in bytes. OSError."""
    stream = await net.connect(to.address, to.port)
    try:
        await stream.send(len(packet).to_bytes(2, "big") + packet)
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            more = await stream.receive()
            if not more:
                raise ConnectionResetError
            data += more
    finally:
        stream.close()
    answer = _parsed(data[2:], number)
    if answer is None:
        raise ConnectionResetError
    return answer, len(data) - 2


def _parsed(data: bytes, number: int) -> "dnslib.DNSRecord | None":
    import dnslib

    try:
        answer = dnslib.DNSRecord.parse(data)
    except Exception:  # noqa: BLE001  (whatever a hostile packet makes dnslib raise: it is no answer)
        return None
    return answer if answer.header.id == number and answer.header.qr else None


def chased(answer: "dnslib.DNSRecord", kind: str) -> list[str]:
    """The addresses in an answer to its own question, along its chain of CNAMEs."""
    import dnslib

    wanted = getattr(dnslib.QTYPE, kind)
    name = str(answer.q.qname).lower() if answer.questions else ""
    for _ in range(_MAX_CHAIN):
        records = [one for one in answer.rr if str(one.rname).lower() == name]
        found = [str(one.rdata) for one in records if one.rtype == wanted]
        if found:
            return found
        alias = next((one for one in records if one.rtype == dnslib.QTYPE.CNAME), None)
        if alias is None:
            return []
        name = str(alias.rdata).lower()
    return []


def _families(net: Network) -> tuple[int, ...]:
    """Those that the pod has addresses of, IPv4 first (RFC 6724: pods' IPv6 is unique local)."""
    found = sorted({_family(one) for one in net.addresses})
    return tuple(found) or (4, 6)


def _family(address: str) -> int:
    return 6 if ":" in address else 4


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _no_name() -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _text(files: FileSystem, path: str) -> str:
    try:
        return files.read(path).decode(errors="replace")
    except OSError:
        return ""
