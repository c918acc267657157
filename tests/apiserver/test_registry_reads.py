"""Lists, pages and what resourceVersion means to them."""

import asyncio

import pytest
import registry_world as rw

from cluster.aio import virtual
from cluster.api import errors
from cluster.storage.memory import MemoryStorage


def run(test, **options):
    async def main():
        async with rw.world(**options) as world:
            await test(world)

    virtual.run(main())


async def fill(world, count=10, namespace="default"):
    batch = []
    for number in range(count):
        obj = rw.config_map(f"c{number:03}", n=str(number))
        obj["metadata"]["labels"] = {"parity": "odd" if number % 2 else "even"}
        batch.append(rw.create("configmaps", obj, namespace))
    for result in await world.registry.write(batch, rw.USER):
        assert not isinstance(result, errors.StatusError)


def names(page):
    return [entry.name for entry in page.items]


@pytest.mark.parametrize("meanwhile", [False, True], ids=["quiet", "changing"])
@pytest.mark.parametrize("labels", ["", "parity=odd"])
def test_pages_show_one_revision(meanwhile, labels):
    async def test(world):
        await fill(world)
        whole = names(await world.registry.list("configmaps", "default", labels=labels))
        page = await world.registry.list("configmaps", "default", limit=3, labels=labels)
        assert page.remaining == (None if labels else 7)
        seen, revision = names(page), page.revision
        while page.token:
            if meanwhile:
                await world.delete("configmaps", whole[len(seen)])
                await world.create("configmaps", rw.config_map(f"z{len(seen)}"))
            page = await world.registry.list(
                "configmaps", "default", limit=3, labels=labels, token=page.token
            )
            assert page.revision == revision
            seen += names(page)
        assert seen == whole
        assert page.remaining is None

    run(test)


def test_an_old_page_expires_with_its_history():
    async def test(world):
        await fill(world)
        page = await world.registry.list("configmaps", limit=3)
        await world.delete("configmaps", "c001")
        await world.store.compact(world.registry.revision)
        with pytest.raises(errors.Expired, match="The provided continue parameter is too old") as e:
            await world.registry.list("configmaps", limit=3, token=page.token)
        token = e.value.status()["metadata"]["continue"]
        await world.create("configmaps", {"metadata": {"name": "c0031"}})
        rest = await world.registry.list("configmaps", limit=2, token=token)
        assert names(rest) == ["c003", "c0031"]
        assert rest.revision == world.registry.revision
        await world.delete("configmaps", "c004")
        again = await world.registry.list("configmaps", limit=1, token=rest.token)
        assert names(again) == ["c004"], "from there on the list is consistent again"

    run(test)


def test_selectors_choose_by_label_and_field():
    async def test(world):
        await fill(world)
        await world.create("namespaces", {"metadata": {"name": "team"}}, "")
        await fill(world, 2, "team")
        table = {
            ("", "parity=odd", ""): 6,
            ("team", "", ""): 2,
            ("", "", "metadata.namespace=team"): 2,
            ("", "", "metadata.name=c001"): 2,
            ("default", "", "metadata.name=c001"): 1,
            ("default", "", "metadata.name=c001,metadata.name=c001"): 1,
            ("default", "", "metadata.name!=c001"): 9,
            ("team", "", "metadata.namespace=default"): 0,
            ("default", "parity=even", "metadata.name=c001"): 0,
        }
        for (namespace, labels, fields), count in table.items():
            page = await world.registry.list("configmaps", namespace, labels=labels, fields=fields)
            assert len(page.items) == count, (namespace, labels, fields)
        with pytest.raises(errors.BadRequest):
            await world.registry.list("configmaps", fields="spec.nodeName=a")

    run(test)


def test_pods_are_found_by_their_node():
    async def test(world):
        for name, node in (("a", "n1"), ("b", "n2"), ("c", "n1"), ("d", "")):
            await world.create("pods", rw.pod(name, node))
        for node, found in (("n1", ["a", "c"]), ("n2", ["b"]), ("", ["d"]), ("n3", [])):
            page = await world.registry.list("pods", fields=f"spec.nodeName={node}")
            assert names(page) == found
        await world.delete("pods", "a", gracePeriodSeconds=0)
        await world.create("pods", rw.pod("e", "n1"))
        page = await world.registry.list("pods", fields="spec.nodeName=n1", limit=1)
        assert names(page) == ["c"]
        more = await world.registry.list("pods", fields="spec.nodeName=n1", token=page.token)
        assert names(more) == ["e"]

    run(test)


def test_resource_versions_of_lists():
    async def test(world):
        await fill(world, 3)
        past = world.registry.revision
        await world.delete("configmaps", "c001")
        listed = world.registry.list
        assert len((await listed("configmaps", revision="0")).items) == 2
        newer = await listed("configmaps", revision=str(past), match="NotOlderThan")
        assert (len(newer.items), newer.revision) == (2, world.registry.revision)
        exact = await listed("configmaps", revision=str(past), match="Exact")
        assert (len(exact.items), exact.revision) == (3, past)
        with pytest.raises(errors.Timeout, match="Too large resource version"):
            await listed("configmaps", revision=str(past + 50))
        for bad in (
            {"revision": "x"},
            {"match": "Exact"},
            {"revision": "0", "match": "Exact"},
            {"revision": "5", "match": "Nearly"},
            {"token": "!!!"},
            {"token": "e30"},
            {"limit": -1},
        ):
            with pytest.raises((errors.BadRequest, errors.Invalid)):
                await listed("configmaps", **bad)

    run(test)


def test_a_server_that_began_later_shows_what_was_deleted_before():
    async def main():
        store = MemoryStorage()
        async with rw.world(store) as world:
            await fill(world, 2)
            await world.create("secrets", {"metadata": {"name": "gone"}})
            past = world.registry.revision
            await world.delete("configmaps", "c001")
            await world.delete("secrets", "gone")
        async with rw.world(store) as world:
            for resource, before, now in (
                ("configmaps", ["c000", "c001"], ["c000"]),
                ("secrets", ["gone"], []),
            ):
                shown = await world.registry.list(resource, revision=str(past), match="Exact")
                assert names(shown) == before
                assert names(await world.registry.list(resource)) == now

    virtual.run(main())


def test_a_read_waits_a_little_for_a_revision_to_come():
    async def test(world):
        wanted = world.registry.revision + 1
        reading = world.group.spawn(
            world.registry.list("configmaps", revision=str(wanted)), "reading"
        )
        await asyncio.sleep(1)
        assert not reading.done()
        await world.create("configmaps", rw.config_map("a"))
        assert names(await reading) == ["a"]

    run(test)
