"""A registry that really listens, and what tests push to it."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from cluster.aio import clock, tasks
from cluster.images import digests, manifests, media
from cluster.images.descriptors import Descriptor
from cluster.images.registry.component import Registry
from cluster.images.registry.config import Config


def htpasswd(name: str, password: str) -> dict[str, str]:
    import bcrypt

    return {name: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}


class World:
    def __init__(self, registry: Registry, session: aiohttp.ClientSession) -> None:
        self.registry = registry
        self.session = session
        self.host = f"127.0.0.1:{registry.port}"
        self.base = f"http://{self.host}"

    async def ask(
        self, method: str, path: str, data: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of the answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("http") else self.base + path
        async with self.session.request(
            method,
            url,
            data=data,
            headers=sent,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, found, await answer.read()

    async def code(self, method: str, path: str, data: Any = None, **headers: str) -> Any:
        """Status and error code of a refusal."""
        status, _, body = await self.ask(method, path, data, **headers)
        return status, json.loads(body)["errors"][0]["code"]

    async def blob(self, name: str, data: bytes) -> str:
        """Push a blob in one request."""
        digest = digests.of(data)
        path = f"/v2/{name}/blobs/uploads/?digest={digest}"
        status, _, said = await self.ask("POST", path, data)
        assert status == 201, said
        return digest

    async def image(self, name: str, tag: str, content: bytes = b"layer") -> str:
        """Push an image of one layer; the manifest's digest."""
        data = await self.parts(name, content)
        status, headers, said = await self.ask(
            "PUT", f"/v2/{name}/manifests/{tag}", data, Content_Type=media.OCI_MANIFEST
        )
        assert status == 201, said
        return headers["docker-content-digest"]

    async def parts(self, name: str, content: bytes) -> bytes:
        """Push the blobs of an image; its manifest."""
        config = json.dumps({"rootfs": {"type": "layers", "diff_ids": []}, "c": content.hex()})
        await self.blob(name, config.encode())
        await self.blob(name, content)
        return manifest(config.encode(), content)


def manifest(config: bytes, *layers: bytes, **more: Any) -> bytes:
    found = manifests.of_image(
        Descriptor(media.OCI_CONFIG, digests.of(config), len(config)),
        [Descriptor(media.OCI_LAYER, digests.of(one), len(one)) for one in layers],
    )
    return manifests.encode(found | more)


@contextlib.asynccontextmanager
async def serving(root: Path, **settings: Any) -> AsyncIterator[World]:
    settings = {"port": 0, **settings}
    registry = Registry(
        Config(root, **settings), clock=clock.SystemClock(), random=random.Random(1)
    )
    async with tasks.Group("registry") as group, aiohttp.ClientSession() as session:
        group.spawn(registry.run(), "registry")
        async with asyncio.timeout(10):
            await registry.ready.wait()
        yield World(registry, session)
        group.cancel()


def against(root: Path, story: Callable[[World], Awaitable[None]], **settings: Any) -> None:
    """Run a story against a registry on `root`."""

    async def main() -> None:
        async with asyncio.timeout(60), serving(root, **settings) as world:
            await story(world)

    asyncio.run(main())
