"""What holds at every revision of a StatefulSet's life, whenever its manager dies.

The manager is killed at random moments, its watch events are late and doubled, requests and answers
are lost. The pods' own watch, which is smooth, is looked at event by event.
"""

import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from controllerworld import World, running
from statefulsets import CLAIMS, REVISIONS, SETS, Sets, image, rolling, stateful_set

from cluster.aio import tasks, virtual
from cluster.api import objects
from cluster.client import informer
from cluster.controllers import podstate

SEEDS = range(6)

Rule = Callable[["Chronicle", informer.Change], str | None]


class Chronicle:
    """All pods by name, as of each revision; `rule` says what is wrong after a change."""

    def __init__(self, rule: Rule) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.wrong: list[str] = []
        self.changes = 0
        self.rule = rule

    def heard(self, change: informer.Change) -> None:
        self.changes += 1
        name = objects.name(change.object)
        if change.new is None:
            self.pods.pop(name, None)
        else:
            self.pods[name] = change.new
        found = self.rule(self, change)
        if found:
            self.wrong.append(f"at revision {change.revision}: {found}: {self.told()}")

    def told(self) -> dict[str, str]:
        return {
            name: f"{image(pod)} {'ready' if self.serves(name) else 'not ready'}"
            f"{' terminating' if objects.deleting(pod) else ''}"
            for name, pod in sorted(self.pods.items())
        }

    def serves(self, name: str) -> bool:
        pod = self.pods.get(name)
        return pod is not None and not objects.deleting(pod) and podstate.is_ready(pod)


@contextlib.asynccontextmanager
async def watched(world: World, rule: Rule) -> AsyncIterator[Chronicle]:
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


def ordinal(pod: dict[str, Any]) -> int:
    return int(objects.name(pod).rpartition("-")[2])


def in_order(chronicle: Chronicle, change: informer.Change) -> str | None:
    """A pod comes when all below serve; one that goes is the highest there is."""
    at = ordinal(change.object)
    if change.old is None:
        idle = [n for n in range(at) if not chronicle.serves(f"web-{n}")]
        return f"web-{at} was made before {idle} served" if idle else None
    if change.new is not None and objects.deleting(change.new) > objects.deleting(change.old):
        above = [name for name, pod in chronicle.pods.items() if ordinal(pod) > at]
        return f"web-{at} was deleted before {above}" if above else None
    return None


@pytest.mark.parametrize("seed", SEEDS)
def test_scaling_is_in_order(seed: int) -> None:
    async def main() -> None:
        chance = random.Random(f"{seed}/scales")
        async with running(crash_every=seed) as world, watched(world, in_order):
            sets = Sets(world)
            await world.create(SETS, stateful_set(replicas=3, claims=("www",)))
            for _ in range(5):
                wanted = chance.randrange(6)
                await sets.patch(replicas=wanted)
                await sets.rest(within=400)

    virtual.run(main())


def at_most(down: int, replicas: int, kept: int = 0) -> Rule:
    """Once all have served: no more than `down` do not; those below `kept` are what they were."""
    begun = False

    def rule(chronicle: Chronicle, change: informer.Change) -> str | None:
        nonlocal begun
        serving = sum(chronicle.serves(f"web-{n}") for n in range(replicas))
        begun = begun or serving == replicas
        if begun and serving < replicas - down:
            return f"{replicas - serving} are down"
        going = change.new is None or objects.deleting(change.new)
        if begun and going and ordinal(change.object) < kept:
            return f"{objects.name(change.object)} is below the partition"
        return None

    return rule


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("policy", "down", "kept"),
    [("OrderedReady", 1, 0), ("OrderedReady", 2, 1), ("Parallel", 1, 2), ("Parallel", 3, 0)],
)  # fmt: skip
def test_an_update_takes_no_more_than_it_may(seed: int, policy: str, down: int, kept: int) -> None:
    async def main() -> None:
        made = stateful_set(
            replicas=5,
            podManagementPolicy=policy,
            updateStrategy=rolling(maxUnavailable=down, partition=kept),
        )
        async with (
            running(crash_every=seed) as world,
            watched(world, at_most(down, 5, kept)),
        ):
            sets = Sets(world)
            await world.create(SETS, made)
            await sets.rest(within=400)
            for number in (2, 3):
                await sets.roll(f"nginx:{number}")
                await sets.rest(within=400)
            images = await sets.images()
            assert images == {f"web-{n}": "nginx:1" if n < kept else "nginx:3" for n in range(5)}

    virtual.run(main())


