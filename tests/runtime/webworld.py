"""Containers of emulated images on one bridge, and a client that speaks HTTP to them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from vosworld import EPOCH, Result

from cluster.aio import clock
from cluster.runtime.emulated import catalog
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.web.client import Conversation
from cluster.runtime.emulated.web.messages import Headers
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace, Nobody
from cluster.runtime.vos.kernel import Io, Kernel, Process
from cluster.runtime.vos.streams import Bytes, Collected


@dataclass
class Got:
    """An answer."""

    status: int
    headers: Headers
    body: bytes
    reason: str = ""

    @property
    def text(self) -> str:
        return self.body.decode()


class Box:
    """A container."""

    def __init__(
        self, net: Namespace, image: Image | None, tag: str, env: Mapping[str, str],
        files: Mapping[str, str], hostname: str,
    ) -> None:  # fmt: skip
        self.image = image
        self.net = net
        self.address = net.addresses[0]
        self.out, self.err = Collected(1 << 20), Collected(1 << 20)
        self.kernel = Kernel(
            clock=clock.LoopClock(asyncio.get_running_loop(), EPOCH),
            hostname=hostname,
            programs=catalog.programs(image),
            environment=dict(image.env if image else {}) | dict(env),
            addresses=net.addresses,
            network=net,
            image_tag=tag,
        )
        if image is not None:
            image.fill(self.kernel.files)
        for path, content in files.items():
            self.kernel.files.make_folders(path.rpartition("/")[0] or "/")
            self.kernel.files.put(path, content.encode())
        self.main: Process | None = None

    async def begin(self, *args: str, command: tuple[str, ...] = ()) -> Process:
        """Start the main process, and give it a moment."""
        assert self.image is not None or command
        entry = command or (self.image.entrypoint if self.image else ())
        rest = args or (() if command or self.image is None else self.image.cmd)
        cwd = (self.image.working_dir if self.image else "") or "/"
        self.main = self.kernel.start(
            [*entry, *rest], Io(Bytes(b""), self.out, self.err), cwd=cwd, pid=1
        )
        await asyncio.sleep(0.1)
        return self.main

    async def end(self, number: int) -> int:
        """Send the main process a signal; its exit code."""
        assert self.main is not None
        self.main.signal(number)
        async with asyncio.timeout(60):
            return await self.main.wait()

    async def run(self, *argv: str, stdin: bytes = b"", limit: float = 300.0) -> Result:
        """Run a program in it, as an exec does."""
        out, err = Collected(1 << 22), Collected(1 << 22)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        process = self.kernel.start(list(argv), Io(Bytes(stdin), out, err), cwd="/")
        async with asyncio.timeout(limit):
            code = await process.wait()
        return Result(out.data.decode(), err.data.decode(), code, loop.time() - begin)

    @property
    def log(self) -> str:
        return self.out.data.decode()

    @property
    def errors(self) -> str:
        return self.err.data.decode()


class World:
    """A node's bridge. `client` is a pod that asks others."""

    def __init__(self) -> None:
        self.bridge = Bridge()
        self._next = 2
        self.client = self.pod()

    def pod(self) -> Namespace:
        address = f"10.244.0.{self._next}"
        self._next += 1
        made = Namespace(self.bridge, (address,), Nobody())
        self.bridge.join((address,), lambda: made)
        return made

    def box(
        self, image: Image | None = None, tag: str = "latest", *, net: Namespace | None = None,
        files: Mapping[str, str] | None = None, hostname: str = "web-0", **env: str,
    ) -> Box:  # fmt: skip
        """A container, in a pod of its own unless `net` is given."""
        return Box(net or self.pod(), image, tag, env, files or {}, hostname)

    async def get(
        self, box: Box, target: str = "/", *, port: int = 80, method: str = "GET",
        headers: Mapping[str, str] | None = None, body: bytes = b"",
    ) -> Got:  # fmt: skip
        """Ask a server."""
        async with asyncio.timeout(120):
            stream = await self.client.connect(box.address, port)
            talk = Conversation(stream)
            given = dict(headers or {})
            host = given.pop("Host", f"{box.address}:{port}")
            await talk.send(method, target, Headers([("Host", host), *given.items()]), body)
            answer = await talk.answer()
            data = await talk.everything(1 << 24)
            stream.close()
        return Got(answer.status, answer.headers, data, answer.reason)

    async def raw(self, box: Box, data: bytes, port: int = 80) -> bytes:
        """Send bytes; all that comes back until the server closes."""
        async with asyncio.timeout(300):
            stream = await self.client.connect(box.address, port)
            await stream.send(data)
            found = b""
            while piece := await stream.receive():
                found += piece
            stream.close()
        return found
