"""Faults on purpose, as clients of REST meet them: real requests, real watches."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import rest_world as rest

from cluster.api import identity
from cluster.apiserver.chaos.service import Injector
from cluster.apiserver.chaos.table import SAID
from cluster.pb.cluster.v1 import chaos_pb2 as pb
from cluster.storage.memory import MemoryStorage

GUEST = "guest-token"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class World:
    """An API over REST, and who puts faults into it."""

    def __init__(self, api: rest.Api) -> None:
        self.api = api
        self.injector = Injector(api.registry, MemoryStorage(), random.Random(1))

    async def fault(self, id: str = "f", seconds: float = 10.0, **api: object) -> None:
        await self.injector.set(
            pb.SetFaultRequest(id=id, seconds=seconds, api=pb.ApiFault(**api))  # type: ignore[arg-type]
        )

    def hits(self) -> dict[str, int]:
        return {one.id: one.requests for one in self.injector.states()}


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[World]:
    guest = identity.User("guest", (identity.MASTERS,))
    async with rest.serving(others={GUEST: guest}) as api:
        world = World(api)
        try:
            yield world
        finally:
            world.injector.close()


def run(story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), opened() as world:
            await story(world)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("code", "reason", "after"),
    [(500, "InternalError", None), (503, "ServiceUnavailable", "1"), (429, "TooManyRequests", "1")],
)
def test_an_error_is_a_status_with_its_code(code: int, reason: str, after: str | None) -> None:
    async def story(world: World) -> None:
        await world.fault(verbs=["get"], resources=["configmaps"], code=code)
        answer = await world.api.get(f"{rest.MAPS}/one")
        assert (answer.status, answer.json["reason"]) == (code, reason)
        assert SAID in answer.json["message"]
        assert answer.headers.get("Retry-After") == after
        assert (await world.api.get(rest.MAPS)).status == 200
        assert (await world.api.get(f"{rest.PODS}/one")).status == 404
        assert world.hits() == {"f": 1}

    run(story)


def test_a_write_that_fails_is_not_made() -> None:
    async def story(world: World) -> None:
        await world.fault(verbs=["create"], code=500)
        assert (await world.api.create(rest.MAPS, rest.config_map("one"))).status == 500
        await world.injector.clear([])
        assert (await world.api.get(f"{rest.MAPS}/one")).status == 404
        assert (await world.api.create(rest.MAPS, rest.config_map("one"))).status == 201

    run(story)


def test_it_is_for_the_users_that_are_named() -> None:
    async def story(world: World) -> None:
        await world.fault(users=["adm*"], code=500)
        assert (await world.api.get(rest.MAPS)).status == 500
        other = await world.api.get(rest.MAPS, Authorization=f"Bearer {GUEST}")
        assert other.status == 200
        # What is not the API itself says how the server is, whatever befalls requests.
        assert (await world.api.get("/readyz")).status == 200

    run(story)


def test_answers_are_late_and_a_share_of_them_fails() -> None:
    async def story(world: World) -> None:
        loop = asyncio.get_running_loop()
        await world.fault("late", verbs=["list"], latency=0.2)
        began = loop.time()
        assert (await world.api.get(rest.MAPS)).status == 200
        assert loop.time() - began >= 0.2
        await world.injector.clear(["late"])
        await world.fault("some", verbs=["list"], code=503, share=0.5)
        found = [(await world.api.get(rest.MAPS)).status for _ in range(40)]
        assert 5 < found.count(503) < 35
        assert set(found) == {200, 503}
        assert world.hits() == {"some": found.count(503)}

    run(story)


def test_stale_reads_show_what_was_in_every_form() -> None:
    async def story(world: World) -> None:
        api = world.api
        await api.create(rest.MAPS, rest.config_map("old", a="1"))
        await world.fault(users=["admin"], stale=True)
        await api.create(rest.MAPS, rest.config_map("new"))
        merge = {"Content_Type": "application/merge-patch+json"}
        await api.call("PATCH", f"{rest.MAPS}/old", {"data": {"a": "2"}}, **merge)
        assert (await api.get(f"{rest.MAPS}/old")).json["data"] == {"a": "1"}
        assert (await api.get(f"{rest.MAPS}/new")).status == 404
        names = [one["metadata"]["name"] for one in (await api.get(rest.MAPS)).json["items"]]
        assert names == ["old"]
        rows = (await api.get(rest.MAPS, Accept=TABLE)).json["rows"]
        assert [row["cells"][0] for row in rows] == ["old"]
        await world.injector.clear([])
        assert (await api.get(f"{rest.MAPS}/old")).json["data"] == {"a": "2"}
        assert (await api.get(f"{rest.MAPS}/new")).status == 200

    run(story)


def test_watches_are_cut_and_their_events_are_late() -> None:
    async def story(world: World) -> None:
        api, loop = world.api, asyncio.get_running_loop()
        revision = (await api.get(rest.MAPS)).json["metadata"]["resourceVersion"]
        path = f"{rest.MAPS}?watch=1&resourceVersion={revision}"
        async with api.watch(path) as before, api.watch(path) as other:
            await world.fault(resources=["configmaps"], drop_watches=0.5, delay_watches=0.2)
            assert await before.ended()
            assert await other.ended()
        async with api.watch(path) as again:
            began = loop.time()
            await api.create(rest.MAPS, rest.config_map("one"))
            assert (await again.next())["object"]["metadata"]["name"] == "one"
            assert loop.time() - began >= 0.2
            assert await again.ended()
            assert loop.time() - began >= 0.4
        assert (await api.get(rest.MAPS)).status == 200
        assert world.hits() == {"f": 3}  # watches: what was written and read suffers nothing
        await world.injector.clear([])
        async with api.watch(path) as whole:
            assert (await whole.next())["type"] == "ADDED"
            await api.create(rest.MAPS, rest.config_map("two"))
            assert (await whole.next())["object"]["metadata"]["name"] == "two"

    run(story)


def test_a_fault_ends_by_itself() -> None:
    async def story(world: World) -> None:
        await world.fault(seconds=2.0, code=500)
        assert (await world.api.get(rest.MAPS)).status == 500
        while world.api.registry.faults is not None:
            await asyncio.sleep(0.02)
        assert (await world.api.get(rest.MAPS)).status == 200
        assert world.hits() == {}

    run(story)
