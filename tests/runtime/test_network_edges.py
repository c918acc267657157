"""Real sockets at which a cluster is entered, and what joins them to connections of pods."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire import addresses
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.runtime.network import datagramflows, doors, entrances, outside, splice
from cluster.runtime.network.datagramflows import Flows
from cluster.runtime.network.doors import Door, Doors
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace, Nobody
from cluster.runtime.vos.sockets import Stream

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


def free(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tcp(port: int, address: str = "127.0.0.1") -> Door:
    return Door("tcp", address, port, "10.0.0.1")


class Echo:
    """Answers datagrams by the door that they came through."""

    doors: Doors

    def arrived(self, door: Door, data: bytes, client: tuple[str, int]) -> None:
        self.doors.send(door, data.upper(), client)


def made(accept: doors.Accept | None = None) -> Doors:
    async def greet(door: Door, _reader: Reader, writer: Writer) -> None:
        writer.write(door.address.encode())

    echo = Echo()
    echo.doors = Doors(accept or greet, echo)
    return echo.doors


async def settled(one: Doors, count: int) -> None:
    async with asyncio.timeout(5):
        while len(one.open) != count:
            await asyncio.sleep(0.001)


async def greeting(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = await reader.read()
    writer.close()
    return found


def test_doors_open_and_shut_as_they_are_wanted() -> None:
    async def scenario() -> None:
        one, first, second = made(), free(), free()
        one.want([tcp(first)])
        await settled(one, 1)
        assert await greeting(first) == b"127.0.0.1"
        one.want([tcp(second)])
        await settled(one, 1)
        assert await greeting(second) == b"127.0.0.1"
        with pytest.raises(ConnectionRefusedError):
            await greeting(first)
        one.close()
        with pytest.raises(ConnectionRefusedError):
            await greeting(second)

    asyncio.run(scenario())


def test_a_port_that_another_has_is_taken_when_he_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "RETRY_SECONDS", 0.01)

    async def scenario() -> None:
        first, second, port = made(), made(), free()
        first.want([tcp(port)])
        await settled(first, 1)
        second.want([tcp(port)])
        await asyncio.sleep(0.05)
        assert second.open == ()
        first.close()
        await settled(second, 1)
        second.close()

    asyncio.run(scenario())


def test_an_address_that_the_machine_has_not_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doors, "RETRY_SECONDS", 0.001)

    async def scenario() -> None:
        one, port = made(), free()
        one.want([tcp(port, "192.0.2.1"), tcp(port)])
        await settled(one, 1)
        await asyncio.sleep(0.02)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left
        assert one._again is None
        one.close()

    asyncio.run(scenario())


def test_datagrams_are_answered_through_their_door() -> None:
    async def scenario() -> None:
        one, port = made(), free(socket.SOCK_DGRAM)
        one.want([Door("udp", "127.0.0.1", port, "10.0.0.1")])
        await settled(one, 1)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", port))
            await loop.sock_sendall(client, b"ping")
            async with asyncio.timeout(5):
                assert await loop.sock_recv(client, 100) == b"PING"
        one.close()

    asyncio.run(scenario())


def test_clients_of_a_door_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "MAX_CLIENTS", 1)

    async def scenario() -> None:
        let_go = asyncio.Event()

        async def accept(_door: Door, _reader: Reader, writer: Writer) -> None:
            writer.write(b"in")
            await let_go.wait()

        one, port = made(accept), free()
        one.want([tcp(port)])
        await settled(one, 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read(2) == b"in"
        with pytest.raises(ConnectionResetError):
            await greeting(port)
        let_go.set()
        assert await reader.read() == b""
        writer.close()
        await asyncio.sleep(0.01)
        assert await greeting(port) == b"in"
        one.close()

    asyncio.run(scenario())


async def spliced(
    server: Callable[[Reader, Writer], Awaitable[None]], client: Callable[[Stream], Awaitable[None]]
) -> None:
    """A pod's client, joined to a server of the machine."""
    bridge = Bridge()
    pod = Namespace(bridge, ("10.244.0.2",), Nobody())
    listener = pod.listen(80)
    mine = await pod.connect("127.0.0.1", 80)
    theirs = await listener.accept()
    real = await asyncio.start_server(server, "127.0.0.1", 0)
    where = real.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(*where)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(splice.join(theirs, reader, writer))
        await client(mine)
    real.close()


def test_bytes_and_ends_go_through_a_splice() -> None:
    async def server(reader: Reader, writer: Writer) -> None:
        everything = await reader.read()  # until the client ends: half-closed from then on
        writer.write(everything[::-1])
        await writer.drain()
        writer.close()

    sent = bytes(range(256)) * 4000

    async def client(stream: Stream) -> None:
        await stream.send(sent)
        stream.end()
        found = b""
        while piece := await stream.receive():
            found += piece
        assert found == sent[::-1]

    asyncio.run(spliced(server, client))


def test_a_reset_of_the_one_side_resets_the_other() -> None:
    async def server(reader: Reader, writer: Writer) -> None:
        await reader.read(1)
        splice.reset(writer)

    async def client(stream: Stream) -> None:
        await stream.send(b"x")
        with pytest.raises(ConnectionResetError):
            await stream.receive()
        stream.close()

    asyncio.run(spliced(server, client))


