"""StatefulSets against a real registry: claims, whose they are, and when they go."""

import pytest
from controllerworld import World
from statefulsets import CLAIMS, REVISIONS, SETS, Sets, lived, stateful_set

from cluster.api import objects


async def claim_owners(world: World) -> dict[str, list[tuple[str, str, bool]]]:
    return {
        objects.name(claim): [
            (owner["kind"], owner["name"], bool(owner.get("controller")))
            for owner in objects.meta(claim).get("ownerReferences") or ()
        ]
        for claim in await world.all(CLAIMS)
    }


def test_claims_are_made_from_templates_and_stay() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(replicas=2, claims=("www", "log"))
        made["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"] = {"tier": "x", "app": "y"}
        await world.create(SETS, made)
        await sets.rest()
        found = {objects.name(claim): claim for claim in await world.all(CLAIMS)}
        assert sorted(found) == ["log-web-0", "log-web-1", "www-web-0", "www-web-1"]
        assert objects.labels(found["www-web-0"]) == {"tier": "x", "app": "web"}
        assert objects.labels(found["log-web-1"]) == {"app": "web"}
        told_of = await world.events("SuccessfulCreate")
        assert "create Claim www-web-0 Pod web-0 in StatefulSet web success" in told_of
        before = objects.uid(found["www-web-1"])
        await sets.patch(replicas=1)
        await sets.rest()
        await sets.patch(replicas=2)
        await sets.rest()
        assert objects.uid(await world.get(CLAIMS, "www-web-1")) == before
        await world.client.delete(SETS, "web", "default")

        async def pods_gone() -> bool:
            return not await sets.pods()

        await world.until(pods_gone)
        assert len(await world.all(CLAIMS)) == 4
        assert not any((await claim_owners(world)).values())

    lived(scenario)


def retention(deleted: str, scaled: str) -> dict[str, str]:
    return {"whenDeleted": deleted, "whenScaled": scaled}


@pytest.mark.parametrize(
    ("policy", "after_scaling", "after_deletion"),
    [
        (retention("Retain", "Retain"), 2, 2),
        (retention("Retain", "Delete"), 1, 1),
        (retention("Delete", "Retain"), 2, 0),
        (retention("Delete", "Delete"), 1, 0),
    ],
)
def test_claims_go_by_the_retention_policy(
    policy: dict[str, str], after_scaling: int, after_deletion: int
) -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(
            replicas=2, claims=("www",), persistentVolumeClaimRetentionPolicy=policy
        )
        await world.create(SETS, made)
        await sets.rest()
        owned = policy["whenDeleted"] == "Delete"
        expected = [("StatefulSet", "web", True)] if owned else []
        assert set(map(tuple, (await claim_owners(world)).values())) == {tuple(expected)}
        await sets.patch(replicas=1)
        await sets.rest()

        async def left(count: int) -> bool:
            return len(await world.all(CLAIMS)) == count

        async def scaled() -> bool:
            return await left(after_scaling)

        await world.until(scaled)
        await world.client.delete(SETS, "web", "default")

        async def deleted() -> bool:
            return not await sets.pods() and await left(after_deletion)

        await world.until(deleted)

    lived(scenario)


def test_a_changed_retention_policy_changes_the_owners_of_claims_that_are_there() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2, claims=("www",)))
        await sets.rest()
        await sets.patch(persistentVolumeClaimRetentionPolicy=retention("Delete", "Retain"))

        async def owned() -> bool:
            owners = (await claim_owners(world)).values()
            return all(found == [("StatefulSet", "web", True)] for found in owners)

        await world.until(owned)
        await sets.patch(persistentVolumeClaimRetentionPolicy=retention("Retain", "Retain"))

        async def free() -> bool:
            return not any((await claim_owners(world)).values())

        await world.until(free)

    lived(scenario)


def test_a_pod_waits_for_the_claim_of_the_one_before_it_to_go() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(
            replicas=2,
            claims=("www",),
            persistentVolumeClaimRetentionPolicy=retention("Retain", "Delete"),
        )
        await world.create(SETS, made)
        await sets.rest()
        before = objects.uid(await world.get(CLAIMS, "www-web-1"))
        held = {"metadata": {"finalizers": ["example.com/held"]}}
        await world.client.patch(CLAIMS, "www-web-1", held, "default")
        await sets.patch(replicas=1)
        await sets.rest()
        await sets.patch(replicas=2)

        async def told() -> bool:
            return (await sets.status())["observedGeneration"] == 3

        await world.until(told)
        assert sorted(await sets.pods()) == ["web-0"]
        await world.client.patch(CLAIMS, "www-web-1", {"metadata": {"finalizers": []}}, "default")
        await sets.rest()
        assert objects.uid(await world.get(CLAIMS, "www-web-1")) != before

    lived(scenario)


def test_a_claim_that_is_being_deleted_is_waited_for() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1, claims=("www",)))
        await sets.rest()
        held = {"metadata": {"finalizers": ["example.com/held"]}}
        await world.client.patch(CLAIMS, "www-web-0", held, "default")
        await world.client.delete(CLAIMS, "www-web-0", "default")
        await world.client.delete("pods", "web-0", "default")

        async def told() -> bool:
            return bool(await world.events("FailedCreate"))

        await world.until(told)
        assert (await world.events("FailedCreate"))[0] == (
            "create Pod web-0 in StatefulSet web failed error: pvc www-web-0 is being deleted"
        )
        await world.client.patch(CLAIMS, "www-web-0", {"metadata": {"finalizers": []}}, "default")
        await sets.rest()

    lived(scenario)


def test_deletion_in_the_foreground_takes_pods_and_revisions_first() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=3))
        await sets.rest()
        await world.client.delete(SETS, "web", "default", propagation="Foreground")

        async def gone() -> bool:
            if await world.exists(SETS, "web"):
                return False
            assert not await sets.pods()
            return not await world.all(REVISIONS)

        await world.until(gone)
        assert len(await world.events("SuccessfulCreate")) == 3

    lived(scenario)
