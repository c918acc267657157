"""`nslookup`."""

from typing import TYPE_CHECKING, Final

from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching

if TYPE_CHECKING:
    import dnslib

_TYPES: Final = ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "ANY")


async def nslookup(call: Call) -> int:
    """`nslookup [-type=TYPE] HOST [SERVER]`."""
    return await _run(call, ":")


async def of_bind(call: Call) -> int:
    """The same as BIND's shows it."""
    return await _run(call, "#")


async def _run(call: Call, mark: str) -> int:
    kinds = ["A", "AAAA"]
    words = []
    for word in call.argv[1:]:
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and equals and name in ("type", "query", "q", "querytype"):
            kinds = [value.upper()]
        elif not word.startswith("-"):
            words.append(word)
    if not 1 <= len(words) <= 2 or kinds[0] not in _TYPES:
        return await call.complain("usage: nslookup [-type=QUERY_TYPE] HOST [DNS_SERVER]")
    told = resolving.configured(call.files)
    if len(words) == 2:
        server = await reaching.address(call, words[1])
        if server is None:
            return await call.complain(f"bad address '{words[1][:255]}'")
        told = resolving.Settings((server,), told.search, told.ndots, told.timeout, told.attempts)
    pointer = _reverse(words[0])
    if pointer is not None:
        kinds = ["PTR"]
    return await _ask(call, pointer or words[0], kinds, told, mark, search=pointer is None)


async def _ask(
    call: Call, name: str, kinds: list[str], told: resolving.Settings, mark: str, *, search: bool
) -> int:
    server = told.servers[0]
    shown = f"[{server}]" if ":" in server else server
    await call.out(f"Server:\t\t{server}\nAddress:\t{shown}{mark}{resolving.PORT}\n\n")
    names = resolving.candidates(name, told) if search else [name]
    missing, exists = "", ""
    for full in names:
        found: list[str] = []
        for kind in kinds:
            try:
                answer = await resolving.query(full, kind, told, call.net)
            except resolving.Unanswered as error:
                await call.out(_trouble(full, str(error)))
                return 1
            found += _lines(answer, mark)
            if answer.header.rcode == resolving.NO_DOMAIN:
                missing = f"** server can't find {full}: NXDOMAIN\n\n"
            else:
                exists = exists or full
        if found:
            await call.out("".join(dict.fromkeys(found)) + "\n")
            return 0
    # A name that has other records is there, whatever the search made of it.
    await call.out(f"*** Can't find {exists}: No answer\n\n" if exists else missing)
    return 1


def _trouble(name: str, why: str) -> str:
    """No answer that is one: a server said so (`10.96.0.10: SERVFAIL`), or none said anything."""
    status = why.rpartition(": ")[2]
    if status.isupper():
        return f"** server can't find {name}: {status}\n\n"
    return ";; connection timed out; no servers could be reached\n\n"


def _lines(answer: "dnslib.DNSRecord", mark: str) -> list[str]:
    """The records of an answer, as busybox shows them, or BIND: it leaves names their last dot."""
    import dnslib

    lines = []
    for one in answer.rr:
        name, kind = str(one.rname).rstrip("."), str(dnslib.QTYPE.get(one.rtype))
        value = str(one.rdata)
        value = value if mark == "#" else value.rstrip(".")
        if kind in ("A", "AAAA"):
            lines.append(f"Name:\t{name}\nAddress: {value}\n")
        elif kind == "CNAME":
            lines.append(f"{name}\tcanonical name = {value}\n")
        elif kind == "PTR":
            lines.append(f"{name}\tname = {value}\n")
        elif kind == "SRV":
            lines.append(f"{name}\tservice = {value}\n")
        else:
            lines.append(f"{name}\t{kind.lower()} = {value}\n")
    return lines


def _reverse(text: str) -> str | None:
    """The name under which an address has its own; None for what is no address."""
    import ipaddress

    try:
        return ipaddress.ip_address(text).reverse_pointer
    except ValueError:
        return None
