"""Node failure, eviction and pod collection at full length, on virtual time."""

import asyncio

from controllerworld import EPOCH, World, deployment, running

from cluster.aio import virtual
from cluster.api import errors, objects, timestamps
from cluster.controllers.config import Config

UNREACHABLE = "node.kubernetes.io/unreachable"


def ready(node: dict) -> dict:
    return next(c for c in node["status"]["conditions"] if c["type"] == "Ready")


def taint_effects(node: dict, key: str) -> list[str]:
    return sorted(t["effect"] for t in node["spec"].get("taints") or () if t["key"] == key)


async def pods_on(world: World, node: str) -> list[dict]:
    return await world.all("pods", fields=f"spec.nodeName={node}")


def test_a_silent_node_is_tainted_and_its_pods_move_after_the_toleration() -> None:
    async def main() -> None:
        async with running(nodes=3) as world:
            await world.create("deployments.apps", deployment(replicas=6))

            async def spread() -> bool:
                return all([len(await pods_on(world, f"n{i}")) == 2 for i in range(3)])

            await world.until(spread)
            await world.until(lambda: _all_ready(world, 6))
            world.kubelet.silent.add("n0")
            silent_since = world.clock.now()

            async def unknown() -> bool:
                return ready(await world.get("nodes", "n0", ""))["status"] == "Unknown"

            await world.until(unknown, within=70)
            # 50 s of grace, counted from the last heartbeat seen (up to 10 s old, seen up to
            # 5 s late), and a look every 5 s.
            assert 40 <= world.clock.now() - silent_since <= 61
            node = await world.get("nodes", "n0", "")
            assert ready(node)["reason"] == "NodeStatusUnknown"
            assert ready(node)["message"] == "Kubelet stopped posting node status."
            memory = next(c for c in node["status"]["conditions"] if c["type"] == "MemoryPressure")
            assert memory["reason"] == "NodeStatusNeverUpdated"

            async def tainted() -> bool:
                found = await world.get("nodes", "n0", "")
                return taint_effects(found, UNREACHABLE) == ["NoExecute", "NoSchedule"]

            await world.until(tainted, within=6)
            tainted_at = world.clock.now()
            lost = await pods_on(world, "n0")
            assert [ready(pod)["status"] for pod in lost] == ["False", "False"]
            assert "Node n0 status is now: NodeNotReady" in await world.events("NodeNotReady")

            async def evicted() -> bool:
                return all(objects.deleting(pod) for pod in await pods_on(world, "n0"))

            await world.until(evicted, within=310)
            assert 299 <= world.clock.now() - tainted_at <= 301
            for pod in await pods_on(world, "n0"):
                target = [c for c in pod["status"]["conditions"] if c["type"] == "DisruptionTarget"]
                assert target[0]["reason"] == "DeletionByTaintManager"
            marked = await world.events("TaintManagerEviction")
            assert (
                len([m for m in marked if m.startswith("Marking for deletion Pod default/")]) == 2
            )

            async def replaced() -> bool:
                found = await world.all("pods")
                return sum(not objects.deleting(p) and _is_ready(p) for p in found) == 6

            await world.until(replaced, within=10)
            assert len(await pods_on(world, "n0")) == 2  # terminating: nobody confirms their end
            await world.kubelet.back("n0")

            async def healed() -> bool:
                found = await world.get("nodes", "n0", "")
                return not found["spec"].get("taints") and not await pods_on(world, "n0")

            await world.until(healed, within=20)

    virtual.run(main())


def test_a_node_that_comes_back_in_time_keeps_its_pods() -> None:
    async def main() -> None:
        async with running(nodes=2) as world:
            await world.create("deployments.apps", deployment(replicas=2))
            await world.until(lambda: _all_ready(world, 2))
            before = {objects.uid(pod) for pod in await world.all("pods")}
            world.kubelet.silent.add("n0")

            async def tainted() -> bool:
                found = await world.get("nodes", "n0", "")
                return "NoExecute" in taint_effects(found, UNREACHABLE)

            await world.until(tainted, within=80)
            await world.kubelet.back("n0")

            async def clean() -> bool:
                return not (await world.get("nodes", "n0", ""))["spec"].get("taints")

            await world.until(clean, within=10)

            async def later() -> bool:
                return world.clock.now() > EPOCH + 600

            await world.until(later, within=600, every=10)
            assert {objects.uid(pod) for pod in await world.all("pods")} == before
            cancelled = [
                text
                for text in await world.events("TaintManagerEviction")
                if text.startswith("Cancelling deletion of Pod default/")
            ]
            assert len(cancelled) == 1

    virtual.run(main())


