"""Nodes that fall silent, return or go while the manager dies: who is evicted, and who is not.

What these controllers count time in (heartbeats seen, evictions ahead, nodes missing) dies with
them, here as in Kubernetes: a life must be longer than that time for anything to happen. So lives
are longer here than elsewhere, and the times are shorter.
"""

import asyncio
import random
from typing import Any

import pytest
from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import objects, timestamps
from cluster.client import informer
from cluster.controllers import podstate
from cluster.controllers.config import Config

UNREACHABLE = "node.kubernetes.io/unreachable"
TOLERATED = 60
"""Seconds that most pods stay on a node that is silent."""
LIVES = (1.0, 150.0)
CONFIG = Config(node_monitor_grace_period=20, terminated_pod_gc_threshold=5)
"""Heartbeats come every 10 s here, and may be seen some seconds late."""
BRIEF = {"tolerationSeconds": TOLERATED}


def pod(name: str, node: str = "", **toleration: Any) -> dict[str, Any]:
    """It tolerates every NoExecute taint, for ever unless `toleration` says for how long."""
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}
    if node:
        spec["nodeName"] = node
    spec["tolerations"] = [{"operator": "Exists", "effect": "NoExecute"} | toleration]
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


class Witness:
    """Sees every pod that begins to go or is gone, and every node that gets an evicting taint."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.doomed: dict[str, set[str]] = {}
        """By name of the pod: when it is to be gone; one time, if it was evicted once."""
        self.early: list[str] = []
        """Pods that went before their toleration was over."""
        self.gone: list[str] = []
        self._tainted: dict[str, float] = {}
        self.pods = informer.Informer(world.client, "pods")
        self.nodes = informer.Informer(world.client, "nodes")
        self.pods.on_change(self._pod)
        self.nodes.on_change(self._node)

    def _pod(self, change: informer.Change) -> None:
        if change.new is None:
            self.gone.append(objects.name(change.object))
        elif objects.deleting(change.new):
            name = objects.name(change.new)
            if name not in self.doomed:
                node = objects.spec(change.new)["nodeName"]
                since = self._tainted.get(node)
                if since is None or self._world.clock.now() - since < TOLERATED - 1:
                    self.early.append(name)
            self.doomed.setdefault(name, set()).add(objects.meta(change.new)["deletionTimestamp"])

    def _node(self, change: informer.Change) -> None:
        name = objects.name(change.object)
        added = [
            timestamps.decode(taint["timeAdded"])
            for taint in objects.spec(change.new or {}).get("taints") or ()
            if taint["effect"] == "NoExecute"
        ]
        if added:
            self._tainted[name] = min(added)
        else:
            self._tainted.pop(name, None)


async def effects(world: World, node: str) -> list[str]:
    found = await world.get("nodes", node, "")
    return sorted(t["effect"] for t in objects.spec(found).get("taints") or ())


async def names_on(world: World, node: str) -> list[str]:
    found = await world.all("pods", fields=f"spec.nodeName={node}")
    return sorted(objects.name(each) for each in found)


async def watched(world: World) -> Witness:
    witness = Witness(world)
    for source in (witness.pods, witness.nodes):
        world.group.spawn(source.run(), "witness")
        await source.synced()
    return witness


@pytest.mark.parametrize("seed", [*range(3), 122])
def test_pods_leave_a_node_that_stays_silent_and_only_that(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=3, crash_every=seed, lives=LIVES) as world:
            choice = random.Random(f"{seed}/nodes")
            witness = await watched(world)
            names = [f"n{number}" for number in range(3)]
            for name in names:
                for kind in ("brief", "other"):
                    await world.create("pods", pod(f"{kind}-{name}", name, **BRIEF))
                await world.create("pods", pod(f"stays-{name}", name))
            kept = {objects.uid(each) for each in await world.all("pods")}
            expected: list[str] = []
            choice.shuffle(names)
            for name, long in zip(names, (True, False, choice.random() < 0.5), strict=True):
                await asyncio.sleep(choice.uniform(1, 30))
                await falls_silent(world, name)
                if not long:
                    await asyncio.sleep(choice.uniform(0, TOLERATED - 30))
                else:
                    leaving = [f"brief-{name}", f"other-{name}"]
                    expected += leaving

                    async def evicted(leaving: list[str] = leaving) -> bool:
                        return set(leaving) <= set(witness.doomed)

                    await world.until(evicted, within=3000, every=1)
                await world.kubelet.back(name)
                await returns(world, name, [f"stays-{name}"] if long else None)
                if long:
                    await world.create("pods", pod(f"late-{name}", name, **BRIEF))
            await asyncio.sleep(3 * TOLERATED)
            assert sorted(witness.doomed) == sorted(expected)
            assert all(len(times) == 1 for times in witness.doomed.values()), "evicted once"
            assert witness.early == []
            left = {objects.uid(found) for found in await world.all("pods")}
            assert len(kept & left) == len(kept) - len(expected)
            assert world.mortal.deaths >= 2

    virtual.run(main())


async def falls_silent(world: World, node: str) -> None:
    """The node is tainted, and its pods are not ready."""
    world.kubelet.silent.add(node)

    async def tainted() -> bool:
        return await effects(world, node) == ["NoExecute", "NoSchedule"]

    async def not_ready() -> bool:
        found = await world.all("pods", fields=f"spec.nodeName={node}")
        return not any(podstate.is_ready(each) for each in found)

    await world.until(tainted, within=2000, every=1)
    await world.until(not_ready, within=20, every=1)


async def returns(world: World, node: str, pods: list[str] | None) -> None:
    """The node has no taint any more, and (unless None) these pods."""

    async def clean() -> bool:
        return await effects(world, node) == [] and pods in (None, await names_on(world, node))

    await world.until(clean, within=50, every=1)


@pytest.mark.parametrize("seed", [*range(3), 100])
def test_with_every_node_silent_nobody_is_evicted(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=3, crash_every=seed, lives=LIVES) as world:
            for number in range(3):
                await world.create("pods", pod(f"brief-{number}", f"n{number}", **BRIEF))
            before = {objects.uid(each) for each in await world.all("pods")}
            await asyncio.sleep(20)
            choice = random.Random(f"{seed}/silence")
            for name in choice.sample(world.kubelet.nodes, k=3):
                world.kubelet.silent.add(name)
                await asyncio.sleep(choice.uniform(0, 3))
            for _ in range(150):
                await asyncio.sleep(10)
                found = await world.all("pods")
                assert {objects.uid(each) for each in found if not objects.deleting(each)} == before

            async def only_unschedulable() -> bool:
                return {(*await effects(world, name),) for name in world.kubelet.nodes} == {
                    ("NoSchedule",)
                }

            await world.until(only_unschedulable, within=1000, every=1)
            assert world.mortal.deaths >= 5
            for name in world.kubelet.nodes:
                await world.kubelet.back(name)

            async def healed() -> bool:
                return not any([await effects(world, name) for name in world.kubelet.nodes])

            await world.until(healed, within=60, every=1)
            assert {objects.uid(each) for each in await world.all("pods")} == before

    virtual.run(main())


@pytest.mark.parametrize("seed", range(4))
def test_pods_of_a_node_that_is_gone_are_collected_and_no_others(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=3, crash_every=seed, lives=LIVES) as world:
            for number in range(9):
                await world.create("pods", pod(f"p{number}", f"n{number % 3}"))
            witness = await watched(world)
            await asyncio.sleep(random.Random(f"{seed}/gone").uniform(1, 60))
            world.kubelet.silent.add("n1")
            await world.client.delete("nodes", "n1")
            await world.create("pods", pod("early", "n3"))
            await asyncio.sleep(10)  # less than a missing node's quarantine
            await world.kubelet.add_node("n3")

            async def collected() -> bool:
                return not await names_on(world, "n1")

            await world.until(collected, within=3000, every=1)
            await asyncio.sleep(200)
            assert sorted(witness.gone) == ["p1", "p4", "p7"]
            assert len(await world.all("pods")) == 7
            assert world.mortal.deaths >= 1

    virtual.run(main())


@pytest.mark.parametrize("seed", range(4))
def test_finished_pods_beyond_the_threshold_go_the_oldest_first(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, crash_every=seed, lives=(1.0, 40.0)) as world:
            choice = random.Random(f"{seed}/finished")
            world.kubelet.outcome = lambda found: (
                (0.5, int(objects.name(found)[-1]) % 2)
                if objects.name(found).startswith("done")
                else None
            )
            witness = await watched(world)
            await world.create("pods", pod("a-runs", "n0"))
            # Names run against the ages, so that neither stands in for the other.
            done = [f"done-{number:02}" for number in reversed(range(14))]
            for name in done:
                await world.create("pods", pod(name, choice.choice(["n0", "n1"])))
                await asyncio.sleep(choice.uniform(1, 15))

            async def few() -> bool:
                return len(await world.all("pods")) == 1 + 5

            await world.until(few, within=1000, every=1)
            await asyncio.sleep(120)
            assert witness.gone == done[:9]
            assert world.mortal.deaths >= 2

    virtual.run(main())
