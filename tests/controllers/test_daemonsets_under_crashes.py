"""DaemonSets while the manager dies at random moments, hears late and is not always answered.

What must hold holds at every change of a pod, and is looked at event by event.
"""

import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from controllerworld import World, running
from daemonsets import REVISIONS, SETS, Sets, daemon_set, image, obeying, rolling

from cluster.aio import tasks, virtual
from cluster.api import objects
from cluster.client import informer
from cluster.controllers import podstate
from cluster.controllers.daemonset import podmaking

SEEDS = range(6)
NODES = 5


class Chronicle:
    """The pods on each node, as of each revision; `rule` says what is wrong with them."""

    def __init__(self, rule: Callable[["Chronicle"], str | None]) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.wrong: list[str] = []
        self.changes = 0
        self.rule = rule

    def heard(self, change: informer.Change) -> None:
        self.changes += 1
        if change.new is None:
            self.pods.pop(change.key, None)
        else:
            self.pods[change.key] = change.new
        found = self.rule(self)
        if found:
            self.wrong.append(f"at revision {change.revision}: {found}: {self.told()}")

    def on(self, node: str) -> list[dict[str, Any]]:
        """Those that are not going."""
        return [
            pod
            for pod in self.pods.values()
            if podmaking.target(pod) == node and not objects.deleting(pod)
        ]

    def serves(self, node: str) -> bool:
        return any(podstate.is_ready(pod) for pod in self.on(node))

    def told(self) -> list[str]:
        return sorted(
            f"{podmaking.target(pod)} {image(pod)} {objects.name(pod)}"
            f"{' ready' if podstate.is_ready(pod) else ''}"
            f"{' going' if objects.deleting(pod) else ''}"
            for pod in self.pods.values()
        )


@contextlib.asynccontextmanager
async def watched(
    world: World, rule: Callable[[Chronicle], str | None]
) -> AsyncIterator[Chronicle]:
    chronicle = Chronicle(rule)
    pods = informer.Informer(world.client, "pods")
    pods.on_change(chronicle.heard)
    async with tasks.Group("chronicle") as group:
        group.spawn(pods.run(), "pods")
        await pods.synced()
        yield chronicle
        group.cancel()
    assert not chronicle.wrong, "\n".join(chronicle.wrong[:5])
    assert chronicle.changes, "nothing was seen"


ALL = [f"n{number}" for number in range(NODES)]


def one_a_node(chronicle: Chronicle) -> str | None:
    """Not even a pod that is going is there beside another."""
    for node in {podmaking.target(pod): None for pod in chronicle.pods.values()}:
        there = [pod for pod in chronicle.pods.values() if podmaking.target(pod) == node]
        if len(there) > 1:
            return f"{node} has {len(there)} pods"
    return None


def at_most(down: int, extra: int) -> Callable[[Chronicle], str | None]:
    """Once all nodes have been served: no more than `down` are not, `extra` have two pods."""
    begun = False

    def rule(chronicle: Chronicle) -> str | None:
        nonlocal begun
        serving = sum(map(chronicle.serves, ALL))
        begun = begun or serving == NODES
        if begun and serving < NODES - down:
            return f"{NODES - serving} are down"
        twice = [node for node in ALL if len(chronicle.on(node)) > 1]
        crowded = [node for node in ALL if len(chronicle.on(node)) > 2]
        if crowded or len(twice) > extra:
            return f"{crowded or twice} have too many"
        return None if extra else one_a_node(chronicle)

    return rule


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("down", "extra"), [(1, 0), (2, 0), (0, 1), (0, 2)])
def test_an_update_takes_no_more_than_it_may(seed: int, down: int, extra: int) -> None:
    async def main() -> None:
        strategy = rolling(maxUnavailable=down, maxSurge=extra)
        async with (
            running(crash_every=seed, nodes=NODES) as world,
            watched(world, at_most(down, extra)),
        ):
            obeying(world)
            sets = Sets(world)
            await world.create(SETS, daemon_set(updateStrategy=strategy))
            await sets.rest(NODES, within=400)
            for number in (2, 3):
                await sets.roll(f"nginx:{number}")
                await sets.rest(NODES, within=600)
            assert await sets.by_node() == {node: ["nginx:3"] for node in ALL}

    virtual.run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_users_and_nodes_do_no_node_has_two_pods(seed: int) -> None:
    async def main() -> None:
        chance = random.Random(f"{seed}/deeds")
        made = daemon_set(pod={"nodeSelector": {"role": "worker"}})
        async with (
            running(crash_every=seed, nodes=NODES) as world,
            watched(world, one_a_node),
        ):
            obeying(world)
            sets = Sets(world)
            await label(world, ALL, "worker")
            await world.create(SETS, made)
            for number in range(10):
                await deed(world, sets, chance, number)
            await label(world, ALL, "worker")
            await sets.roll("nginx:last")
            await sets.rest(len(world.kubelet.nodes), within=600)
            nodes = sorted(world.kubelet.nodes)
            assert await sets.by_node() == {node: ["nginx:last"] for node in nodes}

            numbers = [one["revision"] for one in await world.all(REVISIONS)]
            assert len(set(numbers)) == len(numbers)
            await world.client.delete(SETS, "agent", "default")

            async def nothing() -> bool:
                return not (await sets.pods() or await world.all(REVISIONS))

            await world.until(nothing, within=400)

    virtual.run(main())


async def label(world: World, nodes: list[str], role: str | None) -> None:
    for node in nodes:
        await world.client.patch("nodes", node, {"metadata": {"labels": {"role": role}}})


async def deed(world: World, sets: Sets, chance: random.Random, number: int) -> None:
    """Label, add a node, roll, delete, fail a pod, or wait."""
    pods = sorted(objects.name(pod) for pod in await sets.pods())
    what = chance.randrange(6)
    if what == 0:
        await label(world, [chance.choice(ALL)], chance.choice(["worker", None]))
    elif what == 1:
        await world.kubelet.add_node(f"late{number}", role="worker")
    elif what == 2:
        await sets.roll(f"nginx:{chance.randrange(3)}")
    elif what == 3 and pods:
        await world.client.delete("pods", chance.choice(pods), "default")
    elif what == 4 and pods:
        status = {"status": {"phase": chance.choice(["Failed", "Succeeded"])}}
        await world.client.patch(
            "pods", chance.choice(pods), status, "default", subresource="status"
        )
    until = world.clock.now() + chance.uniform(0, 8)

    async def over() -> bool:
        return world.clock.now() >= until

    await world.until(over)
