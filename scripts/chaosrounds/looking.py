"""What the nodes' runtimes really run, asked by CRI."""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc

from cluster.chaos.checking import looks, pods
from cluster.client import channel
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.pb.cri.v1 import api_pb2_grpc

_WITHIN = 2.0


class Runtimes:
    """The runtimes of a cluster, by node. Use it inside `async with`."""

    def __init__(self, endpoints: Mapping[str, str]) -> None:
        self._endpoints = endpoints
        self._channels: dict[str, Any] = {}
        self.twice: dict[str, None] = {}
        """What was seen to run twice."""

    async def __aenter__(self) -> "Runtimes":
        for node, endpoint in self._endpoints.items():
            self._channels[node] = channel.connect([endpoint])
        return self

    async def __aexit__(self, *_error: object) -> None:
        for each in self._channels.values():
            await each.close()

    async def look(self) -> dict[str, list[pods.Running]]:
        """What runs on each node whose runtime answers."""
        found = await asyncio.gather(*(self._one(node) for node in self._channels))
        return {node: running for node, running in found if running is not None}

    def silent(self, look: Mapping[str, object]) -> list[str]:
        """The nodes whose runtimes did not answer."""
        return [node for node in self._endpoints if node not in look]

    async def _one(self, node: str) -> tuple[str, list[pods.Running] | None]:
        stub = api_pb2_grpc.RuntimeServiceStub(self._channels[node])
        try:
            boxes = await stub.ListPodSandbox(cri.ListPodSandboxRequest(), timeout=_WITHIN)
            containers = await stub.ListContainers(cri.ListContainersRequest(), timeout=_WITHIN)
        except grpc.aio.AioRpcError:
            return node, None
        return node, looks.running(boxes.items, containers.containers)

    async def watch(self, every: float) -> None:
        """Look for what runs twice, until cancelled. What seems to is looked at once more: nodes
        are not asked at one moment.
        """
        while True:
            first = dict.fromkeys(pods.twice(await self.look(), "in the round"))
            if first:
                again = dict.fromkeys(pods.twice(await self.look(), "in the round"))
                self.twice |= {each: None for each in first if each in again}
            await asyncio.sleep(every)
