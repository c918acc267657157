"""A runtime with pods, on virtual time: containers, exec, logs, connections from outside."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from cluster.aio import clock, virtual
from cluster.api import imagereferences, imagescripts
from cluster.api.imagescripts import Scripts
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import streaming_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.config import Config
from cluster.runtime.records import Container
from cluster.runtime.registryimages import NoRegistries, Registries, RegistryImage
from cluster.runtime.service import CriService

EPOCH = 1_767_225_600.0


class Node:
    """A runtime. Pods are named by who makes them."""

    def __init__(
        self, registries: Registries | None = None, scripts: Scripts = imagescripts.NONE
    ) -> None:
        loop = asyncio.get_running_loop()
        config = Config(pod_cidr="10.244.1.0/24,fd00:1::/64", image_scripts=scripts)
        self.cri = CriService(
            config, clock=clock.LoopClock(loop, EPOCH), random=random.Random(1),
            registries=registries,
        )  # fmt: skip
        self.pods: dict[str, str] = {}

    async def pod(self, name: str, *, host: bool = False, **more: Any) -> str:
        """A sandbox; its id."""
        config = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=name, namespace="d", uid=name),
            hostname=name,
            log_directory=f"/logs/{name}",
            **more,
        )
        if host:
            config.linux.security_context.namespace_options.network = cri.NODE
        request = cri.RunPodSandboxRequest(config=config)
        self.pods[name] = (await self.cri.run_pod_sandbox(request)).pod_sandbox_id
        return self.pods[name]

    def address(self, name: str) -> str:
        """A pod's first address."""
        return self.cri.driver.sandboxes[self.pods[name]].addresses[0]

    async def run(
        self, pod: str, image: str, *command: str, name: str = "main", args: tuple[str, ...] = (),
        ports: tuple[int, ...] = (), start: bool = True, **more: Any,
    ) -> str:  # fmt: skip
        """A container, in a pod that is made where there is none; its id."""
        if pod not in self.pods:
            await self.pod(pod)
        await self.cri.pull_image(cri.PullImageRequest(image=cri.ImageSpec(image=image)))
        declared = [{"containerPort": port, "protocol": "TCP"} for port in ports]
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name),
            image=cri.ImageSpec(image=image),
            command=command,
            args=args,
            log_path=f"{name}/0.log",
            **more,
        )
        config.annotations["io.kubernetes.container.ports"] = json.dumps(declared)
        request = cri.CreateContainerRequest(pod_sandbox_id=self.pods[pod], config=config)
        cid = str((await self.cri.create_container(request)).container_id)
        if start:
            await self.cri.start_container(cri.StartContainerRequest(container_id=cid))
        return cid

    def record(self, cid: str) -> Container:
        """What the runtime knows of a container."""
        return self.cri.driver.containers[cid]

    async def status(self, cid: str) -> cri.ContainerStatus:
        """A container's status."""
        request = cri.ContainerStatusRequest(container_id=cid)
        return (await self.cri.container_status(request)).status

    async def ended(self, cid: str) -> cri.ContainerStatus:
        """The same, once it has ended."""
        async with asyncio.timeout(600):
            while (status := await self.status(cid)).state != cri.CONTAINER_EXITED:
                await asyncio.sleep(0.01)
        return status

    async def stop(self, cid: str, grace: int = 30) -> cri.ContainerStatus:
        """Ask a container to end; its status then."""
        request = cri.StopContainerRequest(container_id=cid, timeout=grace)
        await self.cri.stop_container(request)
        return await self.status(cid)

    async def exec(self, cid: str, *argv: str) -> cri.ExecSyncResponse:
        """Run a command in a container."""
        request = cri.ExecSyncRequest(container_id=cid, cmd=argv, timeout=120)
        return await self.cri.exec_sync(request)

    async def sh(self, cid: str, script: str) -> str:
        """What a script in a container prints, stdout and stderr."""
        answer = await self.exec(cid, "sh", "-c", f"{{ {script}; }} 2>&1")
        return answer.stdout.decode()

    async def log(self, cid: str) -> list[str]:
        """The lines of a container's log, with their times."""
        request = streams.ReadLogRequest(container_id=cid)
        return (await self.cri.read_log(request)).data.decode().splitlines()

    async def said(self, cid: str) -> list[str]:
        """The same without them."""
        return [line.split(" ", 3)[3] for line in await self.log(cid)]

    async def forward(self, pod: str, port: int, *data: bytes) -> list[pb.PortForwardOutput]:
        """What comes of a connection from outside."""

        async def inputs() -> AsyncIterator[pb.PortForwardInput]:
            start = pb.PortForwardStart(pod=self.pods[pod], port=port)
            yield pb.PortForwardInput(start=start)
            for one in data:
                yield pb.PortForwardInput(data=one)

        answer = await self.cri.stream_port_forward(inputs())
        return [one async for one in answer]

    async def get(self, pod: str, port: int, path: str = "/") -> str:
        """An HTTP answer from outside, whole."""
        request = f"GET {path} HTTP/1.1\r\nHost: {pod}\r\nConnection: close\r\n\r\n"
        outputs = await self.forward(pod, port, request.encode())
        failed = "".join(one.error for one in outputs)
        return failed or b"".join(one.data for one in outputs).decode()


class OneImage(NoRegistries):
    """A registry of one image, which is pulled already."""

    def __init__(self, name: str, config: dict[str, Any], files: dict[str, bytes]) -> None:
        self.id = "sha256:" + "1" * 64
        self.digest = "sha256:" + "2" * 64
        self.size = 1000
        self.name = imagereferences.parse(name).name
        self.config = {"config": config}
        self.layers = ()
        self._files = files

    def files(self) -> Iterator[tuple[str, int, bytes | str | None]]:
        """See RegistryImage."""
        yield from ((path, 0o755, data) for path, data in self._files.items())

    def serves(self, reference: imagereferences.Reference) -> bool:
        """See Registries."""
        return reference.name == self.name

    def find(self, name: str) -> RegistryImage | None:
        """See Registries."""
        return self if name in (self.name, self.id) else None

    async def pull(
        self, reference: imagereferences.Reference, username: str, password: str
    ) -> RegistryImage:
        """See Registries."""
        return self


def on_a_node(
    story: Callable[[Node], Awaitable[None]],
    registries: Registries | None = None,
    scripts: Scripts = imagescripts.NONE,
) -> None:
    """Run a story on virtual time; nothing may be left of it afterwards."""

    async def main() -> None:
        node = Node(registries, scripts)
        try:
            await story(node)
        finally:
            node.cri.close()
        await asyncio.sleep(1)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left
        assert node.cri.driver.spaces.bridge.buffers.used == 0  # type: ignore[attr-defined]

    virtual.run(main())
