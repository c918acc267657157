"""A container's virtual OS without a container: runs scripts and tells what came of them."""

import asyncio
from dataclasses import dataclass

from cluster.aio import clock, virtual
from cluster.runtime.vos.kernel import Io, Kernel
from cluster.runtime.vos.programs import PROGRAMS
from cluster.runtime.vos.streams import Bytes, Collected

EPOCH = 1_767_225_600.0


@dataclass
class Result:
    out: str
    err: str
    code: int
    seconds: float


def kernel(**environment: str) -> Kernel:
    loop = asyncio.get_running_loop()
    return Kernel(
        clock=clock.LoopClock(loop, EPOCH),
        hostname="web-0",
        programs=PROGRAMS,
        environment=environment,
        addresses=("10.244.1.7",),
    )


async def on(target: Kernel, *argv: str, stdin: bytes = b"", limit: float = 600.0) -> Result:
    """Run a program on a kernel."""
    loop = asyncio.get_running_loop()
    out, err = Collected(1 << 22), Collected(1 << 22)
    begin = loop.time()
    process = target.start(list(argv), Io(Bytes(stdin), out, err))
    async with asyncio.timeout(limit):
        code = await process.wait()
    return Result(out.data.decode(), err.data.decode(), code, loop.time() - begin)


def sh(script: str, *words: str, stdin: bytes = b"", **environment: str) -> Result:
    """Run a script on a fresh kernel, on virtual time."""

    async def main() -> Result:
        return await on(kernel(**environment), "sh", "-c", script, "sh", *words, stdin=stdin)

    return virtual.run(main())
