"""Sockets between pods of one runtime: streams, listeners, datagrams, and what bounds them."""

import asyncio
import contextlib
import errno
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from cluster.aio import tasks, virtual
from cluster.runtime import podnetwork, podsockets
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace, Nobody
from cluster.runtime.vos.sockets import Endpoint

_T = TypeVar("_T")
OWNER = tasks.Background("test", lambda _name, _error: None)


def pods(count: int = 2) -> tuple[Bridge, list[Namespace]]:
    bridge = Bridge()
    made = [
        Namespace(bridge, (f"10.244.0.{number + 2}", f"fd00::{number + 2}"), Nobody())
        for number in range(count)
    ]
    for one in made:
        bridge.join(one.addresses, lambda one=one: one)
    return bridge, made


async def connected(
    server: Namespace, client: Namespace, address: str = "10.244.0.2"
) -> tuple[podsockets.Tcp, podsockets.Tcp]:
    listener = server.listen(80)
    ours = await client.connect(address, 80)
    assert isinstance(ours, podsockets.Tcp)
    return ours, await listener.accept()


@contextlib.contextmanager
def failing(number: int) -> Iterator[None]:
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        yield


def started(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    return OWNER.spawn(work, "test")


def test_bytes_go_both_ways_and_ends_are_told() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        ours, theirs = await connected(server, client)
        assert ours.peer == theirs.local == Endpoint("10.244.0.2", 80)
        assert theirs.peer == ours.local
        assert ours.local.address == "10.244.0.3"
        await ours.send(b"ping")
        ours.end()
        assert await theirs.receive() == b"ping"
        assert await theirs.receive() == b""
        await theirs.send(b"pong")
        theirs.close()
        assert await ours.receive(2) == b"po"
        assert await ours.receive() == b"ng"
        assert await ours.receive() == b""
        ours.close()
        assert [row.state for row in server.open_sockets()] == ["LISTEN"]
        assert client.open_sockets() == []

    virtual.run(scenario())


@pytest.mark.parametrize(
    ("bound", "reached", "works"),
    [
        ("", "127.0.0.1", True),
        ("", "::1", True),
        ("", "10.244.0.2", True),
        ("", "fd00::2", True),
        ("0.0.0.0", "10.244.0.2", True),
        ("0.0.0.0", "fd00::2", False),
        ("::", "fd00::2", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.244.0.2", False),
        ("10.244.0.2", "127.0.0.1", False),
        ("10.244.0.2", "::ffff:10.244.0.2", True),
    ],
)
def test_who_listens_where_is_reached_there(bound: str, reached: str, works: bool) -> None:
    async def scenario() -> None:
        _, (server, _other) = pods()
        server.listen(80, bound)
        if works:
            (await server.connect(reached, 80)).close()
        else:
            with pytest.raises(ConnectionRefusedError):
                await server.connect(reached, 80)

    virtual.run(scenario())


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("", "", True),
        ("", "127.0.0.1", True),
        ("0.0.0.0", "::", False),
        ("0.0.0.0", "10.244.0.2", True),
        ("127.0.0.1", "10.244.0.2", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::", "10.244.0.2", False),
    ],
)
def test_a_port_is_taken_once(first: str, second: str, taken: bool) -> None:
    _, (pod, _other) = pods()
    for opened in (pod.listen, pod.datagrams):
        opened(80, first)
        if taken:
            with failing(errno.EADDRINUSE):
                opened(80, second)
        else:
            opened(80, second)


def test_a_port_is_free_again_when_its_listener_closes() -> None:
    _, (pod, _other) = pods()
    pod.listen(80).close()
    free = pod.listen(0)
    assert 32768 <= free.local.port <= 60999
    assert pod.listen(80).local == Endpoint("", 80)


@pytest.mark.parametrize("address", ["10.244.0.9", "10.96.0.1", "192.0.2.1", "fd00::9"])
def test_what_is_off_the_node_has_no_route(address: str) -> None:
    async def scenario() -> None:
        _, (pod, _other) = pods()
        for attempt in (pod.connect(address, 80), pod.echo(address)):
            with failing(errno.EHOSTUNREACH):
                await attempt
        with failing(errno.EHOSTUNREACH):
            pod.datagrams().send(b"x", Endpoint(address, 53))

    virtual.run(scenario())


def test_no_address_is_an_error() -> None:
    async def scenario() -> None:
        _, (pod, _other) = pods()
        with failing(errno.EINVAL):
            await pod.connect("not an address", 80)
        with failing(errno.EADDRNOTAVAIL):
            pod.listen(80, "10.244.0.3")

    virtual.run(scenario())


def test_a_fast_sender_waits_for_a_slow_reader() -> None:
    async def scenario() -> None:
        bridge, (server, client) = pods()
        ours, theirs = await connected(server, client)
        sending = started(ours.send(bytes(podsockets.WINDOW + 1)))
        await asyncio.sleep(1)
        assert not sending.done()
        assert bridge.buffers.used == theirs.waiting == podsockets.WINDOW
        got = len(await theirs.receive(1 << 20))
        await sending
        got += len(await theirs.receive(1 << 20))
        assert got == podsockets.WINDOW + 1
        assert bridge.buffers.used == 0

    virtual.run(scenario())


def test_streams_get_little_room_when_the_runtime_is_full() -> None:
    async def scenario() -> None:
        bridge, (server, client) = pods()
        bridge.buffers.limit = 0
        ours, theirs = await connected(server, client)
        sending = started(ours.send(bytes(10_000)))
        await asyncio.sleep(1)
        assert theirs.waiting == 4096
        for _ in range(3):
            await theirs.receive()
        await sending

    virtual.run(scenario())


@pytest.mark.parametrize("how", ["abort", "unread", "pod"])
def test_a_reset_is_told_after_what_came_before(how: str) -> None:
    async def scenario() -> None:
        bridge, (server, client) = pods()
        ours, theirs = await connected(server, client)
        await theirs.send(b"last words")
        if how == "abort":
            theirs.abort()
        elif how == "unread":
            await ours.send(b"unread")
            theirs.close()
        else:
            server.close()
        assert await ours.receive() == b"last words"
        with pytest.raises(ConnectionResetError):
            await ours.receive()
        with pytest.raises(ConnectionResetError):
            await ours.send(b"x")
        ours.close()
        assert bridge.buffers.used == 0

    virtual.run(scenario())


def test_sending_to_one_who_closed_is_a_broken_pipe() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        ours, theirs = await connected(server, client)
        theirs.close()
        with pytest.raises(BrokenPipeError):
            await ours.send(b"x")
        ours.close()
        for use in (ours.receive(), ours.send(b"x")):
            with pytest.raises(BrokenPipeError):
                await use

    virtual.run(scenario())


def test_who_waits_is_told_when_it_is_closed() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        listener = server.listen(80)
        socket = client.datagrams()
        waiting = [started(one) for one in (listener.accept(), socket.receive())]
        await asyncio.sleep(0)
        listener.close()
        socket.close()
        for one in waiting:
            with failing(errno.EBADF):
                await one

    virtual.run(scenario())


def test_a_full_backlog_lets_clients_wait_and_then_time_out() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        listener = server.listen(80, backlog=2)
        for _ in range(2):
            await client.connect("10.244.0.2", 80)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(TimeoutError):
            await client.connect("10.244.0.2", 80)
        assert loop.time() - begun == pytest.approx(podnetwork.CONNECT_SECONDS)
        waiting = started(client.connect("10.244.0.2", 80))
        await asyncio.sleep(1)
        await listener.accept()
        assert (await waiting).peer.port == 80

    virtual.run(scenario())


def test_connections_that_nobody_accepted_are_reset_with_their_listener() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        listener = server.listen(80)
        ours = await client.connect("10.244.0.2", 80)
        listener.close()
        with pytest.raises(ConnectionResetError):
            await ours.receive()

    virtual.run(scenario())


def limits() -> list[tuple[str, int, Callable[[Namespace], object]]]:
    return [
        ("listeners", podnetwork.MAX_LISTENERS, lambda pod: pod.listen(0)),
        ("datagrams", podnetwork.MAX_DATAGRAM_SOCKETS, lambda pod: pod.datagrams()),
    ]


@pytest.mark.parametrize(("limit", "opened"), [row[1:] for row in limits()])
def test_sockets_of_a_pod_are_counted(limit: int, opened: Callable[[Namespace], object]) -> None:
    _, (pod, _other) = pods()
    kept = [opened(pod) for _ in range(limit)]
    with failing(errno.EMFILE):
        opened(pod)
    assert len(pod.open_sockets()) == len(kept)


def test_connections_of_a_pod_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podnetwork, "MAX_CONNECTIONS", 3)

    async def scenario() -> None:
        _, (server, client, other) = pods(3)
        server.listen(80)
        kept = [await client.connect("10.244.0.2", 80) for _ in range(3)]
        with failing(errno.EADDRNOTAVAIL):
            await client.connect("10.244.0.2", 80)
        with pytest.raises(TimeoutError):
            await other.connect("10.244.0.2", 80)
        kept.pop().close()

    virtual.run(scenario())


