"""What the Service `kubernetes` leads to, with several API servers: those that live."""

import asyncio

import pytest
import shared_world as sw

from cluster.aio import virtual
from cluster.apiserver import advertising
from cluster.apiserver.advertising import Advertiser, documents

SLICES = "endpointslices.discovery.k8s.io"


def run(test):
    async def main():
        async with sw.servers() as servers:
            advertisers = []
            for number, view in enumerate(servers.views):
                place = ("192.0.2.1", 6443 + number)
                one = Advertiser(servers[number].registry, view, place)
                one.open()
                advertisers.append(one)
            await test(servers, advertisers)

    virtual.run(main())


async def shown(server):
    """The places that the slices and the Endpoints name."""
    found = []
    page = await server.registry.list(SLICES, "default")
    for entry in page.items:
        obj = entry.document()
        (port,) = obj["ports"]
        found += [(a, port["port"]) for end in obj["endpoints"] for a in end["addresses"]]
    endpoints = await server.get("endpoints", "kubernetes")
    subsets = [
        (address["ip"], each["ports"][0]["port"])
        for each in endpoints["subsets"]
        for address in each["addresses"]
    ]
    assert sorted(subsets) == sorted(found)
    return sorted(found)


BOTH = [("192.0.2.1", 6443), ("192.0.2.1", 6444)]


def test_all_living_servers_are_named_and_one_that_stops_is_not() -> None:
    async def test(servers, advertisers):
        group = servers[0].group
        running = [group.spawn(one.run(), "advertiser") for one in advertisers]
        await asyncio.sleep(30)
        assert await shown(servers[1]) == BOTH
        running[1].cancel()
        await asyncio.sleep(0.1)
        await advertisers[1].leave()
        assert await shown(servers[0]) == BOTH[:1]

    run(test)


def test_one_that_died_without_a_word_is_taken_out_after_its_time() -> None:
    async def test(servers, advertisers):
        group = servers[0].group
        running = [group.spawn(one.run(), "advertiser") for one in advertisers]
        await asyncio.sleep(12)
        running[0].cancel()
        await asyncio.sleep(advertising.TTL_SECONDS - advertising.RENEW_SECONDS - 1)
        assert await shown(servers[1]) == BOTH
        await asyncio.sleep(2 * advertising.RENEW_SECONDS + 1)
        assert await shown(servers[1]) == BOTH[1:]
        group.spawn(advertisers[0].run(), "again")
        await asyncio.sleep(1)
        assert await shown(servers[1]) == BOTH

    run(test)


@pytest.mark.parametrize(
    ("places", "slices", "endpoints"),
    [
        ([("192.0.2.1", 6443), ("192.0.2.2", 6443)], ["kubernetes"], True),
        (BOTH, ["kubernetes", "kubernetes-6444"], True),
        ([("127.0.0.1", 6443)], ["kubernetes"], False),
        ([], [], False),
    ],
)
def test_servers_of_one_port_share_a_slice(places, slices, endpoints) -> None:
    made = [full for full, _ in documents(places)]
    names = [full["metadata"]["name"] for full in made if full["kind"] == "EndpointSlice"]
    assert names == slices
    assert any(full["kind"] == "Endpoints" for full in made) == endpoints
