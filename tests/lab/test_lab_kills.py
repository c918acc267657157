"""A killed part of a rough lab: what was acknowledged stays, its last words reach nobody."""

import asyncio
import random

import pytest

from cluster.aio import virtual
from cluster.api import errors
from cluster.lab.lab import Lab
from cluster.lab.rough.crossings import CALM, Crossings, Roughness, World
from cluster.lab.rough.disk import Disk, DiskStorage
from cluster.storage.interface import Change, Unavailable


def test_a_cut_store_keeps_what_it_acknowledged_and_all_or_nothing_of_the_rest():
    kept = set()

    async def main(seed):
        disk = Disk(World(Roughness(), random.Random(seed), Crossings()))
        seen = []
        disk.subscribe(lambda events: seen.extend(event.key for event in events))
        first = DiskStorage(disk)
        await first.write([Change("a", b"1", 0)])
        loop = asyncio.get_running_loop()
        under_way = loop.create_task(first.write([Change("b", b"2", 0), Change("c", b"3", 0)]))
        await asyncio.sleep(0)
        first.cut()
        with pytest.raises(Unavailable):
            await under_way
        with pytest.raises(Unavailable):
            await first.write([Change("d", b"4", 0)])
        second = DiskStorage(disk)
        there = [record.key for record in (await second.range("")).records]
        assert there == seen
        await second.write([Change("e", b"5", 0)])
        assert second.revision == len(there) + 1
        kept.add(tuple(there))

    for seed in range(12):
        virtual.run(main(seed))
    assert kept == {("a",), ("a", "b", "c")}


def test_nothing_that_a_killed_part_does_afterwards_reaches_anybody():
    async def scenario(cluster):
        scheduler = cluster.part("scheduler")
        client = scheduler.component._client
        cluster.kill("scheduler")
        with pytest.raises(errors.ServiceUnavailable):
            await client.create("namespaces", {"metadata": {"name": "late"}})
        await scheduler.ended()
        assert cluster.get("namespaces", "late") is None
        await cluster.start("scheduler")

    Lab(seed=1, nodes=1, rough=CALM).run(scenario)


def test_a_request_that_was_sent_arrives_though_its_sender_dies():
    async def scenario(cluster):
        client = cluster.part("controller-manager").component._client
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sent"}}
        loop = asyncio.get_running_loop()
        asking = loop.create_task(client.create("namespaces", space))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cluster.kill("controller-manager")
        asking.cancel()
        await cluster.part("controller-manager").ended()
        await cluster.until(lambda: cluster.get("namespaces", "sent"), within=1)
        await cluster.start("controller-manager")

    Lab(seed=1, nodes=1, rough=CALM).run(scenario)


def test_a_killed_api_server_answers_nobody_and_comes_back_with_all_of_it():
    async def scenario(cluster):
        made = await cluster.client.create("namespaces", {"metadata": {"name": "kept"}})
        loop = asyncio.get_running_loop()
        asking = loop.create_task(cluster.client.get("namespaces", "kept"))
        await asyncio.sleep(0)
        cluster.kill("apiserver")
        with pytest.raises(errors.ServiceUnavailable):
            await asking
        await cluster.part("apiserver").ended()
        await cluster.start("apiserver")
        assert (await cluster.client.get("namespaces", "kept"))["metadata"]["uid"] == made[
            "metadata"
        ]["uid"]

    Lab(seed=1, nodes=1, rough=CALM).run(scenario)
