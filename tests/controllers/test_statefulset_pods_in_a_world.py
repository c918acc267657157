"""StatefulSets against a real registry: how pods are made, removed, mended and owned."""

from typing import Any

import pytest
from controllerworld import EPOCH, World
from statefulsets import REVISIONS, SETS, Sets, lived, stateful_set

from cluster.api import objects, timestamps
from cluster.controllers.statefulset import decision


def created(pods: dict[str, dict[str, Any]]) -> dict[str, float]:
    return {
        name: timestamps.decode(objects.meta(pod)["creationTimestamp"]) - EPOCH
        for name, pod in sorted(pods.items())
    }


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


def test_hundreds_of_pods_are_looked_at_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look costs by the number of pods: one for every pod's change would be quadratic."""
    looks = 0
    decide = decision.decide

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal looks
        looks += 1
        return decide(*given, **named)

    monkeypatch.setattr(decision, "decide", counted)

    async def scenario(world: World, sets: Sets) -> None:
        await world.create(SETS, stateful_set(replicas=300, podManagementPolicy="Parallel"))
        await sets.rest()
        await sets.patch(replicas=0)
        await sets.rest()
        assert 2 <= looks <= 40

    lived(scenario)
