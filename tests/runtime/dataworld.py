"""Containers of emulated images on one bridge: a kernel each, with files and a network."""

import asyncio
from collections.abc import Mapping

from vosworld import EPOCH, Result

from cluster.aio import clock
from cluster.runtime.emulated import catalog
from cluster.runtime.emulated.image import Image
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace, Nobody
from cluster.runtime.vos.kernel import TERM, Io, Kernel, Process
from cluster.runtime.vos.streams import Bytes, Collected


class Box:
    """A container of an image."""

    def __init__(
        self, world: "World", image: Image, tag: str, env: Mapping[str, str], address: str
    ) -> None:
        self.image = image
        self.address = address
        self.out = Collected(1 << 20)
        self.err = Collected(1 << 20)
        self.net = Namespace(world.bridge, (address,), Nobody())
        world.bridge.join((address,), lambda: self.net)
        self.kernel = Kernel(
            clock=clock.LoopClock(asyncio.get_running_loop(), EPOCH),
            hostname=f"box-{address.rpartition('.')[2]}",
            programs=catalog.programs(image),
            environment=dict(image.env) | dict(env),
            network=self.net,
            image_tag=tag,
        )
        for path, content in image.files.items():
            if path.endswith("/"):
                self.kernel.files.make_folders(path.rstrip("/"))
            else:
                data = content.encode() if isinstance(content, str) else content
                self.kernel.files.put(path, data)
        self.main: Process | None = None

    def begin(self, *args: str, command: tuple[str, ...] = ()) -> Process:
        """Start the main process: the image's own, with other arguments or another command."""
        argv = [*(command or self.image.entrypoint), *(args or (() if command else self.image.cmd))]
        cwd = self.image.working_dir or "/"
        self.main = self.kernel.start(argv, Io(Bytes(b""), self.out, self.err), cwd=cwd, pid=1)
        return self.main

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self.main is not None
        self.main.signal(TERM)
        async with asyncio.timeout(30):
            return await self.main.wait()

    async def run(self, *argv: str, stdin: bytes = b"", limit: float = 60.0) -> Result:
        """Run a program in it, as an exec does."""
        out, err = Collected(1 << 22), Collected(1 << 22)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        process = self.kernel.start(list(argv), Io(Bytes(stdin), out, err), cwd="/")
        async with asyncio.timeout(limit):
            code = await process.wait()
        return Result(out.data.decode(), err.data.decode(), code, loop.time() - begin)

    async def logged(self, text: str, limit: float = 30.0) -> None:
        """Wait for something in its log."""
        async with asyncio.timeout(limit):
            while text not in self.out.data.decode() + self.err.data.decode():
                await asyncio.sleep(0.01)


class World:
    """A node's bridge with containers."""

    def __init__(self) -> None:
        self.bridge = Bridge()
        self._next = 2

    def box(self, image: Image, tag: str = "latest", **env: str) -> Box:
        """A container of an image, with an address of its own."""
        address = f"10.244.0.{self._next}"
        self._next += 1
        return Box(self, image, tag, env, address)
