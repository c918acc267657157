"""Streams, listeners, datagrams and pings as programs have them, on virtual time."""

import asyncio
import errno
import random

import pytest
import uvloop

from cluster.aio import virtual
from cluster.network.io.sockets import Endpoint, Stack
from cluster.network.stack.endhost.settings import Settings
from cluster.network.stack.host import Host
from cluster.network.wire import addresses, icmp, mac

FIRST = addresses.parse("10.0.0.1")
SECOND = addresses.parse("10.0.0.2")
NOBODY = addresses.parse("10.0.0.9")


def stack(address: int) -> Stack:
    settings = Settings(mac.of_address(address), ((address, 24),), mtu=1450)
    return Stack(Host(settings, random.Random(address)))


def linked() -> tuple[Stack, Stack]:
    first, second = stack(FIRST), stack(SECOND)
    first.transmit, second.transmit = second.receive, first.receive
    return first, second


def on_link(test):
    """Run a test of two stacks that are joined; nothing may be left of it."""

    async def run() -> None:
        first, second = linked()
        await test(first, second)
        first.close()
        second.close()
        await asyncio.sleep(120)
        for one in (first, second):
            assert one.host.tcp.memory.used == 0
            assert not one.host.tcp.flows
            assert not one.open_sockets()

    def wrapped() -> None:
        virtual.run(run())

    wrapped.__name__ = test.__name__
    return wrapped


async def pair(first: Stack, second: Stack, port: int = 80):
    listener = second.listen(port)
    here = await first.connect(Endpoint(SECOND, port))
    return here, await listener.accept()


@on_link
async def test_a_stream_carries_bytes_and_both_ends(first, second):
    here, there = await pair(first, second)
    await here.send(b"question")
    assert await there.receive(4) == b"ques"
    assert await there.receive() == b"tion"
    here.end()
    assert await there.receive() == b""
    await there.send(b"answer")
    there.close()
    assert await here.receive() == b"answer"
    assert await here.receive() == b""
    assert (here.local, here.peer) == (there.peer, there.local)
    here.close()


@on_link
async def test_long_segments_are_handed_on_one_by_one(first, second):
    batches = []

    def transmit(frames) -> None:
        batches.append(frames)
        second.receive(frames)

    first.transmit = transmit
    here, there = await pair(first, second)
    await here.send(bytes(400_000))
    arrived = 0
    while arrived < 400_000:
        arrived += len(await there.receive())
    assert sum(one.gso_size > 0 for batch in batches for one in batch) > 6
    assert all(sum(one.gso_size > 0 for one in batch) <= 1 for batch in batches)
    here.close()
    assert await there.receive() == b""
    there.close()


@on_link
async def test_a_fast_sender_waits_for_a_slow_reader(first, second):
    here, there = await pair(first, second)
    sent = []

    async def send() -> None:
        for number in range(100):
            await here.send(bytes(65536))
            sent.append(number)
        here.end()

    task = asyncio.get_running_loop().create_task(send())
    await asyncio.sleep(5)
    assert 16 <= len(sent) <= 40  # what both buffers hold
    assert there.waiting <= 1 << 20
    got = 0
    while data := await there.receive():
        got += len(data)
    await task
    assert got == 100 * 65536
    here.close()
    there.close()


@on_link
async def test_time_goes_on_under_an_endless_stream(first, second):
    here, there = await pair(first, second)

    async def send() -> None:
        while True:
            await here.send(bytes(65536))

    async def read() -> None:
        while True:
            await there.receive(1 << 20)

    tasks = [asyncio.get_running_loop().create_task(one()) for one in (send, read)]
    await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    here.abort()
    there.abort()


@on_link
async def test_connections_fail_as_the_kernels_do(first, second):
    with pytest.raises(ConnectionRefusedError):
        await first.connect(Endpoint(SECOND, 81))
    with pytest.raises(OSError, match="No route") as raised:
        await first.connect(Endpoint(NOBODY, 80))
    assert raised.value.errno == errno.EHOSTUNREACH
    with pytest.raises(OSError, match="unreachable"):
        await first.connect(Endpoint(addresses.parse("192.0.2.1"), 80))
    second.host.on_unbound = lambda *_: True
    with pytest.raises(TimeoutError):
        await first.connect(Endpoint(SECOND, 82), timeout=3)
    await asyncio.sleep(0.01)
    assert not first.host.tcp.flows


@on_link
async def test_who_closed_is_known_to_be_gone_once_something_is_sent_to_him(first, second):
    here, there = await pair(first, second)
    gone = asyncio.Event()
    here.when_lost(gone.set)
    there.close()
    assert await here.receive() == b""
    assert not here.lost  # a FIN may be that of somebody who still reads
    await here.send(b"x")
    async with asyncio.timeout(30):
        await gone.wait()
    assert here.lost
    with pytest.raises(BrokenPipeError):
        await here.send(b"x")
    here.close()


@on_link
async def test_a_reset_reaches_reader_writer_and_who_watches(first, second):
    here, there = await pair(first, second)
    lost = []
    here.when_lost(lambda: lost.append(True))
    reading = asyncio.get_running_loop().create_task(here.receive())
    await asyncio.sleep(0.01)
    there.abort()
    with pytest.raises(ConnectionResetError):
        await reading
    with pytest.raises(ConnectionResetError):
        await here.send(b"x")
    assert lost == [True]
    assert here.lost
    here.close()
    with pytest.raises(BrokenPipeError):
        await here.receive()


@on_link
async def test_what_came_before_a_reset_is_still_read(first, second):
    here, there = await pair(first, second)
    await there.send(b"before")
    await asyncio.sleep(0.01)
    there.abort()
    await asyncio.sleep(0.01)
    assert await here.receive() == b"before"
    with pytest.raises(ConnectionResetError):
        await here.receive()
    here.close()


