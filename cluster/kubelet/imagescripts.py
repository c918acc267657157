"""What a cluster says that its images do (`api.imagescripts`): a ConfigMap, read when pods start.

Nobody watches it: an answer will do for some seconds, for all nodes of the process. It goes to the
runtime as annotations of the sandbox, and a pod's own annotations win.
"""

import asyncio
from typing import Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import errors, imagescripts, objects
from cluster.api.imagescripts import Scripts
from cluster.client.client import Client
from cluster.pb.cri.v1 import api_pb2 as pb

FRESH: Final = 5.0
"""Seconds for which what was read is taken for what there is."""
_SECONDS: Final = 3.0


class ImageScripts:
    """The scripts of a cluster."""

    def __init__(self, client: Client, clock: clocks.Clock) -> None:
        self._client = client
        self._clock = clock
        self._scripts = imagescripts.NONE
        self._version = ""
        self._at = float("-inf")
        self._log = structlog.get_logger().bind(component="kubelet")

    async def refresh(self) -> None:
        """Have the scripts as they are. Where they cannot be read they stay as they were."""
        now = self._clock.now()
        if now - self._at < FRESH:
            return
        self._at = now
        name, namespace = imagescripts.CONFIG_MAP, imagescripts.NAMESPACE
        try:
            async with asyncio.timeout(_SECONDS):
                found = await self._client.get("configmaps", name, namespace)
        except errors.NotFound:
            self._scripts, self._version = imagescripts.NONE, ""
        except (errors.StatusError, rpc.Failure, TimeoutError, OSError) as error:
            self._log.info("scripts of images cannot be read", error=str(error))
        else:
            version = str(found["metadata"].get("resourceVersion"))
            if version != self._version:
                self._version, self._scripts = version, self._read(found)

    def apply(self, pod: objects.Object, config: pb.PodSandboxConfig) -> None:
        """Add what a pod's images do to its sandbox's annotations."""
        if self._scripts.rules:
            scripted = imagescripts.of_pod(self._scripts, pod)
            for key, value in imagescripts.under(config.annotations, scripted).items():
                config.annotations[key] = value

    def _read(self, found: objects.Object) -> Scripts:
        documents = []
        for key, text in sorted((found.get("data") or {}).items()):
            try:
                documents.append(imagescripts.parse(text))
            except ValueError as error:
                where = f"{imagescripts.NAMESPACE}/{imagescripts.CONFIG_MAP}"
                self._log.warning("a script of images is wrong", configmap=where, key=key,
                                  error=str(error))  # fmt: skip
        return imagescripts.joined(documents)
