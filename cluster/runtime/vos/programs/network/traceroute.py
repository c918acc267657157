"""`traceroute`: who is on the way to a machine, asked for by pings that live ever longer."""

from dataclasses import dataclass
from typing import Final

from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.sockets import Answer

_TIME_EXCEEDED: Final = 11
_UNREACHABLE: Final = 3
_NOTES: Final = {0: " !N", 1: " !H", 2: " !P", 3: "", 4: " !F", 9: " !A", 10: " !C", 13: " !X"}
"""By the code of "destination unreachable"."""
_USAGE: Final = "usage: traceroute [-In] [-f FIRST] [-m HOPS] [-q PROBES] [-w SECS] HOST [SIZE]"
_HEADERS: Final = 28


async def traceroute(call: Call) -> int:
    """`traceroute [-In] [-f FIRST] [-m HOPS] [-q PROBES] [-w SECS] HOST [SIZE]`.

    Probes are echo requests, with and without -I.
    """
    try:
        flags, rest = options.split(call.argv, "InFv4", "fmqwp")
        first, hops, probes, wait = (
            options.number(flags.get(letter, default))
            for letter, default in (("f", "1"), ("m", "30"), ("q", "3"), ("w", "3"))
        )
        size = options.number(rest[1]) if len(rest) > 1 else 38 + 8
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    told = 0 < len(rest) < 3 and _HEADERS <= size <= 32768
    if not (told and 0 < first <= hops < 256 and 0 < probes <= 10 and 0 < wait < 3600):
        return await call.complain(_USAGE)
    where = await reaching.address(call, rest[0], 4)
    if where is None:
        return await call.complain(f"bad address '{rest[0][:255]}'")
    await call.out(f"traceroute to {rest[0]} ({where}), {hops} hops max, {size} byte packets\n")
    asking = _Asking(call, where, probes, wait, size - _HEADERS)
    for ttl in range(first, hops + 1):
        try:
            if await asking.hop(ttl):
                break
        except OSError as error:
            return await call.complain(f"sendto: {reaching.why(error)}")
    return 0


@dataclass(frozen=True, slots=True)
class _Asking:
    """What each hop is asked."""

    call: Call
    where: str
    probes: int
    wait: int
    size: int

    async def hop(self, ttl: int) -> bool:
        """Show who answers at a distance; whether it is the end of the way. OSError."""
        await self.call.out(f"{ttl:2d}")
        last, ended = "", False
        for _ in range(self.probes):
            begun = self.call.kernel.clock.now()
            try:
                answer = await self.call.net.echo(self.where, self.size, ttl=ttl, timeout=self.wait)
            except TimeoutError:
                await self.call.out("  *")
                continue
            who = "" if answer.source == last else f"  {answer.source} ({answer.source})"
            last = answer.source
            took = (self.call.kernel.clock.now() - begun) * 1000
            await self.call.out(f"{who}  {took:.3f} ms{_note(answer)}")
            ended = ended or answer.type != _TIME_EXCEEDED
        await self.call.out("\n")
        return ended


def _note(answer: Answer) -> str:
    if answer.type != _UNREACHABLE:
        return ""
    return _NOTES.get(answer.code, f" !<{answer.code}>")
