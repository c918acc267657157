"""ReplicaSets, EndpointSlices, accounts and the manager itself over a real registry."""

import pytest
from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.controllers.config import Config
from cluster.controllers.replicaset import controller as replicaset

SETS = "replicasets.apps"
SLICES = "endpointslices.discovery.k8s.io"


def replica_set(name="web", replicas=3, **spec):
    made = deployment(name, replicas, **spec)
    return made | {"kind": "ReplicaSet"}


def service(name="web", **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": "http"}],
            **spec,
        },
    }


async def running_pods(world: World, count: int) -> bool:
    pods = [p for p in await world.all("pods") if not objects.deleting(p)]
    return len(pods) == count and all(p["status"].get("phase") == "Running" for p in pods)


def test_a_replica_set_replaces_what_is_lost_and_shrinks_by_cost() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(SETS, replica_set(replicas=3))
            await world.until(lambda: running_pods(world, 3))
            victim = (await world.all("pods"))[0]
            await world.client.delete("pods", objects.name(victim), "default", grace=0)
            await world.until(lambda: running_pods(world, 3))
            cheap = (await world.all("pods"))[1]
            cost = {"controller.kubernetes.io/pod-deletion-cost": "-100"}
            await world.client.patch(
                "pods", objects.name(cheap), {"metadata": {"annotations": cost}}, "default"
            )
            await world.client.patch(SETS, "web", {"spec": {"replicas": 2}}, "default")
            await world.until(lambda: running_pods(world, 2))
            left = {objects.name(p) for p in await world.all("pods") if not objects.deleting(p)}
            assert objects.name(cheap) not in left
            assert f"Deleted pod: {objects.name(cheap)}" in await world.events("SuccessfulDelete")

            async def told() -> bool:
                status = (await world.get(SETS, "web"))["status"]
                return (
                    status.get("replicas"),
                    status.get("readyReplicas"),
                    status.get("availableReplicas"),
                    status.get("fullyLabeledReplicas"),
                ) == (2, 2, 2, 2)

            await world.until(told)

    virtual.run(main())


def test_pods_are_adopted_by_label_and_released_when_it_changes() -> None:
    async def main() -> None:
        async with running() as world:
            template = replica_set()["spec"]["template"]
            orphan = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "orphan", "namespace": "default", "labels": {"app": "web"}},
                "spec": template["spec"],
            }
            await world.create("pods", orphan)
            await world.create(SETS, replica_set(replicas=2))
            await world.until(lambda: running_pods(world, 2))
            adopted = await world.get("pods", "orphan")
            assert objects.controller_of(adopted)["name"] == "web"
            await world.client.patch(
                "pods", "orphan", {"metadata": {"labels": {"app": "debug"}}}, "default"
            )
            await world.until(lambda: running_pods(world, 3))
            assert objects.controller_of(await world.get("pods", "orphan")) is None

    virtual.run(main())


def test_min_ready_seconds_delay_availability_without_an_event() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(SETS, replica_set(replicas=1, minReadySeconds=20))
            await world.until(lambda: running_pods(world, 1))
            start = world.clock.now()

            async def available() -> bool:
                return (await world.get(SETS, "web"))["status"].get("availableReplicas") == 1

            await world.until(available, within=25)
            assert 18 <= world.clock.now() - start <= 22

    virtual.run(main())


def test_a_large_set_is_created_in_bursts_that_start_small(monkeypatch) -> None:
    async def main() -> None:
        async with running(nodes=0) as world:
            batches: list[int] = []
            submit_all = world.manager_client.submit_all

            async def counted(operations):
                found = list(operations)
                if found and found[0].resource == "pods":
                    batches.append(len(found))
                return await submit_all(found)

            monkeypatch.setattr(world.manager_client, "submit_all", counted)
            await world.create(SETS, replica_set(replicas=1100))

            async def all_there() -> bool:
                return (await world.get(SETS, "web")).get("status", {}).get("replicas") == 1100

            await world.until(all_there)
            burst = [1, 2, 4, 8, 16, 32, 64, 128, 245]
            assert batches == [*burst, *burst, 1, 2, 4, 8, 16, 32, 37]
            assert sum(burst) == replicaset.BURST
            assert len(await world.all("pods")) == 1100

    virtual.run(main())


def test_a_failing_creation_is_tried_once_told_and_healed(monkeypatch) -> None:
    async def main() -> None:
        async with running() as world:
            submit_all = world.manager_client.submit_all
            attempts: list[int] = []
            broken = True

            async def refusing(operations):
                found = list(operations)
                if broken and found and found[0].resource == "pods":
                    attempts.append(len(found))
                    return [errors.forbidden("pods", "x", "exceeded quota") for _ in found]
                return await submit_all(found)

            monkeypatch.setattr(world.manager_client, "submit_all", refusing)
            await world.create(SETS, replica_set(replicas=100))

            async def told() -> bool:
                status = (await world.get(SETS, "web")).get("status") or {}
                return any(c["reason"] == "FailedCreate" for c in status.get("conditions") or ())

            await world.until(told)
            assert set(attempts) == {1}, "one is tried, not a hundred"
            expected = 'Error creating: pods "x" is forbidden: exceeded quota'
            assert expected in await world.events("FailedCreate")
            broken = False

            async def healed() -> bool:
                status = (await world.get(SETS, "web"))["status"]
                return status.get("replicas") == 100 and not status.get("conditions")

            await world.until(healed, within=120)

    virtual.run(main())


