"""StatefulSets against a real registry: the life cycle that the documentation tells."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from controllerworld import EPOCH, World, running
from statefulsets import CLAIMS, REVISIONS, SETS, Sets, image, rolling, stateful_set

from cluster.aio import virtual
from cluster.api import objects, timestamps
from cluster.controllers.config import Config

Scenario = Callable[[World, Sets], Awaitable[None]]


def lived(scenario: Scenario, config: Config | None = None) -> None:
    async def main() -> None:
        async with running(config) as world:
            await scenario(world, Sets(world))

    virtual.run(main())


def created(pods: dict[str, dict[str, Any]]) -> dict[str, float]:
    return {
        name: timestamps.decode(objects.meta(pod)["creationTimestamp"]) - EPOCH
        for name, pod in sorted(pods.items())
    }


# Making


def test_pods_are_made_in_order_each_when_the_one_before_is_ready() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        world.kubelet.ready_after = lambda pod: 3.0
        await world.create(SETS, stateful_set())
        told = await sets.rest()
        times = created(await sets.pods())
        assert list(times) == ["web-0", "web-1", "web-2"]
        assert times["web-1"] - times["web-0"] >= 3
        assert times["web-2"] - times["web-1"] >= 3
        revision = told["currentRevision"]
        assert told == {
            "observedGeneration": 1,
            "replicas": 3,
            "readyReplicas": 3,
            "currentReplicas": 3,
            "updatedReplicas": 3,
            "availableReplicas": 3,
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        told_of = await world.events("SuccessfulCreate")
        assert told_of == [f"create Pod web-{n} in StatefulSet web successful" for n in range(3)]

    lived(scenario)


def test_in_parallel_pods_wait_for_none() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        world.kubelet.ready_after = lambda pod: 30.0
        await world.create(SETS, stateful_set(replicas=20, podManagementPolicy="Parallel"))

        async def all_there() -> bool:
            return len(await sets.pods()) == 20

        await world.until(all_there, within=3)
        await sets.rest()

    lived(scenario)


def test_a_pod_knows_who_it_is() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1, claims=("www",)))
        told = await sets.rest()
        pod = (await sets.pods())["web-0"]
        assert objects.labels(pod) == {
            "app": "web",
            "statefulset.kubernetes.io/pod-name": "web-0",
            "apps.kubernetes.io/pod-index": "0",
            "controller-revision-hash": told["updateRevision"],
        }
        spec = objects.spec(pod)
        assert (spec["hostname"], spec["subdomain"]) == ("web-0", "web")
        assert spec["volumes"][0] == {
            "name": "www",
            "persistentVolumeClaim": {"claimName": "www-web-0"},
        }
        owner = objects.controller_of(pod) or {}
        assert (owner["kind"], owner["name"], owner["blockOwnerDeletion"]) == (
            "StatefulSet", "web", True,
        )  # fmt: skip
        assert objects.meta(pod)["generateName"] == "web-"

    lived(scenario)


def test_ordinals_start_where_they_are_told_to() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2, ordinals={"start": 5}))
        await sets.rest()
        assert sorted(await sets.pods()) == ["web-5", "web-6"]
        # Moving the start makes the new ones first, and removes the old ones from the top.
        await sets.patch(ordinals={"start": 4})
        await sets.rest()
        assert sorted(await sets.pods()) == ["web-4", "web-5"]

    lived(scenario)


def test_a_pod_counts_as_available_after_min_ready_seconds() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2, minReadySeconds=20))

        async def one_ready() -> bool:
            return (await sets.status()).get("readyReplicas") == 1

        await world.until(one_ready)
        assert (await sets.status())["availableReplicas"] == 0
        assert list(await sets.pods()) == ["web-0"]
        await sets.rest()
        times = created(await sets.pods())
        assert 20 <= times["web-1"] - times["web-0"] < 25

    lived(scenario)


def test_a_failed_creation_is_told_and_tried_again() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none", "namespace": "default"},
            "spec": {"hard": {"pods": "0"}},
        }
        await world.create("resourcequotas", quota)
        await world.create(SETS, stateful_set(replicas=1))

        async def told() -> bool:
            return bool(await world.events("FailedCreate"))

        await world.until(told)
        text = (await world.events("FailedCreate"))[0]
        assert text.startswith('create Pod web-0 in StatefulSet web failed error: pods "web-0" is')
        assert "exceeded quota: none" in text
        await world.client.delete("resourcequotas", "none", "default")
        await sets.rest()

    lived(scenario)


# Scaling


def test_scaling_down_removes_the_highest_first_one_at_a_time() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=4))
        await sets.rest()
        world.kubelet.end_after = 2.0
        await sets.patch(replicas=1)
        seen: list[list[str]] = []

        async def one_left() -> bool:
            pods = await sets.pods()
            alive = sorted(name for name, pod in pods.items() if not objects.deleting(pod))
            if not seen or seen[-1] != alive:
                seen.append(alive)
            ending = [name for name, pod in pods.items() if objects.deleting(pod)]
            assert len(ending) <= 1
            return sorted(pods) == ["web-0"]

        await world.until(one_left)
        names = ["web-0", "web-1", "web-2", "web-3"]
        assert [alive for alive in seen if len(alive) < 4] == [names[:3], names[:2], names[:1]]
        assert await world.events("SuccessfulDelete") == [
            f"delete Pod web-{n} in StatefulSet web successful" for n in (3, 2, 1)
        ]
        await sets.rest()

    lived(scenario)


def test_scaling_down_waits_for_lower_pods_that_are_not_ready() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=3))
        await sets.rest()
        condition = {"type": "Ready", "status": "False"}
        status = {"status": {"conditions": [condition]}}
        await world.client.patch("pods", "web-0", status, "default", subresource="status")
        await sets.patch(replicas=1)

        async def told() -> bool:
            return (await sets.status()).get("observedGeneration") == 2

        await world.until(told)
        assert sorted(await sets.pods()) == ["web-0", "web-1", "web-2"]
        condition["status"] = "True"
        condition["lastTransitionTime"] = timestamps.encode(world.clock.now())
        await world.client.patch("pods", "web-0", status, "default", subresource="status")
        await sets.rest()

    lived(scenario)


def test_a_condemned_pod_that_ails_goes_if_it_is_the_only_one_that_does() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2))
        await sets.rest()
        status = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        await world.client.patch("pods", "web-1", status, "default", subresource="status")
        await sets.patch(replicas=1)
        await sets.rest()

    lived(scenario)


def test_scaling_to_nothing_leaves_an_empty_status() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2))
        await sets.rest()
        await sets.patch(replicas=0)
        told = await sets.rest()
        assert (told["replicas"], told["availableReplicas"]) == (0, 0)
        assert "readyReplicas" not in told

    lived(scenario)


# What goes wrong


@pytest.mark.parametrize(
    ("phase", "kind", "reason", "text"),
    [
        ("Failed", "Warning", "RecreatingFailedPod", "recreating failed Pod web-0"),
        ("Succeeded", "Normal", "RecreatingTerminatedPod", "recreating terminated Pod web-0"),
    ],
)
@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_a_pod_that_has_ended_is_made_anew(
    phase: str, kind: str, reason: str, text: str, policy: str
) -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2, podManagementPolicy=policy))
        await sets.rest()
        before = objects.uid((await sets.pods())["web-0"])
        status = {"status": {"phase": phase, "conditions": [{"type": "Ready", "status": "False"}]}}
        await world.client.patch("pods", "web-0", status, "default", subresource="status")

        async def another() -> bool:
            pod = (await sets.pods()).get("web-0")
            return pod is not None and objects.uid(pod) != before

        await world.until(another)
        await sets.rest()
        assert await world.events(reason) == [f"StatefulSet default/web is {text}"]
        events = [e for e in await world.all("events") if e["reason"] == reason]
        assert [e["type"] for e in events] == [kind]

    lived(scenario)


def test_a_pod_on_a_silent_node_is_not_replaced_before_it_is_gone() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2))
        await sets.rest()
        node = objects.spec((await sets.pods())["web-1"])["nodeName"]
        world.kubelet.silent.add(node)
        before = objects.uid((await sets.pods())["web-1"])
        await world.client.delete("pods", "web-1", "default")

        async def told() -> bool:
            return (await sets.status()).get("updatedReplicas") == 1

        await world.until(told)
        assert objects.uid((await sets.pods())["web-1"]) == before
        await world.client.delete("pods", "web-1", "default", grace=0)
        await sets.rest()
        assert objects.uid((await sets.pods())["web-1"]) != before
        world.kubelet.silent.clear()

    lived(scenario)


def test_labels_that_somebody_took_away_are_put_back() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1))
        await sets.rest()
        label = "statefulset.kubernetes.io/pod-name"
        patch = {"metadata": {"labels": {label: None}}}
        await world.client.patch("pods", "web-0", patch, "default")

        async def back() -> bool:
            return objects.labels((await sets.pods())["web-0"]).get(label) == "web-0"

        await world.until(back)
        assert await world.events("SuccessfulUpdate") == [
            "update Pod web-0 in StatefulSet web successful"
        ]

    lived(scenario)


# Ownership


def orphan(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web", **labels}},
        "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
    }


def test_orphans_are_adopted_by_name_and_labels() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        for name in ("web-0", "web-x", "web-01", "other-0"):
            await world.create("pods", orphan(name))
        await world.create(SETS, stateful_set(replicas=1))

        async def adopted() -> bool:
            return objects.controller_of((await sets.pods())["web-0"]) is not None

        await world.until(adopted)
        pods = await sets.pods()
        assert [n for n in sorted(pods) if objects.controller_of(pods[n]) is None] == [
            "other-0", "web-01", "web-x",
        ]  # fmt: skip
        for name in ("web-x", "web-01", "other-0"):
            await world.client.delete("pods", name, "default")
        # It is of no revision: the update replaces it.
        told = await sets.rest()
        pod = (await sets.pods())["web-0"]
        assert objects.labels(pod)["controller-revision-hash"] == told["updateRevision"]

    lived(scenario)


def test_a_pod_that_is_selected_no_more_is_released_and_stands_in_the_way() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2))
        await sets.rest()
        patch = {"metadata": {"labels": {"app": "mine"}}}
        await world.client.patch("pods", "web-1", patch, "default")

        async def released() -> bool:
            return objects.controller_of(await world.get("pods", "web-1")) is None

        await world.until(released)
        assert (await sets.status())["replicas"] <= 2
        await world.client.delete("pods", "web-1", "default")
        await sets.rest()

    lived(scenario)


def test_pods_left_by_an_orphaning_deletion_are_taken_by_the_next_set() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=2))
        await sets.rest()
        before = {name: objects.uid(pod) for name, pod in (await sets.pods()).items()}
        await world.client.delete(SETS, "web", "default", propagation="Orphan")

        async def gone() -> bool:
            return not await world.exists(SETS, "web")

        await world.until(gone)
        assert len(await world.all(REVISIONS)) == 1
        await world.create(SETS, stateful_set(replicas=2))
        await sets.rest()
        assert {name: objects.uid(pod) for name, pod in (await sets.pods()).items()} == before
        found = await world.all(REVISIONS)
        owner = objects.uid(await world.get(SETS, "web"))
        assert [(objects.controller_of(one) or {})["uid"] for one in found] == [owner]

    lived(scenario)


# Updating


def test_an_update_goes_from_the_highest_down_one_at_a_time() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set())
        first = (await sets.rest())["currentRevision"]
        await sets.roll("nginx:2")
        order: list[str] = []

        async def updated() -> bool:
            pods = await sets.pods()
            down = 3 - sum(
                not objects.deleting(pod)
                and any(c["status"] == "True" for c in objects.status(pod).get("conditions") or ())
                for pod in pods.values()
            )
            assert down <= 1
            for name, pod in pods.items():
                if image(pod) == "nginx:2" and name not in order:
                    order.append(name)
            told = await sets.status()
            return (
                told["currentRevision"] == told["updateRevision"] != first and await sets.at_rest()
            )

        await world.until(updated, within=120)
        assert order == ["web-2", "web-1", "web-0"]
        told = await sets.status()
        assert (told["currentReplicas"], told["updatedReplicas"]) == (3, 3)

    lived(scenario)


def test_a_partition_keeps_lower_pods_even_when_they_are_deleted() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(updateStrategy=rolling(partition=2)))
        await sets.rest()
        await sets.roll("nginx:2")
        await sets.rest()
        old, new = "nginx:1", "nginx:2"
        assert await sets.images() == {"web-0": old, "web-1": old, "web-2": new}
        told = await sets.status()
        assert (told["currentReplicas"], told["updatedReplicas"]) == (2, 1)
        assert told["currentRevision"] != told["updateRevision"]
        await world.client.delete("pods", "web-0", "default")
        await world.client.delete("pods", "web-2", "default")

        async def back() -> bool:
            return await sets.at_rest()

        await world.until(back)
        assert await sets.images() == {"web-0": old, "web-1": old, "web-2": new}
        await sets.patch(updateStrategy={"rollingUpdate": {"partition": 0}})
        await sets.rest()
        assert set((await sets.images()).values()) == {new}

    lived(scenario)


def test_on_delete_updates_what_the_user_deletes() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(updateStrategy={"type": "OnDelete"}))
        await sets.rest()
        await sets.roll("nginx:2")

        async def told() -> bool:
            status = await sets.status()
            return status["currentRevision"] != status["updateRevision"]

        await world.until(told)
        await world.client.delete("pods", "web-1", "default")

        async def one_updated() -> bool:
            return (await sets.status()).get("updatedReplicas") == 1 and await sets.at_rest()

        await world.until(one_updated)
        assert await sets.images() == {"web-0": "nginx:1", "web-1": "nginx:2", "web-2": "nginx:1"}

    lived(scenario)


def test_max_unavailable_lets_several_go_at_once() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(
            replicas=6, podManagementPolicy="Parallel", updateStrategy=rolling(maxUnavailable="50%")
        )
        await world.create(SETS, made)
        await sets.rest()
        world.kubelet.end_after = 2.0
        await sets.roll("nginx:2")
        most = 0

        async def updated() -> bool:
            nonlocal most
            pods = await sets.pods()
            most = max(most, sum(objects.deleting(pod) for pod in pods.values()))
            return await sets.at_rest()

        await world.until(updated, within=60)
        assert most == 3

    lived(scenario)


def test_before_1_35_there_is_no_max_unavailable() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(
            replicas=4, podManagementPolicy="Parallel", updateStrategy=rolling(maxUnavailable=4)
        )
        await world.create(SETS, made)
        await sets.rest()
        world.kubelet.end_after = 2.0
        await sets.roll("nginx:2")

        async def updated() -> bool:
            pods = await sets.pods()
            assert sum(objects.deleting(pod) for pod in pods.values()) <= 1
            return await sets.at_rest()

        await world.until(updated, within=120)

    lived(scenario, Config(kubernetes_version="1.34"))


def test_a_broken_revision_blocks_until_its_pod_is_deleted_by_hand() -> None:
    """The known issue of OrderedReady: going back to a good template is not enough."""

    async def scenario(world: World, sets: Sets) -> None:
        world.kubelet.ready_after = lambda pod: None if image(pod) == "broken" else 1.0
        await world.create(SETS, stateful_set())
        good = (await sets.rest())["currentRevision"]
        await sets.roll("broken")

        async def stuck() -> bool:
            return (await sets.images()).get("web-2") == "broken"

        await world.until(stuck)
        await sets.roll("nginx:1")

        async def back() -> bool:
            return (await sets.status())["updateRevision"] == good

        await world.until(back)
        await world.until(stuck)
        assert (await sets.status())["readyReplicas"] == 2
        await world.client.delete("pods", "web-2", "default")
        await sets.rest()
        assert set((await sets.images()).values()) == {"nginx:1"}

    lived(scenario)


def test_in_parallel_a_broken_revision_is_replaced() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        world.kubelet.ready_after = lambda pod: None if image(pod) == "broken" else 1.0
        await world.create(SETS, stateful_set(podManagementPolicy="Parallel"))
        await sets.rest()
        await sets.roll("broken")

        async def stuck() -> bool:
            return (await sets.images()).get("web-2") == "broken"

        await world.until(stuck)
        assert (await sets.images())["web-1"] == "nginx:1"
        await sets.roll("nginx:1")
        await sets.rest()
        assert set((await sets.images()).values()) == {"nginx:1"}

    lived(scenario)


# History


def test_history_keeps_what_is_asked_for_and_what_is_in_use() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1, revisionHistoryLimit=2))
        await sets.rest()
        for number in range(2, 7):
            await sets.roll(f"nginx:{number}")
            await sets.rest()

        async def numbers() -> list[int]:
            return sorted(one["revision"] for one in await world.all(REVISIONS))

        async def truncated() -> bool:
            return await numbers() == [4, 5, 6]

        await world.until(truncated)

    lived(scenario)


def test_going_back_gives_the_old_revision_the_next_number() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1))
        first = (await sets.rest())["currentRevision"]
        await sets.roll("nginx:2")
        await sets.rest()
        await sets.roll("nginx:1")
        await sets.rest()
        assert (await sets.status())["currentRevision"] == first
        found = {objects.name(one): one["revision"] for one in await world.all(REVISIONS)}
        assert found[first] == 3
        assert sorted(found.values()) == [2, 3]

    lived(scenario)


def test_the_change_cause_is_kept_with_the_revision() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        made = stateful_set(replicas=1)
        made["metadata"]["annotations"] = {"kubernetes.io/change-cause": "because"}
        await world.create(SETS, made)
        await sets.rest()
        (revision,) = await world.all(REVISIONS)
        assert objects.annotations(revision)["kubernetes.io/change-cause"] == "because"

    lived(scenario)


def test_a_hash_that_is_taken_is_counted() -> None:
    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=1))
        taken = (await sets.rest())["currentRevision"]
        await world.client.delete(SETS, "web", "default")

        async def gone() -> bool:
            return not await world.all(REVISIONS)

        await world.until(gone)
        squatter = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {"name": taken, "namespace": "default"},
            "data": {"other": "thing"},
            "revision": 1,
        }
        await world.create(REVISIONS, squatter)
        await world.create(SETS, stateful_set(replicas=1))
        told = await sets.rest()
        assert told["collisionCount"] == 1
        assert told["currentRevision"] != taken

    lived(scenario)


# Claims


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
