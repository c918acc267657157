"""The wire in memory: order, loss, cuts, and addresses."""

import asyncio
import random

import pytest

from cluster.aio import virtual
from cluster.network import underlay
from cluster.network.underlay import Address

A, B = Address("10.0.0.1", 8472), Address("10.0.0.2", 8472)


def _wire(**options):
    return underlay.MemoryUnderlay(random.Random(1), **options)


def _pair(scenario, **options):
    """Run `scenario(wire, a, b, received)`; `received` holds what b got, with the times."""

    async def main():
        wire, received = _wire(**options), []
        loop = asyncio.get_running_loop()
        a = await wire.bind(A, lambda data, source: None)
        b = await wire.bind(B, lambda data, source: received.append((data, source, loop.time())))
        await scenario(wire, a, b, received)

    virtual.run(main())


def test_a_datagram_arrives_after_the_latency_with_its_senders_address():
    async def scenario(wire, a, b, received):
        a.send(b"x", B)
        await asyncio.sleep(1)
        assert received == [(b"x", A, 0.25)]

    _pair(scenario, latency=0.25)


def test_datagrams_keep_their_order():
    async def scenario(wire, a, b, received):
        for number in range(100):
            a.send(bytes([number]), B)
        await asyncio.sleep(1)
        assert [data[0] for data, _, _ in received] == list(range(100))

    _pair(scenario)


def test_a_share_is_lost_and_the_same_share_with_the_same_seed():
    shares = []

    async def scenario(wire, a, b, received):
        for number in range(200):
            a.send(bytes([number]), B)
        await asyncio.sleep(1)
        shares.append([data[0] for data, _, _ in received])
        assert wire.lost == 200 - len(received)

    _pair(scenario, loss=0.3)
    _pair(scenario, loss=0.3)
    assert 100 < len(shares[0]) < 180
    assert shares[0] == shares[1]


def test_a_full_queue_loses_what_comes_next():
    async def scenario(wire, a, b, received):
        for number in range(10):
            a.send(bytes([number]), B)
        await asyncio.sleep(1)
        a.send(b"later", B)
        await asyncio.sleep(1)
        assert [data for data, _, _ in received] == [b"\0", b"\1", b"\2", b"later"]

    _pair(scenario, queue=3)


def test_a_cut_stops_both_directions_and_what_is_under_way_until_mended():
    async def scenario(wire, a, b, received):
        a.send(b"under way", B)
        wire.cut(B.host, A.host)
        a.send(b"cut", B)
        await asyncio.sleep(1)
        wire.mend(A.host, B.host)
        a.send(b"mended", B)
        await asyncio.sleep(1)
        assert [data for data, _, _ in received] == [b"mended"]

    _pair(scenario)


def test_a_closed_address_receives_nothing_and_can_be_bound_again():
    async def scenario(wire, a, b, received):
        a.send(b"x", B)
        b.close()
        b.close()
        again = []
        second = await wire.bind(B, lambda data, source: again.append(data))
        await asyncio.sleep(1)
        a.send(b"y", B)
        await asyncio.sleep(1)
        b.close()
        a.send(b"z", second.address)
        await asyncio.sleep(1)
        assert (received, again) == ([], [b"y", b"z"])

    _pair(scenario)


def test_an_address_is_bound_once_and_port_0_takes_a_free_one():
    async def scenario(wire, a, b, received):
        with pytest.raises(underlay.AddressInUse, match=r"10\.0\.0\.1:8472 is in use"):
            await wire.bind(A, lambda data, source: None)
        one = await wire.bind(Address("10.0.0.1", 0), lambda data, source: None)
        two = await wire.bind(Address("10.0.0.1", 0), lambda data, source: None)
        assert one.address != two.address
        assert one.address.port

    _pair(scenario)


def test_what_does_not_fit_is_refused():
    async def scenario(wire, a, b, received):
        a.send(bytes(1472), B)
        with pytest.raises(ValueError, match="1473 bytes do not fit"):
            a.send(bytes(1473), B)

    _pair(scenario)


@pytest.mark.parametrize("options", [{"latency": -1}, {"loss": 1.5}, {"queue": 0}, {"mtu": 28}])
def test_impossible_wires_are_refused(options):
    with pytest.raises(ValueError, match="an underlay needs"):
        _wire(**options)
