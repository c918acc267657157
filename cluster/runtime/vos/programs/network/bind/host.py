"""`host`."""

from typing import TYPE_CHECKING, Final

from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.programs.network.bind import asking, showing
from cluster.runtime.vos.programs.network.bind.asking import Answer, Question

if TYPE_CHECKING:
    import dnslib

_USAGE: Final = """Usage: host [-aCdilrTvVw46] [-c class] [-N ndots] [-t type] [-W time]
            [-R number] [-p port] hostname [server]
"""
_SAID: Final = {
    "A": "has address", "AAAA": "has IPv6 address", "CNAME": "is an alias for",
    "MX": "mail is handled by", "NS": "name server", "PTR": "domain name pointer",
    "TXT": "descriptive text",
}  # fmt: skip
_PLAIN: Final = ("A", "AAAA", "MX")
"""What is asked for where no type is said."""


async def host(call: Call) -> int:
    """`host [-t TYPE] [-T] [-W SECONDS] NAME [SERVER]`; an address is looked up backwards."""
    try:
        flags, rest = options.split(call.argv, "aCdilrTvVw46U", "cNtWRpm")
    except options.Unknown as unknown:
        await call.io.stderr.write(f"host: {unknown}\n{_USAGE}".encode(errors="replace"))
        return 1
    numbers = [flags.get(one, "1") for one in "NWRp"]
    if not 1 <= len(rest) <= 2 or not all(one.isdigit() and len(one) < 6 for one in numbers):
        await call.io.stderr.write(_USAGE.encode())
        return 1
    kinds = (flags["t"].upper(),) if "t" in flags else ("ANY",) if "a" in flags else _PLAIN
    if asking.number(kinds[0]) is None:
        return await call.complain(f"invalid type: {kinds[0][:40]}")
    pointer = asking.reverse(rest[0])
    if pointer is not None and "t" not in flags:
        kinds = ("PTR",)
    told = resolving.configured(call.files)
    names = [pointer] if pointer else resolving.candidates(rest[0], _with(told, flags))
    servers, text = told.servers, ""
    if len(rest) == 2:
        address = await reaching.address(call, rest[1])
        if address is None:
            return await call.complain(f"couldn't get address for '{rest[1][:255]}': not found")
        servers, port = (address,), flags.get("p", "53")
        text = f"Using domain server:\nName: {rest[1]}\nAddress: {address}#{port}\nAliases: \n\n"
    await call.out(text)
    return await _look_up(call, names, kinds, servers, flags)


def _with(told: resolving.Settings, flags: dict[str, str]) -> resolving.Settings:
    if "N" not in flags:
        return told
    return resolving.Settings(
        told.servers, told.search, int(flags["N"]), told.timeout, told.attempts
    )


async def _look_up(
    call: Call, names: list[str], kinds: tuple[str, ...], servers: tuple[str, ...],
    flags: dict[str, str],
) -> int:  # fmt: skip
    code = 0
    for kind in kinds:
        found, name = None, names[0]
        for name in names:
            found = await _asked(call, name, kind, servers, flags)
            if found is None:
                await call.out(";; connection timed out; no servers could be reached\n")
                return 1
            if found.record.header.rcode != resolving.NO_DOMAIN:
                break
        assert found is not None
        rcode = found.record.header.rcode
        if rcode:
            status = showing.status(found.record)
            await call.out(f"Host {names[-1].rstrip('.')} not found: {rcode}({status})\n")
            return 1
        names = [name if name.endswith(".") else f"{name}."]
        lines = [_line(one) for one in found.record.rr]
        if lines:
            # The way to a name's records is told once, not for each type.
            kept = [line for line in lines if kind == kinds[0] or " is an alias for " not in line]
            await call.out("".join(f"{line}\n" for line in kept))
        elif len(kinds) == 1:
            await call.out(f"{name.rstrip('.')} has no {kind} record\n")
            code = 1 if kind != "ANY" else code
    return code


async def _asked(
    call: Call, name: str, kind: str, servers: tuple[str, ...], flags: dict[str, str]
) -> Answer | None:
    question = Question(
        name, kind, recursion="r" not in flags, edns=False, tcp="T" in flags,
        tries=int(flags.get("R", "1")) + 1, seconds=float(max(int(flags.get("W", "5")), 1)),
    )  # fmt: skip
    try:
        found, _ = await asking.ask(call, question, servers, int(flags.get("p", "53")))
    except asking.Unsendable:
        return None
    return found


def _line(record: "dnslib.RR") -> str:
    kind, name = showing.kind(record.rtype), str(record.rname).rstrip(".")
    return f"{name} {_SAID.get(kind, f'has {kind} record')} {showing.data(record)}"
