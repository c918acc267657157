"""An underlay with bad links, on virtual time."""

import asyncio
import random

import uvloop

from cluster.aio import virtual
from cluster.network.io.impaired import ImpairedUnderlay
from cluster.network.stack.impair import NONE, Impairment
from cluster.network.underlay import Address, MemoryUnderlay
from cluster.network.wire.trains import Train

A, B, C = (Address(f"10.0.0.{number}", 4789) for number in (1, 2, 3))


def _run(scenario) -> None:
    async def main():
        memory = MemoryUnderlay(random.Random(1), latency=0)
        wire, received = ImpairedUnderlay(memory, "seed"), []
        loop = asyncio.get_running_loop()
        a = await wire.bind(A, lambda data, source: None)
        for address in (B, C):
            await memory.bind(
                address, lambda data, source, to=address: received.append((loop.time(), data, to))
            )
        await scenario(wire, a, received)

    virtual.run(main())


def test_only_the_link_that_is_impaired_is_late():
    async def scenario(wire, a, received):
        wire.impair(B.host, Impairment(delay=0.2))
        began = asyncio.get_running_loop().time()
        a.send_many([b"1", b"2"], B)
        a.send_train(Train(b"345", 1), B)
        a.send(b"c", C)
        await asyncio.sleep(1)
        assert [(data, to) for _, data, to in received] == [
            (b"c", C),
            *((data, B) for data in (b"1", b"2", b"3", b"4", b"5")),
        ]
        assert {round(at - began, 6) for at, _, to in received if to == B} == {0.2}

    _run(scenario)


def test_a_partition_heals_and_leaves_nothing():
    async def scenario(wire, a, received):
        wire.impair(B.host, Impairment(cut=True))
        a.send(b"lost", B)
        wire.impair(B.host, Impairment(delay=0.1))
        a.send(b"late", B)
        wire.impair(B.host, NONE)
        a.send(b"now", B)
        await asyncio.sleep(1)
        assert [data for _, data, _ in received] == [b"now", b"late"]
        assert not wire.links

    _run(scenario)


def test_what_an_endpoint_had_under_way_goes_with_it():
    async def scenario(wire, a, received):
        wire.impair(B.host, Impairment(delay=0.1))
        a.send(b"x", B)
        a.close()
        await asyncio.sleep(1)
        assert received == []

    _run(scenario)


def test_links_of_a_machine_share_its_rate():
    async def scenario(wire, a, received):
        cable = await wire.bind(Address(A.host, 4790), lambda data, source: None)
        wire.impair(B.host, Impairment(rate=8 * 142))
        began = asyncio.get_running_loop().time()
        a.send(bytes(100), B)
        cable.send(bytes(100), B)
        await asyncio.sleep(5)
        assert [round(at - began, 6) for at, _, _ in received] == [1.0, 2.0]

    _run(scenario)


def test_a_bad_link_works_on_the_loop_of_real_processes() -> None:
    """uvloop rounds times to milliseconds, and what is then due at once has a handle of its own."""

    async def main() -> list[bytes]:
        wire = ImpairedUnderlay(MemoryUnderlay(random.Random(1)), "seed")
        got: list[bytes] = []
        there = asyncio.Event()

        def receive(data: bytes, _sender: Address) -> None:
            got.append(data)
            if len(got) == 20:
                there.set()

        one = await wire.bind(Address("a", 1), receive)
        await wire.bind(Address("b", 1), receive)
        wire.impair("b", Impairment(delay=0.0104, rate=1e9))
        for number in range(20):
            one.send(bytes([number]), Address("b", 1))
            await asyncio.sleep(0.0007)
        async with asyncio.timeout(5):
            await there.wait()
        return got

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == [bytes([number]) for number in range(20)]