def test_who_leaves_in_the_middle_ends_a_pod_that_sends() -> None:
    """On the loop of processes, whose transports are quick to be closed."""

    async def server(reader: Reader, writer: Writer) -> None:
        await reader.read(1 << 16)
        splice.reset(writer)

    async def client(stream: Stream) -> None:
        async def pour() -> None:
            while True:
                await stream.send(bytes(1 << 16))

        with pytest.raises(OSError, match=r"Connection reset|Broken pipe"):
            await pour()
        stream.close()

    for _ in range(20):
        uvloop.run(spliced(server, client))


def test_a_pod_that_resets_resets_who_is_outside() -> None:
    heard: list[type[BaseException]] = []

    async def server(reader: Reader, _writer: Writer) -> None:
        try:
            while await reader.read(100):
                pass
        except OSError as error:
            heard.append(type(error))

    async def client(stream: Stream) -> None:
        await stream.send(b"x")
        stream.abort()

    async def scenario() -> None:
        await spliced(server, client)
        async with asyncio.timeout(5):
            while not heard:
                await asyncio.sleep(0.001)

    asyncio.run(scenario())
    assert heard == [ConnectionResetError]


def test_datagrams_leave_by_a_socket_for_each_pair_and_come_back() -> None:
    async def scenario() -> None:
        heard: list[tuple[bytes, Endpoint, Endpoint]] = []
        flows = Flows(
            lambda *row: heard.append(row), lambda address: "127.0.0.1" if address else None
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.setblocking(False)
            loop = asyncio.get_running_loop()
            pod, there = Endpoint(7, 4000), Endpoint(8, server.getsockname()[1])
            flows.send(b"ping", pod, there)
            flows.send(b"lost", pod, Endpoint(0, 53))
            async with asyncio.timeout(5):
                data, client = await loop.sock_recvfrom(server, 100)
                server.sendto(data.upper(), client)
                while not heard:
                    await asyncio.sleep(0.001)
        assert heard == [(b"PING", there, pod)]
        assert len(flows) == 1
        flows.close()

    asyncio.run(scenario())


def test_flows_that_are_silent_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagramflows, "IDLE_SECONDS", 0.02)
    monkeypatch.setattr(datagramflows, "MOST", 2)

    async def scenario() -> None:
        flows = Flows(lambda *_: None, lambda _address: "127.0.0.1")
        for port in (1, 2, 3):
            flows.send(b"x", Endpoint(7, port), Endpoint(8, 9))
        assert len(flows) == 2
        async with asyncio.timeout(5):
            while len(flows):
                await asyncio.sleep(0.001)

    asyncio.run(scenario())


def service(**fields: object) -> pb.ServicePort:
    return pb.ServicePort(protocol=pb.TCP, port=80, cluster_ips=["10.96.0.9"], **fields)


HERE = pb.Endpoint(address="10.244.0.2", port=80, local=True, external=True)
THERE = [pb.Endpoint(address="10.244.1.2", port=80, external=True)]


@pytest.mark.parametrize(
    ("found", "doors"),
    [
        (service(endpoints=THERE), []),
        (service(node_port=30080), []),
        (
            service(node_port=30080, endpoints=THERE),
            [("127.1.0.2", 30080), ("127.0.0.1", 30080)],
        ),
        (
            service(node_port=30080, external_policy=pb.LOCAL, endpoints=THERE),
            [],
        ),
        (
            service(node_port=30080, endpoints=[pb.Endpoint(address="10.244.1.2", port=80)]),
            [],
        ),
        (
            service(
                node_port=30080,
                endpoints=[pb.Endpoint(address="fd00::2", port=80, external=True)],
            ),
            [],
        ),
        (
            service(node_port=30080, external_policy=pb.LOCAL, endpoints=[HERE]),
            [("127.1.0.2", 30080), ("127.0.0.1", 30080)],
        ),
        (
            service(load_balancer_ips=["127.1.252.1", "fd00::1"], endpoints=THERE),
            [("127.1.252.1", 80)],
        ),
        (service(external_ips=["192.0.2.7"], external_policy=pb.LOCAL, endpoints=THERE), []),
        (service(health_check_node_port=31000), [("127.1.0.2", 31000)]),
    ],
)
def test_where_a_service_is_entered(found: pb.ServicePort, doors: list[tuple[str, int]]) -> None:
    made = list(entrances.doors([found], "127.1.0.2", "127.1.0.2"))
    assert [(door.address, door.port) for door in made] == doors
    assert all(door.to == ("127.1.0.2" if door.port > 80 else door.address) for door in made)


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        ("127.0.0.1", "127.7.0.1"),
        ("127.7.0.2", "127.7.0.1"),  # a node's, from which every user may send
        ("::1", "127.7.0.1"),
        ("192.0.2.9", "192.0.2.9"),
    ],
)
def test_clients_on_the_machine_are_seen_as_the_gateway(client: str, shown: str) -> None:
    gateway = addresses.parse("127.7.0.1")
    assert addresses.text(outside.seen(client, gateway)) == shown
