"""Our stack against the kernel's, over a TAP device in a network namespace of its own.

Run by tests: `python kernelpeer.py NAME...`; prints a line of JSON for each scenario. Without
`CAP_NET_ADMIN` it makes a user namespace first.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import random
import socket
import struct
import sys
import time

from cluster.network.io import plugging
from cluster.network.io.device import Device
from cluster.network.io.plugging import Interface
from cluster.network.io.sockets import Endpoint, Stack
from cluster.network.stack.endhost.settings import Settings
from cluster.network.stack.host import Host
from cluster.network.stack.tcp.settings import Settings as TcpSettings
from cluster.network.wire import addresses, icmp, mac

KERNEL = addresses.parse("10.77.0.1")
OURS = addresses.parse("10.77.0.2")
MTU = 1450
_NEWUSER, _NEWNET = 0x10000000, 0x40000000


def enter() -> None:
    """Go into a network namespace of our own."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _NEWNET if os.geteuid() == 0 else _NEWNET | _NEWUSER
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")


class World:
    """The kernel is one host, our stack the other; `loss` loses frames both ways."""

    def __init__(self, descriptor: int, tcp: TcpSettings) -> None:
        self.random = random.Random(7)
        self.loss = 0.0
        settings = Settings(mac.of_address(OURS), ((OURS, 24),), mtu=MTU, tcp=tcp)
        self.stack = Stack(Host(settings, self.random))
        self.device = Device(descriptor, self._received)
        self.stack.transmit = self._send

    def _received(self, frames):
        self.stack.receive([one for one in frames if self.random.random() >= self.loss])

    def _send(self, frames):
        self.device.send([one for one in frames if self.random.random() >= self.loss])

    def close(self) -> None:
        self.stack.close()
        self.device.close()