def test_slices_follow_the_pods_of_a_service() -> None:
    async def main() -> None:
        async with running(Config(max_endpoints_per_slice=2)) as world:
            await world.create("services", service())

            async def addresses() -> list[list[str]]:
                return sorted(
                    sorted(e["addresses"][0] for e in one.get("endpoints") or ())
                    for one in await world.all(SLICES, labels="kubernetes.io/service-name=web")
                )

            async def one_empty() -> bool:
                return await addresses() == [[]]

            await world.until(one_empty)
            await world.create(SETS, replica_set(replicas=5))
            await world.until(lambda: running_pods(world, 5))

            async def packed() -> bool:
                return sorted(len(found) for found in await addresses()) == [1, 2, 2]

            await world.until(packed)
            pods = {p["status"]["podIP"]: p for p in await world.all("pods")}
            for one in await world.all(SLICES, labels="kubernetes.io/service-name=web"):
                assert one["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
                assert objects.name(one).startswith("web-")
                assert objects.controller_of(one)["kind"] == "Service"
                for entry in one["endpoints"]:
                    assert entry["conditions"]["ready"] is True
                    pod = pods[entry["addresses"][0]]
                    assert entry["targetRef"]["uid"] == objects.uid(pod)
                    assert entry["nodeName"] == pod["spec"]["nodeName"]
            world.kubelet.end_after = 5.0
            await world.client.patch(SETS, "web", {"spec": {"replicas": 4}}, "default")

            async def terminating() -> bool:
                entries = [
                    entry
                    for one in await world.all(SLICES, labels="kubernetes.io/service-name=web")
                    for entry in one["endpoints"]
                ]
                return [
                    e["conditions"]["ready"] for e in entries if e["conditions"]["terminating"]
                ] == [False]

            await world.until(terminating, within=4)

            async def gone() -> bool:
                return sum(len(found) for found in await addresses()) == 4

            await world.until(gone)
            await world.client.delete("services", "web", "default")

            async def collected() -> bool:
                return not await world.all(SLICES, labels="kubernetes.io/service-name=web")

            await world.until(collected)

    virtual.run(main())


def test_every_namespace_has_its_account_and_the_ca() -> None:
    async def main() -> None:
        async with running(Config(root_ca="PEM")) as world:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
            await world.create("namespaces", namespace)

            async def complete() -> bool:
                return await world.exists(
                    "serviceaccounts", "default", "shop"
                ) and await world.exists("configmaps", "kube-root-ca.crt", "shop")

            await world.until(complete)
            found = await world.get("configmaps", "kube-root-ca.crt", "shop")
            assert found["data"] == {"ca.crt": "PEM"}
            await world.client.patch(
                "configmaps", "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, "shop"
            )
            await world.client.delete("serviceaccounts", "default", "shop")

            async def mended() -> bool:
                found = await world.get("configmaps", "kube-root-ca.crt", "shop")
                return found["data"] == {"ca.crt": "PEM"} and await world.exists(
                    "serviceaccounts", "default", "shop"
                )

            await world.until(mended)

    virtual.run(main())


def test_a_controller_that_crashes_comes_back_and_the_others_go_on(monkeypatch) -> None:
    async def main() -> None:
        crashes: list[float] = []
        run = replicaset.ReplicaSetController.run

        async def crashing(self) -> None:
            if len(crashes) < 2:
                crashes.append(1)
                raise RuntimeError("a fault of the controller")
            await run(self)

        monkeypatch.setattr(replicaset.ReplicaSetController, "run", crashing)
        async with running() as world:
            await world.create("deployments.apps", deployment(replicas=2))

            async def rolled() -> bool:
                return bool(await world.all(SETS))

            await world.until(rolled, within=0.5)  # the deployment controller is not disturbed
            await world.until(lambda: running_pods(world, 2), within=15)
            assert len(crashes) == 2

    virtual.run(main())


@pytest.mark.parametrize("leader_elect", [True, False])
def test_the_manager_leads_before_it_acts(leader_elect) -> None:
    async def main() -> None:
        config = Config(leader_elect=leader_elect, identity="me")
        async with running(config) as world:

            async def acts() -> bool:
                return world.manager.leads

            await world.until(acts)
            leases = {
                objects.name(lease): lease
                for lease in await world.all("leases.coordination.k8s.io", "kube-system")
            }
            if leader_elect:
                assert leases["kube-controller-manager"]["spec"]["holderIdentity"] == "me"
            else:
                assert "kube-controller-manager" not in leases

    virtual.run(main())
