"""A kubelet and its runtime with a real unix socket between them, on real time."""

import asyncio
import random

import kubeletworld as kw

from cluster.aio import clock, tasks
from cluster.client import channel
from cluster.kubelet import grpc_cri
from cluster.runtime.component import Runtime
from cluster.runtime.config import Config


def machine(address):
    return Runtime(
        Config(listen=address, volumes_on_disk=True),
        clock=clock.SystemClock(),
        random=random.Random(1),
    )


def test_pods_live_across_the_wire_and_survive_their_kubelet_and_their_machine(tmp_path):
    async def main():
        address = f"unix:{tmp_path}/cri.sock"
        async with asyncio.timeout(30), kw.world() as world, tasks.Group("machine") as group:
            running = group.spawn(machine(address).run(), "runtime")
            async with channel.connect([address]) as opened:
                cri = grpc_cri.connect(opened)
                kubelet, task = world.start_kubelet(cri, root_dir=f"{tmp_path}/kubelet")
                await kubelet.ready.wait()
                await world.pod("web")
                first = await world.wait("web", kw.phase("Running"), 10)
                await world.pod("job", policy="Never", command=["sh", "-c", "exit 3"])
                await world.wait("job", kw.phase("Failed"), 10)

                task.cancel()
                await asyncio.sleep(0)
                kubelet, _ = world.start_kubelet(cri, root_dir=f"{tmp_path}/kubelet")
                await kubelet.ready.wait()
                await asyncio.sleep(0.2)
                assert (await world.get("web"))["status"] == first["status"]

                running.cancel()
                await asyncio.sleep(0.3)
                running = group.spawn(machine(address).run(), "runtime-2")
                again = await world.wait("web", kw.restarts(1), 15)
                assert "running" in kw.container(again)["state"]

                await world.client.delete("pods", "web", "default")
                await world.gone("web", 10)
            running.cancel()

    asyncio.run(main())