def data_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def to_kernel(world: World, size: int = 3_000_000) -> dict[str, object]:
    """We connect to the kernel and both send."""
    got = bytearray()

    async def serve(reader, writer):
        while data := await reader.read(65536):
            got.extend(data)
        writer.write(data_of(size // 2))
        writer.write_eof()
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "10.77.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        begun = time.perf_counter()
        stream = await world.stack.connect(Endpoint(KERNEL, port))
        await stream.send(data_of(size))
        stream.end()
        back = bytearray()
        while data := await stream.receive():
            back += data
        took = time.perf_counter() - begun
        stream.close()
    whole = bytes(got) == data_of(size) and bytes(back) == data_of(size // 2)
    return {"whole": whole, "gbits": round(size * 12 / took / 1e9, 3)}


async def from_kernel(world: World, size: int = 3_000_000) -> dict[str, object]:
    """The kernel connects to us and both send."""
    listener = world.stack.listen(8080)
    got = bytearray()

    async def serve():
        stream = await listener.accept()
        while data := await stream.receive():
            got.extend(data)
        await stream.send(data_of(size // 2))
        stream.close()

    task = asyncio.get_running_loop().create_task(serve())
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("10.77.0.2", 8080)
    writer.write(data_of(size))
    writer.write_eof()
    back = await reader.read(-1)
    took = time.perf_counter() - begun
    await task
    writer.close()
    listener.close()
    whole = bytes(got) == data_of(size) and back == data_of(size // 2)
    return {"whole": whole, "gbits": round(size * 12 / took / 1e9, 3)}


async def lossy(world: World) -> dict[str, object]:
    """Both ways with 2 % of the frames lost, the kernel's long ones too."""
    world.loss = 0.02
    try:
        up = await to_kernel(world, 400_000)
        down = await from_kernel(world, 400_000)
    finally:
        world.loss = 0.0
    return {"whole": up["whole"] and down["whole"]}


async def refused(world: World) -> dict[str, object]:
    """Ports where nobody listens, on either side."""
    found = {}
    try:
        await world.stack.connect(Endpoint(KERNEL, 9))
    except OSError as error:
        found["we"] = type(error).__name__
    try:
        await asyncio.open_connection("10.77.0.2", 9)
    except OSError as error:
        found["kernel"] = type(error).__name__
    return found


async def resets(world: World) -> dict[str, object]:
    """A reset of either side reaches the other."""
    found = {}
    accepted = asyncio.get_running_loop().create_future()

    async def serve(reader, writer):
        accepted.set_result(writer)
        try:
            await reader.read(1)
        except ConnectionResetError:
            found["kernel"] = "reset"

    async with await asyncio.start_server(serve, "10.77.0.1", 0) as server:
        stream = await world.stack.connect(Endpoint(KERNEL, server.sockets[0].getsockname()[1]))
        await accepted
        stream.abort()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if found:
                break
    accepted = asyncio.get_running_loop().create_future()
    async with await asyncio.start_server(
        lambda _reader, writer: accepted.set_result(writer), "10.77.0.1", 0
    ) as server:
        stream = await world.stack.connect(Endpoint(KERNEL, server.sockets[0].getsockname()[1]))
        writer = await accepted
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        try:
            await stream.receive()
        except ConnectionResetError:
            found["we"] = "reset"
    return found


async def stalled(world: World) -> dict[str, object]:
    """A reader that does not read for a while, on either side: the windows close and open."""
    size = 12_000_000
    listener = world.stack.listen(8081)
    reader, writer = await asyncio.open_connection("10.77.0.2", 8081)
    stream = await listener.accept()
    writer.write(data_of(size))
    writer.write_eof()
    await asyncio.sleep(0.3)
    held = stream.waiting
    got = bytearray()
    while data := await stream.receive():
        got += data
    stream.end()
    assert await reader.read(-1) == b""
    stream.close()
    writer.close()
    listener.close()
    connected = asyncio.get_running_loop().create_future()
    async with await asyncio.start_server(
        lambda reader, _writer: connected.set_result(reader), "10.77.0.1", 0, limit=1 << 12
    ) as server:
        stream = await world.stack.connect(Endpoint(KERNEL, server.sockets[0].getsockname()[1]))
        there = await connected

        async def send():
            await stream.send(data_of(size))
            stream.end()

        task = asyncio.get_running_loop().create_task(send())
        await asyncio.sleep(0.3)
        blocked = not task.done()
        back = await there.read(-1)
        await task
        stream.close()
    return {
        "whole": bytes(got) == data_of(size) and back == data_of(size),
        "held": held,
        "blocked": blocked,
    }


async def datagrams(world: World) -> dict[str, object]:
    """UDP both ways, with fragments, and ICMP's word of a port that nobody has."""
    loop = asyncio.get_running_loop()
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("10.77.0.1", 0))
        ours = world.stack.datagrams(53)
        await loop.sock_sendto(sock, data_of(20000), ("10.77.0.2", 53))
        data, sender = await asyncio.wait_for(ours.receive(), 5)
        found["in"] = data == data_of(20000)
        ours.send(data_of(9000), sender)
        back = await asyncio.wait_for(loop.sock_recv(sock, 65536), 5)
        found["out"] = back == data_of(9000)
        ours.send(b"x", Endpoint(KERNEL, 9))
        try:
            await asyncio.wait_for(ours.receive(), 5)
        except ConnectionRefusedError:
            found["refused"] = True
        sock.connect(("10.77.0.2", 54))
        sock.send(b"x")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_error(sock), 5)
            found["told"] = True
        ours.close()
    return found


async def _error(sock: socket.socket) -> None:
    while not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        await asyncio.sleep(0.01)


async def pings(world: World) -> dict[str, object]:
    """Our pings, of every size."""
    answers = [await world.stack.echo(KERNEL, size) for size in (0, 56, 5000)]
    return {
        "sizes": [one.size for one in answers],
        "types": [one.type == icmp.ECHO_REPLY for one in answers],
    }


async def pinged(_: World) -> dict[str, object]:
    """Pings of Linux, in fragments."""
    kernel = await asyncio.create_subprocess_exec(
        "ping", "-c", "2", "-i", "0.05", "-s", "4000", "10.77.0.2",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    text = (await kernel.communicate())[0].decode()
    return {"received": "2 received" in text}


async def plain(world: World) -> dict[str, object]:
    """Neither timestamps nor SACK nor scaled windows, with loss."""
    world.loss = 0.01
    try:
        up = await to_kernel(world, 300_000)
    finally:
        world.loss = 0.0
    return {"whole": up["whole"]}


SCENARIOS = {
    one.__name__: one
    for one in (
        to_kernel,
        from_kernel,
        lossy,
        refused,
        resets,
        stalled,
        datagrams,
        pings,
        pinged,
        plain,
    )
}


async def main(names: list[str]) -> None:
    made = Interface("kemutest", mac.of_address(KERNEL), KERNEL, 24, OURS, MTU)
    descriptor = plugging.tap(made)
    for name in names:
        tcp = TcpSettings()
        if name == "plain":
            tcp = TcpSettings(timestamps=False, sack=False, window_scaling=False)
        world = World(descriptor, tcp)
        try:
            async with asyncio.timeout(25):
                found = await SCENARIOS[name](world)
        except Exception as error:  # noqa: BLE001  (the test shows it)
            found = {"error": repr(error)}
        world.stack.close()
        asyncio.get_running_loop().remove_reader(descriptor)
        sys.stdout.write(json.dumps({name: found}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    enter()
    asyncio.run(main(sys.argv[1:] or list(SCENARIOS)))
