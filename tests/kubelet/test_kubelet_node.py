"""The Node and its lease, for one node and for many, on virtual time."""

import asyncio
import itertools
import random

import kubeletworld as kw

from cluster.aio import virtual
from cluster.api import conditions, errors, timestamps
from cluster.client.client import Client
from cluster.kubelet.component import Kubelet
from cluster.kubelet.config import Config
from cluster.kubelet.hollow import HollowNodes, configs
from cluster.runtime.config import Config as RuntimeConfig
from cluster.runtime.service import CriService


def test_a_node_waits_for_its_pod_cidr():
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            kubelet, _ = world.start_kubelet(runtime.cri, pod_cidr="")
            await kubelet.ready.wait()
            await asyncio.sleep(1)
            node = await world.client.get("nodes", kw.NODE)
            ready = conditions.find(node, "Ready")
            assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
            assert ready["message"] == (
                "container runtime network not ready: NetworkReady=false "
                "reason:NetworkPluginNotReady message:Network plugin returns error: "
                "cni plugin not initialized"
            )
            await world.pod("early")
            await asyncio.sleep(1)
            cidr = {"spec": {"podCIDR": "10.244.9.0/24", "podCIDRs": ["10.244.9.0/24"]}}
            await world.client.patch("nodes", kw.NODE, cidr)
            pod = await world.wait("early", kw.phase("Running"), 1)
            assert pod["status"]["podIP"] == "10.244.9.2"
            node = await world.client.get("nodes", kw.NODE)
            assert conditions.is_true(node, "Ready")

    virtual.run(main())


def test_the_lease_is_renewed_every_ten_seconds_and_the_status_every_five_minutes():
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            kubelet, task = world.start_kubelet(runtime.cri)
            await kubelet.ready.wait()
            await asyncio.sleep(60)
            start = await world.client.get("nodes", kw.NODE)
            renewed = []
            for _ in range(3600):
                lease = await world.client.get(
                    "leases.coordination.k8s.io", kw.NODE, "kube-node-lease"
                )
                if lease["spec"]["renewTime"] not in renewed:
                    renewed.append(lease["spec"]["renewTime"])
                await asyncio.sleep(0.5)
            assert lease["spec"]["leaseDurationSeconds"] == 40
            assert lease["metadata"]["ownerReferences"][0]["uid"] == start["metadata"]["uid"]
            times = [timestamps.decode(one) for one in renewed]
            gaps = [after - before for before, after in itertools.pairwise(times)]
            assert 165 <= len(gaps) <= 185
            assert max(gaps) < 11.5
            node = await world.client.get("nodes", kw.NODE)
            heard = timestamps.decode(conditions.find(node, "Ready")["lastHeartbeatTime"])
            assert world.clock.now() - heard <= 301
            since = conditions.find(node, "Ready")["lastTransitionTime"]
            assert since == conditions.find(start, "Ready")["lastTransitionTime"]
            task.cancel()
            await asyncio.sleep(60)
            again = await world.client.get("leases.coordination.k8s.io", kw.NODE, "kube-node-lease")
            assert again == lease

    virtual.run(main())


def test_a_lease_that_is_deleted_is_made_again():
    async def main():
        async with kw.world() as world:
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            await kubelet.ready.wait()
            await asyncio.sleep(1)
            name = ("leases.coordination.k8s.io", kw.NODE, "kube-node-lease")
            await world.client.delete(*name)
            await asyncio.sleep(15)
            assert (await world.client.get(*name))["spec"]["holderIdentity"] == kw.NODE

    virtual.run(main())


def test_a_node_that_was_there_gets_its_labels_and_is_ready():
    async def main():
        async with kw.world() as world:
            node = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": kw.NODE, "labels": {"mine": "yes", "zone": "old"}},
            }
            await world.client.create("nodes", node)
            kubelet, _ = world.start_kubelet(world.runtime().cri, labels={"zone": "new"})
            await kubelet.ready.wait()
            await asyncio.sleep(2)
            found = await world.client.get("nodes", kw.NODE)
            labels = found["metadata"]["labels"]
            assert (labels["mine"], labels["zone"]) == ("yes", "new")
            assert labels["kubernetes.io/hostname"] == kw.NODE

    virtual.run(main())


def test_who_calls_a_living_node_dead_is_contradicted():
    async def main():
        async with kw.world() as world:
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            await kubelet.ready.wait()
            await asyncio.sleep(1)
            node = await world.client.get("nodes", kw.NODE)
            for one in node["status"]["conditions"]:
                one |= {"status": "Unknown", "reason": "NodeStatusUnknown"}
            patch = {"status": {"conditions": node["status"]["conditions"]}}
            await world.client.patch("nodes", kw.NODE, patch, subresource="status")
            await asyncio.sleep(1)
            assert conditions.is_true(await world.client.get("nodes", kw.NODE), "Ready")

    virtual.run(main())


