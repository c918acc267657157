"""A whole API server of each emulated version: it starts, and serves the kinds of that version."""

import asyncio
from random import Random

import aiohttp
import pytest

from cluster.aio import clock, tasks
from cluster.api import identity, resources, schema
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.storage.memory import MemoryStorage

ADMIN = {"token": identity.User("admin", (identity.MASTERS,))}


async def _served(version: str) -> dict[str, int]:
    """The answer to a list of each resource that any version has, by its path."""
    config = Config(port=0, grpc_address="", tokens=ADMIN, version=version)
    server = ApiServer(
        config, storage=MemoryStorage(), clock=clock.SystemClock(), random=Random(version)
    )
    found = {}
    async with tasks.Group("server") as group:
        group.spawn(server.run(), "apiserver")
        async with asyncio.timeout(20):
            await server.ready.wait()
        async with aiohttp.ClientSession() as session:
            for row in resources.BUILT_IN:
                if "list" in row.verbs and row.group != "metrics.k8s.io":
                    base = f"/apis/{row.api_version}" if row.group else f"/api/{row.version}"
                    path = f"{base}/{row.plural}"
                    url = f"http://127.0.0.1:{server.port}{path}"
                    headers = {"Authorization": "Bearer token"}
                    async with session.get(url, headers=headers) as answer:
                        found[path] = answer.status
        group.cancel()
    return found


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_a_server_of_a_version_serves_its_kinds(version: str) -> None:
    found = asyncio.run(_served(version))
    table = resources.built_in(version)
    expected = {
        path: 200 if table.at(group, version, plural) is not None else 404
        for path in found
        for group, version, plural in [_parts(path)]
    }
    assert found == expected
    assert 404 in found.values() or version == schema.NEWEST


def _parts(path: str) -> tuple[str, str, str]:
    parts = path.split("/")
    return ("", parts[2], parts[3]) if parts[1] == "api" else (parts[2], parts[3], parts[4])