@on_link
async def test_a_closed_stream_ends_who_waits_in_it(first, second):
    here, there = await pair(first, second)
    waiting = asyncio.get_running_loop().create_task(here.receive())
    await asyncio.sleep(0.01)
    here.close()
    with pytest.raises(BrokenPipeError):
        await waiting
    there.close()


@on_link
async def test_a_callback_takes_connections_instead_of_accept(first, second):
    listener = second.listen(80)
    early = await first.connect(Endpoint(SECOND, 80))
    taken = []
    listener.on_stream = taken.append
    late = await first.connect(Endpoint(SECOND, 80))
    await asyncio.sleep(0.01)
    assert [one.peer for one in taken] == [early.local, late.local]
    for one in (early, late, *taken):
        one.close()


@on_link
async def test_a_closed_listener_takes_nobody(first, second):
    listener = second.listen(80)
    waiting = asyncio.get_running_loop().create_task(listener.accept())
    await asyncio.sleep(0)
    listener.close()
    with pytest.raises(OSError, match="Bad file"):
        await waiting
    with pytest.raises(ConnectionRefusedError):
        await first.connect(Endpoint(SECOND, 80))
    second.listen(80)


@on_link
async def test_datagrams_come_whole_in_order_and_bounded(first, second):
    server = second.datagrams(53)
    client = first.datagrams()
    client.send(b"one", Endpoint(SECOND, 53))
    client.send(bytes(4000), Endpoint(SECOND, 53))
    data, sender = await server.receive()
    assert (data, sender) == (b"one", Endpoint(FIRST, client.local.port))
    assert len((await server.receive())[0]) == 4000
    server.send(b"back", sender)
    assert await client.receive() == (b"back", Endpoint(SECOND, 53))
    for _ in range(600):
        client.send(b"", Endpoint(SECOND, 53))
    await asyncio.sleep(0.01)
    assert server.dropped == 88
    with pytest.raises(OSError, match="too long"):
        client.send(bytes(65508), Endpoint(SECOND, 53))
    client.send(b"?", Endpoint(SECOND, 54))
    with pytest.raises(ConnectionRefusedError):
        await client.receive()


@on_link
async def test_pings_say_who_answered_what(first, second):
    answer = await first.echo(SECOND, 100)
    assert (answer.source, answer.type, answer.size) == (SECOND, icmp.ECHO_REPLY, 108)
    nobody = await first.echo(NOBODY)
    assert (nobody.type, nobody.code) == (icmp.UNREACHABLE, icmp.HOST_UNREACHABLE)
    second.transmit = lambda frames: None
    with pytest.raises(TimeoutError):
        await first.echo(SECOND, timeout=2)


@on_link
async def test_open_sockets_are_listed_until_they_are_closed(first, second):
    here, there = await pair(first, second)
    datagrams = first.datagrams(53)
    assert first.open_sockets() == [here, datagrams]
    await there.send(b"unread")
    await asyncio.sleep(0.1)
    assert (here.state, here.waiting) == ("ESTABLISHED", 6)
    datagrams.close()
    here.close()
    assert first.open_sockets() == []
    there.abort()


@on_link
async def test_closing_a_stack_tells_all_who_wait(first, second):
    here, there = await pair(first, second)
    waiting = [
        asyncio.get_running_loop().create_task(one)
        for one in (there.receive(), second.datagrams(53).receive(), second.listen(90).accept())
    ]
    await asyncio.sleep(0.01)
    second.close()
    for one in waiting:
        with pytest.raises(OSError, match=r"down|Bad"):
            await one
    with pytest.raises(ConnectionResetError):
        await here.receive()
    here.close()
    there.close()


def test_a_timer_that_is_past_is_set_again_on_the_loop_of_processes():
    """uvloop gives a plain handle for a time that is past."""
    faults: list[dict] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: faults.append(fault))
        first, second = linked()
        here, there = await pair(first, second)
        loop = here._stack.loop
        loop.call_soon(lambda: first.host.tick(loop.time()))
        first._due = float("inf")
        first.host.echo(loop.time() - 5, NOBODY, lambda _answer: None)  # asked for long ago
        first._arm()
        first._arm()
        await here.send(b"x")
        assert await there.receive() == b"x"
        first.close()
        second.close()

    uvloop.run(run())
    assert not faults


@on_link
async def test_the_ports_of_a_connection_that_is_over_serve_again_at_once(first, second):
    """Who closes first remembers; a newer SYN is known by its timestamp."""
    listener = second.listen(80)
    source = Endpoint(FIRST, 40_000)
    for _ in range(20):
        begun = asyncio.get_running_loop().time()
        here = await first.connect(Endpoint(SECOND, 80), source=source)
        there = await listener.accept()
        there.close()
        assert await here.receive() == b""
        here.close()
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - begun < 0.5


@on_link
async def test_connections_that_are_over_leave_no_timers(first, second):
    listener = second.listen(80)
    for _ in range(100):
        here = await first.connect(Endpoint(SECOND, 80))
        there = await listener.accept()
        there.close()
        assert await here.receive() == b""
        here.close()
    await asyncio.sleep(1)
    for one in (first, second):
        assert len(one.host.tcp.timers) <= 70


@on_link
async def test_a_closed_stack_opens_nothing(first, second):
    first.close()
    for attempt in (
        lambda: first.connect(Endpoint(SECOND, 80)),
        lambda: first.echo(SECOND),
    ):
        with pytest.raises(OSError, match="down"):
            await attempt()
    for attempt in (lambda: first.listen(80), first.datagrams):
        with pytest.raises(OSError, match="down"):
            attempt()
