"""Commands by the URLs of a server that hangs up as Kubernetes' own library does."""

import asyncio
import contextlib
import json

from cluster.aio import tasks
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import commanding, dialing
from cluster.streams.spdy.connection import Connection

FAILED = {
    "status": "Failure",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}


async def serve(reader, writer) -> None:
    """Say something and how it ended, and reset all streams at once: in one write."""
    await reader.readuntil(b"\r\n\r\n")
    head = "HTTP/1.1 101 Switching Protocols\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
    writer.write((head + "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n").encode())
    connection = Connection(dialing.StreamPipe(reader, writer))
    opened: asyncio.Queue = asyncio.Queue()
    with contextlib.suppress(ConnectionError):
        async with tasks.Group("server") as group:
            running = group.spawn(connection.run(opened.put_nowait), "connection")
            streams = {}
            while len(streams) < 3:
                stream = await opened.get()
                await connection.accept(stream)
                streams[stream.header("streamtype")] = stream
            machine = connection._session
            machine.send(streams["stdout"].number, b"said\n" * 1000)
            machine.send(streams["error"].number, json.dumps(FAILED).encode())
            for stream in streams.values():
                machine.reset(stream.number)
            writer.write(machine.take())
            await writer.drain()
            writer.close()
            running.cancel()


def test_words_that_came_before_a_reset_are_heard() -> None:
    async def nothing():
        await asyncio.get_running_loop().create_future()
        yield

    async def main():
        async with asyncio.timeout(10), await asyncio.start_server(serve, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            start = pb.StreamStart(stdout=True, stderr=True)
            out, code = b"", None
            for _ in range(20):
                outputs = commanding.run(f"http://127.0.0.1:{port}/exec/x", start, nothing())
                out, code = b"", None
                async for one in outputs:
                    out += one.stdout
                    code = one.exit.code if one.HasField("exit") else code
                assert (out, code) == (b"said\n" * 1000, 3)

    asyncio.run(main())
