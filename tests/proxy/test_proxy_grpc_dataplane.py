"""The data plane across a real gRPC connection behaves as the object itself."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from cluster.aio import rpc
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.proxy.grpc_dataplane import GrpcDataPlane
from cluster.runtime import dataplane_servicer
from cluster.runtime.dataplane import DataPlane


async def _chunks(*keys: str) -> AsyncIterator[pb.ReplaceServicesRequest]:
    for key in keys:
        yield pb.ReplaceServicesRequest(services=[pb.ServicePort(key=key, port=80)])


def test_replace_update_and_watch_over_a_socket(tmp_path: Path) -> None:
    async def main() -> None:
        plane = DataPlane(random.Random(1))
        server = grpc.aio.server()
        dataplane_servicer.add_to(server, plane)
        address = f"unix:{tmp_path / 'plane.sock'}"
        server.add_insecure_port(address)
        await server.start()
        async with asyncio.timeout(20), grpc.aio.insecure_channel(address) as channel:
            remote = GrpcDataPlane(channel)
            states = await remote.watch_services(pb.WatchServicesRequest())
            assert (await anext(states)).generation == 0
            state = await remote.replace_services(_chunks("a", "b"))
            assert list(plane.services) == ["a", "b"]
            assert await anext(states) == state == plane.state
            update = pb.UpdateServicesRequest(expected=state, removed=["a"])
            assert (await remote.update_services(update)).applied
            refused = await remote.update_services(update)
            assert (refused.applied, refused.state) == (False, plane.state)
            assert list(plane.services) == ["b"]
            await server.stop(0)
            with pytest.raises(rpc.Failure) as gone:
                await remote.update_services(update)
            assert gone.value.code == "UNAVAILABLE"

    asyncio.run(main())