def test_a_node_that_never_reports_becomes_unknown_after_the_startup_grace() -> None:
    async def main() -> None:
        async with running(nodes=1) as world:
            await world.create(
                "nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "mute"}}
            )
            made = world.clock.now()

            async def unknown() -> bool:
                found = await world.get("nodes", "mute", "")
                return bool(found.get("status", {}).get("conditions"))

            await world.until(unknown, within=70)
            assert 60 <= world.clock.now() - made <= 66
            condition = ready(await world.get("nodes", "mute", ""))
            assert condition["reason"] == "NodeStatusNeverUpdated"
            assert condition["message"] == "Kubelet never posted node status."
            assert timestamps.decode(condition["lastHeartbeatTime"]) == int(made)

    virtual.run(main())


def test_when_every_node_falls_silent_nobody_is_evicted() -> None:
    async def main() -> None:
        async with running(nodes=3) as world:
            await world.create("deployments.apps", deployment(replicas=3))
            await world.until(lambda: _all_ready(world, 3))
            world.kubelet.silent.update({"n0", "n1", "n2"})

            async def all_unknown() -> bool:
                nodes = await world.all("nodes")
                return all(ready(node)["status"] == "Unknown" for node in nodes)

            await world.until(all_unknown, within=80)
            start = world.clock.now()

            async def long_after() -> bool:
                return world.clock.now() > start + 900

            await world.until(long_after, within=901, every=30)
            assert not [pod for pod in await world.all("pods") if objects.deleting(pod)]
            for node in await world.all("nodes"):
                assert "NoExecute" not in taint_effects(node, UNREACHABLE)

    virtual.run(main())


def test_nodes_get_ranges_of_their_own_and_a_full_range_is_told() -> None:
    async def main() -> None:
        config = Config(cluster_cidr="10.9.0.0/23")
        async with running(config, nodes=3) as world:

            async def told() -> bool:
                return bool(await world.events("CIDRNotAvailable"))

            await world.until(told)
            ranges = [node["spec"].get("podCIDR") for node in await world.all("nodes")]
            assert sorted(r for r in ranges if r) == ["10.9.0.0/24", "10.9.1.0/24"]
            owner = next(n for n in await world.all("nodes") if n["spec"].get("podCIDR"))
            await world.client.delete("nodes", objects.name(owner))

            async def handed_on() -> bool:
                left = await world.all("nodes")
                return len({n["spec"].get("podCIDR") for n in left} - {None}) == 2

            await world.until(handed_on)

    virtual.run(main())


def test_pods_of_a_node_that_is_gone_are_ended_after_the_quarantine() -> None:
    async def main() -> None:
        async with running(nodes=2) as world:
            await world.create("deployments.apps", deployment(replicas=4))
            await world.until(lambda: _all_ready(world, 4))
            world.kubelet.silent.add("n1")
            lost = {objects.uid(pod) for pod in await pods_on(world, "n1")}
            assert lost
            await world.client.delete("nodes", "n1")

            async def gone() -> bool:
                return not await pods_on(world, "n1")

            await world.until(gone, within=70)
            assert "Node n1 event: Removing Node n1 from Controller" in await world.events(
                "RemovingNode"
            )
            await world.until(lambda: _all_ready(world, 4))

    virtual.run(main())


def test_an_api_out_of_reach_is_not_held_against_the_nodes(monkeypatch) -> None:
    async def main() -> None:
        async with running(nodes=3) as world:
            await asyncio.sleep(20)
            update = world.manager_client.update
            refused: list[str] = []
            out = True

            async def refusing(resource, obj, **options):
                if not out:
                    return await update(resource, obj, **options)
                refused.append(resource)
                raise errors.ServiceUnavailable("the API is away")

            monkeypatch.setattr(world.manager_client, "update", refusing)
            world.kubelet.silent.update(world.kubelet.nodes)  # their heartbeats do not arrive
            await asyncio.sleep(70)
            assert "nodes" in refused
            out = False
            await asyncio.sleep(8)  # the controller is back before the kubelets are
            world.kubelet.silent.clear()
            for _ in range(60):
                await asyncio.sleep(1)
                for node in await world.all("nodes"):
                    assert ready(node)["status"] == "True"

    virtual.run(main())


async def _all_ready(world: World, count: int) -> bool:
    return sum(_is_ready(pod) for pod in await world.all("pods")) == count


def _is_ready(pod: dict) -> bool:
    return any(
        c["type"] == "Ready" and c["status"] == "True"
        for c in pod.get("status", {}).get("conditions") or ()
    )