def hollow(world, count, client):
    template = Config(node_name="x", cpu="64")
    made = [
        Config(node_name=one.node_name, node_ip=one.node_ip, cpu="64", normal_events=False,
               pod_cidr=f"10.{number // 256}.{number % 256}.0/24")
        for number, one in enumerate(configs(template, count))
    ]  # fmt: skip
    runtimes = {}

    def factory(config):
        runtimes[config.node_name] = CriService(
            RuntimeConfig(node_name=config.node_name),
            clock=world.clock,
            random=random.Random(config.node_name),
        )
        return runtimes[config.node_name]

    nodes = HollowNodes(
        made, client=client, cri_factory=factory, clock=world.clock, random=random.Random(5)
    )
    return nodes, runtimes


def test_hollow_nodes_share_what_can_be_shared():
    async def main():
        async with kw.world() as world, Client(world.transport) as client:
            nodes, runtimes = hollow(world, 200, client)
            before = len(asyncio.all_tasks())
            world.group.spawn(nodes.run(), "hollow")
            await nodes.ready.wait()
            for number in range(400):
                await world.pod(f"p-{number}", node=f"hollow-{number % 200}")
            await asyncio.sleep(2)
            pods = (await world.client.list("pods")).items
            assert [one["status"]["phase"] for one in pods] == ["Running"] * 400
            assert len({one["status"]["podIP"] for one in pods}) == 400
            assert len(asyncio.all_tasks()) - before < 12
            assert all(len(one.driver.containers) == 2 for one in runtimes.values())
            assert await world.events() == []
            ready = [
                conditions.is_true(node, "Ready")
                for node in (await world.client.list("nodes")).items
            ]
            assert ready == [True] * 200

            revision = (await world.client.list("leases.coordination.k8s.io")).revision
            await asyncio.sleep(600)
            leases = (await world.client.list("leases.coordination.k8s.io")).items
            ages = [
                world.clock.now() - timestamps.decode(one["spec"]["renewTime"]) for one in leases
            ]
            assert len(leases) == 200
            assert max(ages) < 11
            writes = (await world.client.list("nodes", limit=1)).revision - revision
            assert 200 * 55 < writes < 200 * 70

            for number in range(400):
                await world.client.delete("pods", f"p-{number}", "default")
            await asyncio.sleep(2)
            assert (await world.client.list("pods")).items == []
            assert all(one.driver.sandboxes == {} for one in runtimes.values())

    virtual.run(main())


def test_an_api_that_is_away_is_waited_for():
    async def main():
        async with kw.world() as world:
            away = world.transport

            class Flaky:
                down = True

                def __getattr__(self, name):
                    return getattr(away, name)

                async def write(self, batch):
                    if self.down:
                        raise errors.ServiceUnavailable("no API")
                    return await away.write(batch)

            flaky = Flaky()
            async with Client(flaky) as client:
                nodes, _ = hollow(world, 3, client)
                world.group.spawn(nodes.run(), "hollow")
                await asyncio.sleep(60)
                assert not nodes.ready.is_set()
                flaky.down = False
                await asyncio.sleep(6)
                assert nodes.ready.is_set()
                flaky.down = True
                await world.pod("web", node="hollow-0")
                await asyncio.sleep(20)
                flaky.down = False
                await world.wait("web", kw.phase("Running"), 10)

    virtual.run(main())


def test_a_pod_cidr_that_is_given_before_the_registration_is_answered_is_not_missed():
    async def main():
        async with kw.world() as world:
            direct = world.transport

            class Late:
                """Writes are carried out at once and answered a second later."""

                def __getattr__(self, name):
                    return getattr(direct, name)

                async def write(self, batch):
                    answer = await direct.write(batch)
                    await asyncio.sleep(1)
                    return answer

            async with Client(Late()) as client:
                kubelet = Kubelet(
                    Config(node_name=kw.NODE, pod_cidr=""), client=client,
                    cri=world.runtime().cri, clock=world.clock, random=random.Random(1),
                )  # fmt: skip
                world.group.spawn(kubelet.run(), "kubelet")
                await asyncio.sleep(0.5)
                cidr = {"spec": {"podCIDR": "10.244.9.0/24", "podCIDRs": ["10.244.9.0/24"]}}
                await world.client.patch("nodes", kw.NODE, cidr)
                await asyncio.sleep(10)
                assert conditions.is_true(await world.client.get("nodes", kw.NODE), "Ready")

    virtual.run(main())
