"""Pods that name a RuntimeClass, on a node, on virtual time."""

import asyncio
import json

import kubeletworld as kw
import pytest

from cluster.aio import virtual
from cluster.kubelet import criconfig
from cluster.pb.cluster.v1 import kubelet_pb2

GUEST = {"cpu": "250m", "memory": "1Gi"}


def lab(scenario, **settings):
    async def main():
        async with kw.world() as world:
            world.machine = world.runtime()
            kubelet, _ = world.start_kubelet(world.machine.cri, **settings)
            world.kubelet = kubelet
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            return await scenario(world)

    return virtual.run(main())


async def runtime_class(world, name="guest", handler="vm", overhead=None):
    made = {"metadata": {"name": name}, "handler": handler}
    if overhead:
        made["overhead"] = {"podFixed": overhead}
    await world.client.create("runtimeclasses.node.k8s.io", made)


def test_a_pod_gets_the_handler_and_the_machine_of_its_class():
    async def scenario(world):
        await runtime_class(world, overhead=GUEST)
        await world.pod("web", runtimeClassName="guest")
        begin = world.loop.time()
        await world.wait("web", kw.phase("Running"))
        (box,) = world.machine.cri.driver.sandboxes.values()
        return world.loop.time() - begin, box

    seconds, box = lab(scenario)
    assert 15 < seconds < 26
    assert box.handler == "vm"
    assert box.config.linux.overhead.memory_limit_in_bytes == 1 << 30
    assert box.config.linux.overhead.cpu_quota == 25_000


def test_a_pod_whose_guest_boots_can_be_deleted_meanwhile():
    async def scenario(world):
        await runtime_class(world, overhead=GUEST)
        await world.pod("web", runtimeClassName="guest")
        await asyncio.sleep(5)
        await world.client.delete("pods", "web", "default")
        begin = world.loop.time()
        await world.gone("web")
        return world.loop.time() - begin, dict(world.machine.cri.driver.sandboxes)

    seconds, boxes = lab(scenario)
    assert seconds < 2
    assert not boxes


def test_a_class_that_went_is_told_and_the_pod_starts_once_it_is_back():
    async def main():
        async with kw.world() as world:
            await runtime_class(world, handler="container")
            await world.pod("web", runtimeClassName="guest")
            await world.client.delete("runtimeclasses.node.k8s.io", "guest")
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            await kubelet.ready.wait()
            await asyncio.sleep(30)
            said = await world.events("FailedCreatePodSandBox")
            await runtime_class(world, handler="container")
            await world.wait("web", kw.phase("Running"))
            return said

    wanted = 'Failed to create pod sandbox: runtimeclass.node.k8s.io "guest" not found'
    assert set(virtual.run(main())) == {wanted}


def test_a_handler_that_the_runtime_has_not_is_told_in_its_words():
    async def scenario(world):
        await runtime_class(world, handler="gvisor")
        await world.pod("web", runtimeClassName="guest")
        await asyncio.sleep(30)
        return await world.events("FailedCreatePodSandBox")

    assert set(lab(scenario)) == {
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox "
        'runtime: no runtime for "gvisor" is configured'
    }


@pytest.mark.parametrize(("version", "shown"), [("v1.30.0", False), ("v1.31.0", True)])
def test_a_node_lists_the_handlers_of_its_runtime(version, shown):
    async def scenario(world):
        await asyncio.sleep(1)
        return await world.client.get("nodes", kw.NODE)

    node = lab(scenario, kubernetes_version=version)
    features = {"recursiveReadOnlyMounts": False, "userNamespaces": False}
    named = [{"name": name, "features": features} for name in ("sim", "container", "vm")]
    wanted = [{"features": features}, *named] if shown else None
    assert node["status"].get("runtimeHandlers") == wanted


def test_the_summary_shows_what_a_guest_takes_beside_its_containers():
    async def scenario(world):
        await runtime_class(world, overhead=GUEST)
        await world.pod("web", runtimeClassName="guest")
        await world.wait("web", kw.phase("Running"))
        await asyncio.sleep(10)
        request = kubelet_pb2.PageRequest(node=kw.NODE, path="/stats/summary")
        return json.loads((await world.kubelet.service.page(request)).body)

    summary = lab(scenario)
    (pod,) = summary["pods"]
    (inside,) = pod["containers"]
    beside = pod["memory"]["workingSetBytes"] - inside["memory"]["workingSetBytes"]
    assert beside == 1 << 30
    assert pod["cpu"]["usageNanoCores"] - inside["cpu"]["usageNanoCores"] == 25_000_000
    assert summary["node"]["memory"]["workingSetBytes"] > pod["memory"]["workingSetBytes"]


def test_a_sandbox_is_told_what_its_containers_may_use_together():
    amounts = {"requests": {"cpu": "250m"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
    containers = [{"name": name, "resources": amounts} for name in ("a", "b")]
    pod = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"containers": containers, "overhead": GUEST},
    }
    linux = criconfig.sandbox(pod, 0).linux
    assert linux.resources.cpu_shares == 512
    assert linux.resources.cpu_quota == 100_000
    assert linux.resources.memory_limit_in_bytes == 128 << 20
    assert linux.overhead.cpu_shares == 256
    assert linux.overhead.memory_limit_in_bytes == 1 << 30
    bare = criconfig.sandbox({**pod, "spec": {"containers": [{"name": "a"}]}}, 0).linux
    assert not bare.HasField("resources")
    assert not bare.HasField("overhead")