def no_twins(chronicle: Chronicle, change: informer.Change) -> str | None:
    """One pod an ordinal, whatever it is called, each with its own claim."""
    for name, pod in chronicle.pods.items():
        labels = objects.labels(pod)
        if labels.get("statefulset.kubernetes.io/pod-name") != name:
            return f"{name} is labelled {labels}"
        volumes = objects.spec(pod)["volumes"]
        if volumes[0]["persistentVolumeClaim"]["claimName"] != f"www-{name}":
            return f"{name} has {volumes}"
    return None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_whatever_users_and_nodes_do_the_set_comes_to_what_was_asked_last(
    seed: int, policy: str
) -> None:
    async def main() -> None:
        chance = random.Random(f"{seed}/deeds")
        made = stateful_set(replicas=3, claims=("www",), podManagementPolicy=policy)
        made["spec"]["persistentVolumeClaimRetentionPolicy"] = {
            "whenDeleted": "Delete",
            "whenScaled": "Delete",
        }
        async with running(crash_every=seed) as world, watched(world, no_twins):
            sets = Sets(world)
            await world.create(SETS, made)
            for number in range(8):
                await deed(world, sets, chance, number)
            await sets.patch(replicas=2)
            await sets.roll("nginx:last")
            await sets.rest(within=600)
            assert await sets.images() == {"web-0": "nginx:last", "web-1": "nginx:last"}

            await check_claims(world)
            history = await world.all(REVISIONS)
            numbers = [one["revision"] for one in history]
            assert len(set(numbers)) == len(numbers)
            await world.client.delete(SETS, "web", "default")

            async def nothing() -> bool:
                return not (
                    await sets.pods() or await world.all(CLAIMS) or await world.all(REVISIONS)
                )

            await world.until(nothing, within=400)

    virtual.run(main())


async def deed(world: World, sets: Sets, chance: random.Random, number: int) -> None:
    """Scale, roll, delete, fail a pod, or wait."""
    pods = sorted(await sets.pods())
    what = chance.randrange(5)
    if what == 0:
        await sets.patch(replicas=chance.randrange(5))
    elif what == 1:
        await sets.roll(f"nginx:{chance.randrange(3)}")
    elif what == 2 and pods:
        await world.client.delete("pods", chance.choice(pods), "default")
    elif what == 3 and pods:
        status = {"status": {"phase": chance.choice(["Failed", "Succeeded"])}}
        await world.client.patch(
            "pods", chance.choice(pods), status, "default", subresource="status"
        )
    pause = chance.uniform(0, 8)

    async def nothing() -> bool:
        return world.clock.now() >= until

    until = world.clock.now() + pause
    await world.until(nothing)


async def check_claims(world: World) -> None:
    """Those of the pods are there. Others are of ordinals whose pod went before it was condemned
    (or never came): they are the set's, and go with it, as in Kubernetes.
    """
    claims = {objects.name(claim): claim for claim in await world.all(CLAIMS)}
    assert {"www-web-0", "www-web-1"} <= set(claims)
    for name, claim in claims.items():
        owners = objects.meta(claim).get("ownerReferences") or []
        assert [owner["kind"] for owner in owners] in (["StatefulSet"], ["Pod"]), (name, owners)
