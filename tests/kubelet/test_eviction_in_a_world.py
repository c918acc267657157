"""Eviction by a real kubelet and a simulated runtime, on virtual time."""

import asyncio
from typing import Any

from kubeletworld import NODE, World, phase, world

from cluster.aio import virtual
from cluster.api import imagescripts
from cluster.lab import wire

LEAK = {"kubemu.dev/memory": "0s=64Mi,1m=900Mi"}
SMALL: dict[str, Any] = {"memory": "1Gi"}


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((one for one in found["status"]["conditions"] if one["type"] == kind), {})


async def node_condition(here: World, kind: str, status: str, seconds: float) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while True:
            found = condition(await here.client.get("nodes", NODE), kind)
            if found.get("status") == status:
                return found
            await asyncio.sleep(1.0)


def test_a_leak_is_evicted_and_told_of_and_its_node_heals() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime().cri, **SMALL)
            await here.pod("leak", annotations=LEAK)
            await here.pod("calm")
            await here.wait("calm", phase("Running"))
            pod = await here.wait("leak", phase("Failed"), 120)
            status = pod["status"]
            assert status["reason"] == "Evicted"
            assert status["message"].startswith(
                "The node was low on resource: memory. Threshold quantity: 100Mi, available: "
            )
            assert "request is 0, has larger consumption of memory. " in status["message"]
            target = condition(pod, "DisruptionTarget")
            assert (target["status"], target["reason"]) == ("True", "TerminationByKubelet")
            assert target["message"] == status["message"]
            assert await here.events("Evicted") == [status["message"]]
            assert "Attempting to reclaim memory" in await here.events("EvictionThresholdMet")
            found = await node_condition(here, "MemoryPressure", "True", 20)
            assert found["reason"] == "KubeletHasInsufficientMemory"
            # Nobody of the lowest class is taken meanwhile; who asks for memory is.
            await here.pod("late")
            late = await here.wait("late", phase("Failed"))
            assert late["status"]["message"] == "The node had condition: [MemoryPressure]. "
            asks = {"name": "web", "image": "nginx", "resources": {"requests": {"memory": "32Mi"}}}
            await here.pod("asks", containers=[asks])
            await here.wait("asks", phase("Running"))
            found = await node_condition(here, "MemoryPressure", "False", 400)
            assert found["reason"] == "KubeletHasSufficientMemory"
            assert (await here.get("calm"))["status"]["phase"] == "Running"

    virtual.run(scenario())


def test_a_leak_that_only_its_image_is_said_to_have_is_evicted() -> None:
    async def scenario() -> None:
        scripts = imagescripts.parse("images: [{image: shop/*, memory: '0s=64Mi,10m=900Mi'}]")
        async with world() as here:
            here.start_kubelet(here.runtime(image_scripts=scripts).cri, **SMALL)
            await here.pod("leak", containers=[{"name": "web", "image": "shop/web"}])
            pod = await here.wait("leak", phase("Failed"), 600)
            assert pod["status"]["reason"] == "Evicted"

    virtual.run(scenario())


def test_a_node_at_rest_is_not_looked_at() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            asked: list[float] = []
            real = cri.list_container_stats

            async def counted(request: Any) -> Any:
                asked.append(here.loop.time())
                return await real(request)

            cri.list_container_stats = counted  # type: ignore[method-assign]
            here.start_kubelet(cri)
            await here.pod("calm")
            await here.wait("calm", phase("Running"))
            await asyncio.sleep(400)  # images that came are looked at once, too
            looks = len(asked)
            assert looks <= 3
            await asyncio.sleep(3600)
            assert len(asked) == looks
            await here.pod("curve", annotations={"kubemu.dev/memory": "0s=1Mi,1h=2Mi"})
            await here.wait("curve", phase("Running"))
            await asyncio.sleep(100)
            assert len(asked) >= looks + 9

    virtual.run(scenario())


def test_a_node_whose_pods_have_ended_is_not_looked_at_though_it_is_measured() -> None:
    async def scenario() -> None:
        async with world() as here:
            socket = wire.Socket("the runtime")
            socket.service = cri = here.runtime().cri
            asked: list[float] = []
            real = cri.list_container_stats

            async def counted(request: Any) -> Any:
                asked.append(here.loop.time())
                return await real(request)

            cri.list_container_stats = counted  # type: ignore[method-assign]
            here.start_kubelet(socket)
            annotations = {"kubemu.dev/run-for": "5m"}
            await here.pod("short", annotations=annotations, restartPolicy="Never")
            await here.wait("short", phase("Running"))
            await asyncio.sleep(200)
            assert len(asked) >= 15
            await here.wait("short", phase("Succeeded"), 200)
            await asyncio.sleep(400)
            looks = len(asked)
            await asyncio.sleep(3600)
            assert len(asked) == looks

    virtual.run(scenario())


def test_a_volume_beyond_its_limit_ends_its_pod() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime().cri)
            script = "seq 1 300000 > /scratch/big; sleep 1000"
            writer = {
                "name": "web", "image": "busybox", "command": ["sh", "-c", script],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
            }  # fmt: skip
            volume = {"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}
            await here.pod("writer", containers=[writer], volumes=[volume])
            pod = await here.wait("writer", phase("Failed"), 60)
            text = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
            assert (pod["status"]["reason"], pod["status"]["message"]) == ("Evicted", text)

    virtual.run(scenario())


def test_a_disk_that_fills_up_sets_its_pressure() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime().cri, ephemeral_storage="10Gi")
            filling = {"kubemu.dev/ephemeral-storage": "0s=0,100s=10Gi"}
            await here.pod("filling", annotations=filling)
            pod = await here.wait("filling", phase("Failed"), 200)
            assert pod["status"]["message"].startswith(
                "The node was low on resource: ephemeral-storage. Threshold quantity: "
            )
            await node_condition(here, "DiskPressure", "True", 20)

    virtual.run(scenario())


def test_process_ids_run_out() -> None:
    async def scenario() -> None:
        async with world() as here:
            hard = {"pid.available": "10%"}
            here.start_kubelet(here.runtime().cri, eviction_hard=hard)
            await here.pod("bomb", annotations={"kubemu.dev/pids": "0s=1,60s=40k"})
            await here.wait("bomb", phase("Failed"), 200)
            await node_condition(here, "PIDPressure", "True", 20)

    virtual.run(scenario())


def test_what_is_reserved_is_not_allocatable() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(
                here.runtime().cri, memory="4Gi", cpu="4", ephemeral_storage="100Gi",
                kube_reserved={"cpu": "200m", "memory": "256Mi"}, system_reserved={"cpu": "100m"},
            )  # fmt: skip
            await here.pod("web")
            await here.wait("web", phase("Running"))
            found = (await here.client.get("nodes", NODE))["status"]
            assert found["capacity"]["memory"] == "4Gi"
            assert found["allocatable"] == {
                "cpu": "3700m", "memory": "3740Mi", "ephemeral-storage": "96636764160",
                "pods": "110",
            }  # fmt: skip

    virtual.run(scenario())
