"""What simulated containers use, as CRI tells it, and what the kubelet passes to their runtime."""

import asyncio
import random

import pytest

from cluster.aio import clock, rpc, virtual
from cluster.kubelet import criconfig
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import script, usage
from cluster.runtime.config import Config
from cluster.runtime.service import CriService

MIB = 1 << 20


def told(annotations, resources=None, age=0.0):
    pod = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}}
    spec = {"name": "web", "image": "nginx", "resources": resources or {}}
    made = criconfig.container(pod, spec, 0, init=False, environment={})
    return usage.of(script.of("web", annotations, script.SERVER), made.linux.resources, age)


@pytest.mark.parametrize(
    ("annotations", "resources", "cpu", "memory"),
    [
        ({}, {}, 1_000_000, 10 * MIB),
        ({}, {"requests": {"cpu": "500m", "memory": "128Mi"}}, 50_000_000, 64 * MIB),
        ({}, {"requests": {"cpu": "1m", "memory": "1Mi"}}, 1_000_000, 10 * MIB),
        ({}, {"limits": {"memory": "4Mi"}}, 1_000_000, 4 * MIB),
        ({}, {"limits": {"cpu": "2"}}, 200_000_000, 10 * MIB),
        ({"kubemu.dev/cpu": "250m", "kubemu.dev/memory": "1Gi"}, {}, 250_000_000, 1024 * MIB),
        ({"kubemu.dev/cpu": "3", "kubemu.dev/cpu.web": "2"}, {}, 2_000_000_000, 10 * MIB),
        ({"kubemu.dev/cpu": "3", "kubemu.dev/memory": "1Gi"},
         {"limits": {"cpu": "1500m", "memory": "200Mi"}}, 1_500_000_000, 200 * MIB),
        ({"kubemu.dev/cpu": "0"}, {"requests": {"cpu": "1"}}, 0, 10 * MIB),
        ({"kubemu.dev/memory": "900E"}, {}, 1_000_000, 2**63 - 1),
    ],
)  # fmt: skip
def test_a_container_uses_what_it_was_told_or_a_share_of_its_requests(
    annotations, resources, cpu, memory
):
    assert told(annotations, resources) == usage.Usage(cpu, memory, 0)


@pytest.mark.parametrize(
    ("value", "why"), [("much", "quantities must match"), ("-1", "'-1' is negative")]
)
def test_an_amount_that_is_none_is_refused(value, why):
    with pytest.raises(ValueError, match=f"annotation kubemu.dev/memory: .*{why}"):
        script.of("web", {"kubemu.dev/memory": value}, script.SERVER)


def test_the_runtime_tells_of_containers_that_run_and_adds_up_what_they_used():
    async def main():
        wall = clock.LoopClock(asyncio.get_running_loop(), 1_790_000_000.0)
        cri = CriService(Config(pod_cidr="10.1.0.0/24"), clock=wall, random=random.Random(3))
        meta = pb.PodSandboxMetadata(name="p", uid="u", namespace="n")
        config = pb.PodSandboxConfig(metadata=meta, annotations={"kubemu.dev/cpu": "500m"})
        box = await cri.run_pod_sandbox(pb.RunPodSandboxRequest(config=config))
        await cri.pull_image(pb.PullImageRequest(image=pb.ImageSpec(image="nginx")))
        made = []
        for name in ("a", "b"):
            one = pb.ContainerConfig(
                metadata=pb.ContainerMetadata(name=name), image=pb.ImageSpec(image="nginx")
            )
            one.labels["which"] = name
            request = pb.CreateContainerRequest(pod_sandbox_id=box.pod_sandbox_id, config=one)
            made.append((await cri.create_container(request)).container_id)
        await cri.start_container(pb.StartContainerRequest(container_id=made[0]))
        await asyncio.sleep(10)

        async def stats(**wanted):
            request = pb.ListContainerStatsRequest(filter=pb.ContainerStatsFilter(**wanted))
            return (await cri.list_container_stats(request)).stats

        (one,) = await stats()
        assert one.attributes.id == made[0]
        assert one.attributes.metadata.name == "a"
        assert one.cpu.usage_nano_cores.value == 500_000_000
        assert round(one.cpu.usage_core_nano_seconds.value / 1e9, 3) == 5.0
        assert one.memory.working_set_bytes.value == 10 * MIB
        assert len(await stats(label_selector={"which": "a"})) == 1
        assert len(await stats(label_selector={"which": "b"})) == 0
        idle = await cri.container_stats(pb.ContainerStatsRequest(container_id=made[1]))
        assert not idle.stats.HasField("cpu")
        with pytest.raises(rpc.Failure, match="not found"):
            await cri.container_stats(pb.ContainerStatsRequest(container_id="none"))

    virtual.run(main())


CURVE = {"kubemu.dev/cpu": "0s=100m,10s=1,20s=1,30s=0", "kubemu.dev/memory": "0s=64Mi,1m=128Mi"}


@pytest.mark.parametrize(
    ("age", "limits", "cpu", "memory", "total"),
    [
        (0.0, {}, 100, 64, 0),
        (5.0, {}, 550, 69, 1625),
        (15.0, {}, 1000, 80, 10_500),
        (30.0, {}, 0, 96, 20_500),
        (600.0, {}, 0, 128, 20_500),
        (15.0, {"cpu": "500m", "memory": "70Mi"}, 500, 70, 6611),
    ],
)
def test_what_a_container_uses_follows_a_curve_from_its_start(age, limits, cpu, memory, total):
    found = told(CURVE, {"limits": limits} if limits else {}, age)
    assert found.cpu == cpu * 1_000_000
    assert found.memory // MIB == memory
    assert round(found.total / 1_000_000) == total


@pytest.mark.parametrize(
    ("annotations", "why"),
    [
        ({"kubemu.dev/cpu": "0s=1,soon=2"}, "annotation kubemu.dev/cpu: 'soon' is no duration"),
        ({"kubemu.dev/load-from": "web"}, "annotation kubemu.dev/load-from: 'web' is no workload"),
        ({"kubemu.dev/load-from": "pod/web"}, "'pod/web' is no workload"),
        (
            {"kubemu.dev/load-from": "deployment/web", "kubemu.dev/cpu-per-load": "much"},
            "annotation kubemu.dev/cpu-per-load: quantities must match",
        ),
        (
            {
                "kubemu.dev/load-from": "deployment/web",
                "kubemu.dev/memory-per-load.web": "0s=1,5s=2",
            },
            "is a curve: say how much each unit takes",
        ),
    ],
)
def test_curves_and_loads_that_cannot_be_read_keep_the_container_from_being_made(annotations, why):
    with pytest.raises(ValueError, match=why):
        script.of("web", annotations, script.SERVER)
