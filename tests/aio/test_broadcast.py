"""Broadcast: everyone hears everything, or falls out and is told."""

import asyncio

import pytest

from cluster.aio import broadcast, tasks, virtual


def test_every_reader_gets_every_item_in_order_from_its_subscription_on():
    async def main():
        source = broadcast.Broadcast(10)
        early = source.subscribe()
        source.send(1)
        late = source.subscribe()
        source.send(2)
        source.close()
        return [item async for item in early], [item async for item in late]

    assert virtual.run(main()) == ([1, 2], [2])


def test_a_slow_reader_falls_out_and_does_not_hold_up_the_others():
    async def main():
        source = broadcast.Broadcast(3)
        slow, quick = source.subscribe(), source.subscribe()
        got = []
        for item in range(5):
            source.send(item)
            got += await quick.receive()
        assert got == [0, 1, 2, 3, 4]
        assert len(source) == 1
        assert await slow.receive() == [0, 1, 2]
        with pytest.raises(broadcast.Lagged):
            await slow.receive()

    virtual.run(main())


def test_a_waiting_reader_is_woken_by_an_item_and_by_the_end():
    async def main():
        source = broadcast.Broadcast(3)
        reader = source.subscribe()
        loop = asyncio.get_running_loop()
        loop.call_later(5, source.send, "x")
        loop.call_later(9, source.close)
        assert await reader.receive() == ["x"]
        assert loop.time() == 5
        with pytest.raises(broadcast.Closed):
            await reader.receive()
        assert loop.time() == 9

    virtual.run(main())


def test_a_reader_that_leaves_is_forgotten():
    async def main():
        source = broadcast.Broadcast(1)
        reader = source.subscribe()
        async with tasks.Group("g") as group:
            waiting = group.spawn(_read(reader), "read")
            await asyncio.sleep(1)
            reader.close()
        source.send(1)
        return waiting.result(), len(source)

    assert virtual.run(main()) == ("closed", 0)


async def _read(reader):
    try:
        await reader.receive()
    except broadcast.Closed:
        return "closed"


def test_a_closed_broadcast_gives_readers_that_end_at_once():
    async def main():
        source = broadcast.Broadcast(1)
        source.close()
        return [item async for item in source.subscribe()]

    assert virtual.run(main()) == []


def test_no_room_is_refused():
    with pytest.raises(ValueError, match="at least one item"):
        broadcast.Broadcast(0)
