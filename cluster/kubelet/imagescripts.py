"""What a cluster says that its images do (`api.imagescripts`): a ConfigMap, followed by kubelets.

One watch serves all nodes of a process, and a container that starts waits for nobody. What holds
for it goes to the runtime as annotations of the container; the API server lets no ConfigMap
through that cannot be read.
"""

import asyncio
import random as randoms
from typing import Final

import structlog

from cluster.api import imagescripts, objects
from cluster.api.imagescripts import Scripts
from cluster.client.client import Client
from cluster.client.informer import Change, Informer
from cluster.pb.cri.v1 import api_pb2 as pb

_SECONDS: Final = 3.0
"""How long the first containers wait for a first answer; afterwards they start without one."""


class ImageScripts:
    """The scripts of a cluster. Somebody has to run its `informer`."""

    def __init__(self, client: Client, random: randoms.Random) -> None:
        self.informer = Informer(
            client,
            "configmaps",
            namespace=imagescripts.NAMESPACE,
            fields=f"metadata.name={imagescripts.CONFIG_MAP}",
            generator=random,
        )
        self.informer.on_change(self._changed)
        self._good: dict[str, Scripts] = {}
        self._scripts = imagescripts.NONE
        self._waited = False
        self._log = structlog.get_logger().bind(component="kubelet")

    async def apply(self, config: pb.ContainerConfig) -> None:
        """Add what a container's image does to its annotations."""
        if not self.informer.has_synced and not self._waited:
            await self._wait()
        if self._scripts.rules:
            told = self._scripts.told(config.image.user_specified_image or config.image.image)
            for key, value in told.items():
                config.annotations[f"{imagescripts.PREFIX}{key}"] = value

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await self.informer.synced()
        except TimeoutError:
            self._waited = True
            self._log.info("scripts of images are not known yet: containers start without them")

    def _changed(self, change: Change) -> None:
        self._take({} if change.new is None else change.new)

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