def test_datagrams_are_answered() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        there, here = server.datagrams(53), client.datagrams()
        here.send(b"question", Endpoint("10.244.0.2", 53))
        data, sender = await there.receive()
        assert (data, sender.address) == (b"question", "10.244.0.3")
        there.send(b"answer", sender)
        assert await here.receive() == (b"answer", Endpoint("10.244.0.2", 53))
        here.send(b"x", Endpoint("10.244.0.2", 54))
        with pytest.raises(ConnectionRefusedError):
            await here.receive()
        with failing(errno.EMSGSIZE):
            here.send(bytes(70_000), Endpoint("10.244.0.2", 53))

    virtual.run(scenario())


def test_datagrams_that_nobody_takes_are_lost() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        there, here = server.datagrams(53), client.datagrams()
        for _ in range(1000):
            here.send(bytes(1000), Endpoint("10.244.0.2", 53))
        rows = [row for row in server.open_sockets() if row.protocol == "udp"]
        assert 100_000 < rows[0].waiting <= 208 << 10
        assert there.local.port == 53

    virtual.run(scenario())


def test_an_endless_stream_lets_time_go_on() -> None:
    async def scenario() -> None:
        _, (server, client) = pods()
        ours, theirs = await connected(server, client)

        async def pump() -> None:
            while True:
                await ours.send(bytes(65536))

        async def sink() -> None:
            while await theirs.receive():
                pass

        running = [started(pump()), started(sink())]
        await asyncio.sleep(0.1)
        for task in running:
            task.cancel()

    virtual.run(scenario())


def test_a_ping_is_answered_by_pods_of_the_node() -> None:
    async def scenario() -> None:
        _, (pod, _other) = pods()
        for address in ("127.0.0.1", "10.244.0.3", "fd00::3"):
            assert 0 < (await pod.echo(address)).seconds < 0.01

    virtual.run(scenario())
