"""What a cluster says that its images do (`api.imagescripts`): a ConfigMap, read for containers.

Nobody watches it: a node at rest costs nothing. What was read will do for all containers, of all
nodes of the process, that are made in the next moment. It goes to the runtime as annotations of
the container; the API server lets no ConfigMap through that cannot be read.
"""

import asyncio
from typing import Final

import structlog

from cluster.aio import rpc
from cluster.api import errors, imagescripts, objects
from cluster.api.imagescripts import Scripts
from cluster.client.client import Client
from cluster.pb.cri.v1 import api_pb2 as pb

FRESH: Final = 0.05
"""Seconds for which what was read is taken for what there is."""
_PAUSE: Final = 10.0
"""Seconds until it is tried again where the API could not be reached: pods start meanwhile."""
_SECONDS: Final = 3.0


class ImageScripts:
    """The scripts of a cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._good: dict[str, Scripts] = {}
        self._scripts = imagescripts.NONE
        self._version = ""
        self._until = float("-inf")
        self._reading = asyncio.Lock()
        self._log = structlog.get_logger().bind(component="kubelet")

    async def apply(self, config: pb.ContainerConfig) -> None:
        """Add what a container's image does to its annotations."""
        await self._refresh()
        if self._scripts.rules:
            told = self._scripts.told(config.image.user_specified_image or config.image.image)
            for key, value in told.items():
                config.annotations[f"{imagescripts.PREFIX}{key}"] = value

    async def _refresh(self) -> None:
        """Have the scripts as they are. Where they cannot be read they stay as they were."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._until:
            return
        async with self._reading:
            now = loop.time()
            if now >= self._until:
                self._until = now + (FRESH if await self._read() else _PAUSE)

    async def _read(self) -> bool:
        """Ask; whether there was an answer."""
        name, namespace = imagescripts.CONFIG_MAP, imagescripts.NAMESPACE
        try:
            async with asyncio.timeout(_SECONDS):
                found = await self._client.get("configmaps", name, namespace)
        except errors.NotFound:
            self._good, self._scripts, self._version = {}, imagescripts.NONE, ""
        except (errors.StatusError, rpc.Failure, TimeoutError, OSError) as error:
            self._log.info("scripts of images cannot be read", error=str(error))
            return False
        else:
            version = str(found["metadata"].get("resourceVersion"))
            if version != self._version:
                self._version = version
                self._take(found)
        return True

    def _take(self, found: objects.Object) -> None:
        """Take the documents of a ConfigMap; of one that is wrong the last that was right."""
        good = {}
        for key, text in sorted((found.get("data") or {}).items()):
            try:
                good[key] = imagescripts.parse(text)
            except ValueError as error:
                if key in self._good:
                    good[key] = self._good[key]
                where = f"{imagescripts.NAMESPACE}/{imagescripts.CONFIG_MAP}"
                self._log.warning("a script of images is wrong", configmap=where, key=key,
                                  error=str(error))  # fmt: skip
        self._good = good
        self._scripts = imagescripts.joined(list(good.values()))
