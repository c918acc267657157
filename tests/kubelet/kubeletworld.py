"""A registry in memory, a runtime and a kubelet, on virtual time: what kubelet tests live in."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.api import identity, resources
from cluster.apiserver import direct, registry
from cluster.client.client import Client
from cluster.kubelet.component import Kubelet
from cluster.kubelet.config import Config
from cluster.lab import keys
from cluster.runtime.component import Runtime
from cluster.runtime.config import Config as RuntimeConfig
from cluster.runtime.nodedisk import MemoryDisk
from cluster.storage.memory import MemoryStorage

EPOCH = 1_790_000_000.0
NODE = "node-1"


class World:
    """Holds the parts. `client` is an administrator's."""

    def __init__(self, group: tasks.Group, seed: int = 1) -> None:
        self.group = group
        self.loop = asyncio.get_running_loop()
        self.clock = clocks.LoopClock(self.loop, EPOCH)
        self.seed = seed
        self.storage = MemoryStorage()
        self.registry = registry.Registry(
            resources.built_in(), self.storage, clock=self.clock, random=random.Random(seed),
            issuer=keys.issuer(seed),
        )  # fmt: skip
        self.disk = MemoryDisk(self.clock)
        admin = identity.User("admin", (identity.MASTERS, identity.AUTHENTICATED))
        self.transport = direct.DirectTransport(self.registry, admin)
        self.client = Client(self.transport, manager="test")
        self.starts = 0

    def runtime(self, registries: Any = None, **settings: Any) -> Runtime:
        """A runtime; it is not run: its CRI is called directly."""
        config = RuntimeConfig(node_name=NODE, **settings)
        return Runtime(
            config,
            clock=self.clock,
            random=random.Random(f"{self.seed}/runtime"),
            disk=self.disk,
            registries=registries,
        )

    def start_kubelet(self, cri: Any, **settings: Any) -> tuple[Kubelet, asyncio.Task[Any]]:
        """A kubelet of NODE, running."""
        self.starts += 1
        settings = {
            "node_ip": "192.168.7.1",
            "pod_cidr": "10.244.1.0/24",
            "kubernetes_version": "v1.34.0",
        } | settings
        user = identity.User(f"system:node:{NODE}", ("system:nodes", identity.AUTHENTICATED))
        client = Client(direct.DirectTransport(self.registry, user), manager="kubelet")
        kubelet = Kubelet(
            Config(node_name=NODE, **settings),
            client=client,
            cri=cri,
            clock=self.clock,
            random=random.Random(f"{self.seed}/kubelet/{self.starts}"),
            disk=None if settings.get("root_dir") else self.disk,
        )

        async def run() -> None:
            async with client:
                await kubelet.run()

        return kubelet, self.group.spawn(run(), f"kubelet-{self.starts}")

    async def pod(self, name: str, **fields: Any) -> dict[str, Any]:
        """Create a pod bound to NODE."""
        return await self.client.create("pods", manifest(name, **fields))

    async def get(self, name: str) -> dict[str, Any]:
        return await self.client.get("pods", name, "default")

    async def wait(
        self, name: str, condition: Callable[[dict[str, Any]], bool], seconds: float = 60.0
    ) -> dict[str, Any]:
        """The pod, once the condition holds."""
        pod: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    pod = await self.get(name)
                    if condition(pod):
                        return pod
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {pod.get('status')}") from None

    async def gone(self, name: str, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while any(
                one["metadata"]["name"] == name for one in (await self.client.list("pods")).items
            ):
                await asyncio.sleep(0.1)

    async def events(self, reason: str = "") -> list[str]:
        found = (await self.client.list("events")).items
        return [one["message"] for one in found if reason in ("", one["reason"])]


@asynccontextmanager
async def world(seed: int = 1) -> AsyncIterator[World]:
    async with tasks.Group("world") as group:
        made = World(group, seed)
        await made.storage.open()
        await made.registry.open()
        async with made.client:
            # What a controller publishes: every pod mounts it.
            authority = {"name": "kube-root-ca.crt", "namespace": "default"}
            await made.client.create("configmaps", _config_map(authority, {"ca.crt": "the CA"}))
            yield made
            group.cancel()


def _config_map(meta: dict[str, Any], data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def manifest(
    name: str,
    *,
    image: str = "nginx:1.27",
    command: list[str] | None = None,
    annotations: dict[str, str] | None = None,
    policy: str = "Always",
    init: list[dict[str, Any]] | None = None,
    containers: list[dict[str, Any]] | None = None,
    node: str = NODE,
    **spec: Any,
) -> dict[str, Any]:
    """A pod of one container, `web`, unless `containers` says otherwise."""
    one: dict[str, Any] = {"name": "web", "image": image}
    if command:
        one["command"] = command
    body: dict[str, Any] = {
        "nodeName": node,
        "restartPolicy": policy,
        "containers": containers or [one],
        **spec,
    }
    if init:
        body["initContainers"] = init
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": body,
    }


def phase(wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda pod: pod["status"].get("phase") == wanted


def container(pod: dict[str, Any], index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = pod["status"]["containerStatuses"][index]
    return found


def restarts(wanted: int) -> Callable[[dict[str, Any]], bool]:
    def check(pod: dict[str, Any]) -> bool:
        statuses = pod["status"].get("containerStatuses") or [{}]
        return statuses[0].get("restartCount") == wanted

    return check


def waiting(reason: str) -> Callable[[dict[str, Any]], bool]:
    def check(pod: dict[str, Any]) -> bool:
        statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
        return statuses[0]["state"].get("waiting", {}).get("reason") == reason

    return check
