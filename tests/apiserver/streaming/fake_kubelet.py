"""A kubelet that does what a test says, and remembers what it was asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from cluster.api import errors
from cluster.apiserver.kubelets.protocol import Unreachable
from cluster.pb.cluster.v1 import kubelet_pb2 as pb


class FakeKubelet:
    """Containers with a tiny shell: `cat`, `echo words`, `exit N`, `size`, `yes N`, `hang`."""

    def __init__(self) -> None:
        self.starts: list[pb.StreamStart] = []
        self.asked: list[pb.LogsRequest] = []
        self.forwarded: list[pb.PortForwardStart] = []
        self.pages: list[pb.PageRequest] = []
        self.log: list[bytes] = [b"one\n", b"two\n"]
        self.more: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.refusal: errors.StatusError | None = None
        self.ports: dict[int, Any] = {80: echo_port}
        self.page_answer = pb.PageResponse(status=200, content_type="text/plain", body=b"ok")
        self.said = 0
        self._running = 0
        self.idle = asyncio.Event()
        """Whether nothing runs any more, since something did."""

    @property
    def running(self) -> int:
        """How many logs, commands and connections are under way."""
        return self._running

    @running.setter
    def running(self, count: int) -> None:
        self._running = count
        if count:
            self.idle.clear()
        else:
            self.idle.set()

    async def logs(self, request: pb.LogsRequest) -> AsyncIterator[pb.LogsResponse]:
        self.asked.append(request)
        if self.refusal:
            raise self.refusal
        self.running += 1
        try:
            for chunk in self.log:
                yield pb.LogsResponse(data=chunk)
            while request.follow:
                chunk = await self.more.get()
                if chunk is None:
                    return
                if isinstance(chunk, Exception):
                    raise chunk
                yield pb.LogsResponse(data=chunk)
        finally:
            self.running -= 1

    async def exec(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        start = (await anext(inputs)).start
        self.starts.append(start)
        if self.refusal:
            raise self.refusal
        self.running += 1
        try:
            async for output in _run(list(start.command), inputs):
                self.said += output.WhichOneof("output") != "exit"
                yield output
        finally:
            self.running -= 1

    async def attach(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        start = (await anext(inputs)).start
        self.starts.append(start)
        command = ["cat"] if start.stdin else ["echo", "attached"]
        async for output in _run(command, inputs):
            yield output

    async def port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        start = (await anext(inputs)).start
        self.forwarded.append(start)
        serve = self.ports.get(start.port)
        if serve is None:
            yield pb.PortForwardOutput(error="connect: connection refused")
            return
        yield pb.PortForwardOutput(connected=True)
        self.running += 1
        try:
            async for output in serve(inputs):
                yield output
        finally:
            self.running -= 1

    async def page(self, request: pb.PageRequest) -> pb.PageResponse:
        self.pages.append(request)
        return self.page_answer


class FakeConnector:
    """Reaches one kubelet, whatever the node; `broken` says why it cannot."""

    def __init__(self, kubelet: FakeKubelet) -> None:
        self.fake = kubelet
        self.broken = ""
        self.nodes: list[str] = []

    @contextlib.asynccontextmanager
    async def kubelet(self, node: Any) -> AsyncIterator[FakeKubelet]:
        self.nodes.append(node["metadata"]["name"])
        if self.broken:
            raise Unreachable(self.broken)
        yield self.fake


async def echo_port(
    inputs: AsyncIterator[pb.PortForwardInput],
) -> AsyncIterator[pb.PortForwardOutput]:
    """Sends back what comes, until the client has closed."""
    async for item in inputs:
        if item.WhichOneof("input") == "data":
            yield pb.PortForwardOutput(data=item.data)
        else:
            break
    yield pb.PortForwardOutput(closed=True)


def http_port(answer: bytes, seen: list[bytes] | None = None) -> Any:
    """A server that answers every first request head with the same bytes, kept in `seen`."""
    seen = seen if seen is not None else []

    async def serve(
        inputs: AsyncIterator[pb.PortForwardInput],
    ) -> AsyncIterator[pb.PortForwardOutput]:
        head = b""
        async for item in inputs:
            head += item.data
            if b"\r\n\r\n" in head:
                seen.append(head)
                break
        yield pb.PortForwardOutput(data=answer)
        yield pb.PortForwardOutput(closed=True)

    return serve


async def _run(
    command: list[str], inputs: AsyncIterator[pb.StreamInput]
) -> AsyncIterator[pb.StreamOutput]:
    code = 0
    match command:
        case ["cat"]:
            async for item in inputs:
                if item.WhichOneof("input") == "stdin":
                    yield pb.StreamOutput(stdout=item.stdin)
                elif item.stdin_closed:
                    break
        case ["echo", *words]:
            yield pb.StreamOutput(stdout=" ".join(words).encode() + b"\n")
        case ["warn", *words]:
            yield pb.StreamOutput(stderr=" ".join(words).encode() + b"\n")
        case ["exit", number]:
            code = int(number)
        case ["size"]:
            async for item in inputs:
                if item.WhichOneof("input") == "resize":
                    text = f"{item.resize.width}x{item.resize.height}\n"
                    yield pb.StreamOutput(stdout=text.encode())
                    break
        case ["yes", number]:
            for _ in range(int(number)):
                yield pb.StreamOutput(stdout=b"y\n" * 8192)
        case ["hang"]:
            async for _ in inputs:
                pass
            await asyncio.Event().wait()
        case _:
            why = f'exec: "{command[0]}": executable file not found in $PATH'
            yield pb.StreamOutput(exit=pb.Exit(error=why))
            return
    yield pb.StreamOutput(exit=pb.Exit(code=code))
