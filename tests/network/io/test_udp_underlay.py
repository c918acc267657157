"""The underlay over real sockets."""

import asyncio
import collections
import contextlib
import random
import sys

import pytest

from cluster.network.io.udp import UdpEndpoint, UdpUnderlay
from cluster.network.underlay import Address, AddressInUse
from cluster.network.wire.trains import Train

HOST = "127.0.0.1"


async def _until(condition, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def _pair(**options):
    wire = UdpUnderlay(**options)
    received: list[tuple[bytes, Address]] = []
    a = await wire.bind(Address(HOST, 0), lambda data, source: None)
    b = await wire.bind(Address(HOST, 0), lambda data, source: received.append((data, source)))
    try:
        yield a, b, received
    finally:
        a.close()
        b.close()
        b.close()


@pytest.mark.parametrize("segmentation", [True, False])
@pytest.mark.parametrize("sizes", [[1], [1400] * 44 + [3], [9, 800, 800, 800, 10, 800], [60_000]])
def test_datagrams_arrive_whole_in_order_and_with_their_sender(segmentation, sizes):
    datagrams = [random.Random(at).randbytes(size) for at, size in enumerate(sizes)]

    async def main():
        async with _pair(segmentation=segmentation) as (a, b, received):
            a.send_many(datagrams[:3], b.address)
            mixed = [Train(data, len(data)) for data in datagrams[3:4]]
            a.send_many([*mixed, *datagrams[4:]], b.address)
            await _until(lambda: len(received) == len(datagrams))
            assert received == [(data, a.address) for data in datagrams]
            assert a.counters.sent == b.counters.received == len(datagrams)
            assert b.counters.received_bytes == sum(sizes)
            if sys.platform == "linux" and segmentation:
                assert a.segments

    asyncio.run(main())


def test_a_train_comes_at_once_where_the_machine_can():
    async def main():
        wire, got = UdpUnderlay(), []
        a = await wire.bind_trains(Address(HOST, 0), lambda train, source: None)
        b = await wire.bind_trains(Address(HOST, 0), lambda train, source: got.append(train))
        train = Train(random.Random(1).randbytes(30_100), 1000)
        a.send_train(train, b.address)
        await _until(lambda: sum(len(one.data) for one in got) == 30_100)
        assert [piece for one in got for piece in one.pieces] == train.pieces
        if a.segments and b.coalesces:
            assert got == [train]
        a.close()
        b.close()

    asyncio.run(main())


def test_others_have_their_turn_between_long_trains():
    async def main():
        wire, turn = UdpUnderlay(), 0
        got: collections.Counter[int] = collections.Counter()

        def receive(train: Train, sender: Address) -> None:
            got[turn] += len(train.data)

        a = await wire.bind_trains(Address(HOST, 0), receive)
        b = await wire.bind_trains(Address(HOST, 0), receive)
        for _ in range(12):
            b.send_train(Train(bytes(60_000), 1000), a.address)
        async with asyncio.timeout(5):
            while got.total() < 12 * 60_000:
                turn += 1
                await asyncio.sleep(0)
        if a.coalesces:
            assert max(got.values()) <= 3 * 60_000
        a.close()
        b.close()

    asyncio.run(main())


def test_what_does_not_fit_into_the_buffer_is_lost_and_counted():
    async def main():
        async with _pair(buffer=1 << 16) as (a, b, received):
            for _ in range(400):
                a.send(bytes(1400), b.address)
            await _until(lambda: len(received) + b.dropped + a.counters.send_full == 400)
            if sys.platform == "linux":
                assert b.dropped
                assert received

    asyncio.run(main())


def test_an_address_is_bound_once_and_large_datagrams_are_refused():
    async def main():
        async with _pair() as (a, b, received):
            with pytest.raises(AddressInUse):
                await UdpUnderlay().bind(b.address, lambda data, source: None)
            with pytest.raises(ValueError, match="do not fit"):
                a.send(bytes(66_000), b.address)
            assert isinstance(a, UdpEndpoint)
            a.send(b"still works", b.address)
            await _until(lambda: received)

    asyncio.run(main())


def test_nobody_listening_disturbs_nobody():
    async def main():
        async with _pair() as (a, b, received):
            gone = await UdpUnderlay().bind(Address(HOST, 0), lambda data, source: None)
            gone.close()
            for _ in range(3):
                a.send(b"x", gone.address)
                a.send(b"y", b.address)
            await _until(lambda: len(received) == 3)

    asyncio.run(main())
