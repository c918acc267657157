"""`ping` and `ping6`."""

import asyncio
from typing import Final

from cluster.runtime.vos.kernel import INT, Call
from cluster.runtime.vos.programs import options
from cluster.runtime.vos.programs.network import reaching

_TYPES: Final = {
    3: "Destination Unreachable", 4: "Source Quench", 5: "Redirect", 11: "Time Exceeded",
    12: "Parameter Problem",
}  # fmt: skip


async def ping(call: Call) -> int:
    """`ping [-46q] [-c COUNT] [-s SIZE] [-t TTL] [-i SECS] [-W SECS] [-w SECS] HOST`."""
    try:
        flags, rest = options.split(call.argv, "46qn", "csiWwtI")
        numbers = {
            letter: options.number(flags.get(letter, default))
            for letter, default in (("c", "0"), ("s", "56"), ("t", "64"), ("W", "10"), ("w", "0"))
        }
        pause = float(flags.get("i", "1"))
    except (options.Unknown, ValueError) as unknown:
        return await call.complain(str(unknown))
    sizes = numbers["s"] <= 65507 and 0 < numbers["t"] < 256
    if len(rest) != 1 or not sizes or not 0.002 <= pause < 1e6:
        return await call.complain("usage: ping [-c COUNT] [-s SIZE] [-i SECS] [-W SECS] HOST")
    six = "6" in flags or call.argv[0].endswith("ping6")
    family = 6 if six else 4 if "4" in flags else 0
    where = await reaching.address(call, rest[0], family)
    if where is None:
        return await call.complain(f"bad address '{rest[0][:255]}'")
    run = _Run(call, rest[0], where, numbers["s"], numbers["t"], quiet="q" in flags)
    await call.out(f"PING {rest[0]} ({where}): {numbers['s']} data bytes\n")
    return await run.go(numbers["c"], pause, numbers["W"], numbers["w"])


ping6 = ping


class _Run:
    """One ping's doings and sums."""

    def __init__(
        self, call: Call, name: str, where: str, size: int, ttl: int, *, quiet: bool
    ) -> None:
        self._call = call
        self._name = name
        self._where = where
        self._size = size
        self._ttl = ttl
        self._quiet = quiet
        self._sent = 0
        self._least = self._most = self._sum = 0.0
        self._got = 0
        self._ended = asyncio.Event()

    async def go(self, count: int, pause: float, wait: int, total: int) -> int:
        """Send `count` (0: without end), one each `pause` seconds, for `total` seconds at most."""
        self._call.process.handlers.setdefault(INT, lambda _number: self._ended.set())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + total if total else float("inf")
        while (not count or self._sent < count) and not self._ended.is_set():
            begun = loop.time()
            if begun >= deadline:
                break
            if not await self._once(wait):
                return 1
            if count and self._sent >= count:
                break
            await self._pause(begun + pause - loop.time())
        await self._tell()
        return 0 if self._got else 1

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._ended.wait()
        except TimeoutError:
            pass

    async def _once(self, wait: int) -> bool:
        """One packet; False where it could not even be sent."""
        number, self._sent = self._sent, self._sent + 1
        begun = self._call.kernel.clock.now()  # the loop's own time may be of milliseconds
        try:
            answer = await self._call.net.echo(
                self._where, self._size, ttl=self._ttl, timeout=max(wait, 1)
            )
        except TimeoutError:
            return True
        except OSError as error:
            await self._call.complain(f"sendto: {reaching.why(error)}")
            return False
        if answer.type:
            what = _TYPES.get(answer.type, "unknown ICMP type")
            await self._call.complain(f"warning: got ICMP {answer.type} ({what})")
            return True
        took = (self._call.kernel.clock.now() - begun) * 1000
        self._count(took)
        if not self._quiet:
            await self._call.out(
                f"{answer.size} bytes from {answer.source}: seq={number} ttl={answer.ttl} "
                f"time={took:.3f} ms\n"
            )
        return True

    def _count(self, took: float) -> None:
        self._least = took if not self._got else min(self._least, took)
        self._most = max(self._most, took)
        self._sum += took
        self._got += 1

    async def _tell(self) -> None:
        lost = 100 * (self._sent - self._got) // max(self._sent, 1)
        await self._call.out(
            f"\n--- {self._name} ping statistics ---\n{self._sent} packets transmitted, "
            f"{self._got} packets received, {lost}% packet loss\n"
        )
        if self._got:
            mean = self._sum / self._got
            await self._call.out(
                f"round-trip min/avg/max = {self._least:.3f}/{mean:.3f}/{self._most:.3f} ms\n"
            )
