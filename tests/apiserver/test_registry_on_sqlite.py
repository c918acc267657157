"""The registry over the durable store, where a change is decided before it is heard of."""

import asyncio
import random

import registry_world as rw

from cluster.api import errors
from cluster.storage.sqlite import SqliteStorage


def run(path, test):
    async def main():
        async with rw.world(store) as world:
            await test(world)
        await store.close()

    store = SqliteStorage(path)
    asyncio.run(asyncio.wait_for(main(), 60))


def test_racing_writers_of_one_object_all_get_an_answer(tmp_path):
    async def test(world):
        generator = random.Random(5)

        async def write(number):
            step = generator.random()
            if step < 0.3:
                return await world.create("configmaps", rw.config_map("a"))
            if step < 0.6:
                return await world.delete("configmaps", "a")
            return await world.patch("configmaps", "a", {"data": {f"k{number}": "x"}})

        before = world.registry.revision
        results = await asyncio.gather(
            *(write(number) for number in range(200)), return_exceptions=True
        )
        made = [result for result in results if isinstance(result, dict)]
        refused = [result for result in results if not isinstance(result, dict)]
        assert all(isinstance(result, errors.NotFound | errors.AlreadyExists) for result in refused)
        assert made
        assert world.registry.revision == before + len(made)

    run(tmp_path / "store.db", test)


def test_a_cluster_is_found_again_as_it_was(tmp_path):
    seen = []

    async def fill(world):
        await world.create("configmaps", rw.config_map("a", k="v"))
        await world.create("pods", rw.pod("web", "n1"))
        seen.append(await state(world))

    async def look(world):
        assert await state(world) == seen[0]
        (entry,) = (await world.registry.list("pods", fields="spec.nodeName=n1")).items
        assert entry.created == entry.revision

    async def state(world):
        found = {}
        for row in (row for row in world.registry.table if "list" in row.verbs):
            page = await world.registry.list(row.id)
            found |= {entry.key: entry.json for entry in page.items}
        return found

    path = tmp_path / "store.db"
    run(path, fill)
    run(path, look)
