"""The service table that the runtime holds."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from cluster.aio import rpc, virtual
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.runtime.dataplane import DataPlane


def _entry(key: str) -> pb.ServicePort:
    return pb.ServicePort(key=key, namespace=key.partition("/")[0])


async def _chunks(*chunks: list[str]) -> AsyncIterator[pb.ReplaceServicesRequest]:
    for keys in chunks:
        yield pb.ReplaceServicesRequest(services=[_entry(key) for key in keys])


def test_a_table_changes_as_a_whole_when_its_last_chunk_has_come() -> None:
    async def main() -> None:
        plane = DataPlane(random.Random(1))
        await plane.replace_services(_chunks(["old/a"]))
        go_on = asyncio.Event()

        async def slowly() -> AsyncIterator[pb.ReplaceServicesRequest]:
            yield pb.ReplaceServicesRequest(services=[_entry("new/a")])
            await go_on.wait()
            yield pb.ReplaceServicesRequest(services=[_entry("new/b")])

        async with asyncio.TaskGroup() as group:
            replacing = group.create_task(plane.replace_services(slowly()))
            await asyncio.sleep(1)
            assert list(plane.services) == ["old/a"]
            go_on.set()
            assert (await replacing).generation == 2
        assert list(plane.services) == ["new/a", "new/b"]

    virtual.run(main())


def test_an_update_of_another_table_is_refused() -> None:
    async def main() -> None:
        plane = DataPlane(random.Random(1))
        state = await plane.replace_services(_chunks(["a/a"]))
        for wrong in (
            pb.ServicesState(instance=state.instance, generation=0),
            pb.ServicesState(instance="other", generation=state.generation),
        ):
            update = pb.UpdateServicesRequest(expected=wrong, removed=["a/a"])
            answer = await plane.update_services(update)
            assert (answer.applied, answer.state) == (False, state)
        assert list(plane.services) == ["a/a"]

    virtual.run(main())


def test_inspection() -> None:
    async def main() -> None:
        plane = DataPlane(random.Random(1))
        await plane.replace_services(_chunks(["b/b", "a/b"], ["a/a"]))
        found = await plane.list_services(pb.ListServicesRequest())
        assert [one.key for one in found.services] == ["a/a", "a/b", "b/b"]
        found = await plane.list_services(pb.ListServicesRequest(namespace="b"))
        assert [one.key for one in found.services] == ["b/b"]
        assert (await plane.get_service(pb.GetServiceRequest(key="a/b"))).service.key == "a/b"
        missing = await plane.get_service(pb.GetServiceRequest(key="x"))
        assert not missing.HasField("service")

    virtual.run(main())


def test_a_watch_tells_the_latest_state_and_ends_with_the_data_plane() -> None:
    async def main() -> None:
        plane = DataPlane(random.Random(1))
        states = await plane.watch_services(pb.WatchServicesRequest())
        assert (await anext(states)).generation == 0
        await plane.replace_services(_chunks(["a/a"]))
        await plane.replace_services(_chunks(["a/b"]))
        assert (await anext(states)).generation == 2
        plane.close()
        with pytest.raises(rpc.Failure) as ended:
            await anext(states)
        assert ended.value.code == "UNAVAILABLE"

    virtual.run(main())


def test_each_life_has_its_own_instance() -> None:
    generator = random.Random(1)
    assert DataPlane(generator).state.instance != DataPlane(generator).state.instance
