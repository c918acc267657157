"""Containers get other resources while they run, on virtual time."""

import asyncio

import kubeletworld as kw
import pytest

from cluster.aio import virtual
from cluster.kubelet.lifecycle import resizing
from cluster.kubelet.lifecycle.admission import Amounts


def lab(scenario, seed=1):
    async def main():
        async with kw.world(seed) as world:
            runtime = world.runtime()
            kubelet, task = world.start_kubelet(runtime.cri, cpu="4", memory="8Gi")
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            await scenario(world, runtime, task)

    virtual.run(main())


def web(cpu="500m", memory="64Mi", policy=None):
    amounts = {"cpu": cpu, "memory": memory}
    one = {"name": "web", "image": "example.org/web:1",
           "resources": {"requests": amounts, "limits": amounts}}  # fmt: skip
    return [one | ({"resizePolicy": policy} if policy else {})]


async def resize(world, name, **found):
    await world.client.patch(
        "pods", name,
        {"spec": {"containers": [
            {"name": "web", "resources": {"requests": found, "limits": found}}]}},
        "default", subresource="resize",
        patch_type="application/strategic-merge-patch+json",
    )  # fmt: skip


def has(**wanted):
    def check(pod):
        if "containerStatuses" not in pod["status"]:
            return False
        found = kw.container(pod).get("resources", {}).get("requests", {})
        return all(found.get(key) == value for key, value in wanted.items())

    return check


def condition(pod, kind):
    found = pod["status"].get("conditions") or ()
    return next((one for one in found if one["type"] == kind), None)


def test_cpu_changes_in_place():
    async def scenario(world, runtime, _task):
        await world.pod("p", containers=web())
        pod = await world.wait("p", has(cpu="500m"))
        assert kw.container(pod)["allocatedResources"] == {"cpu": "500m", "memory": "64Mi"}
        await resize(world, "p", cpu="2")
        pod = await world.wait("p", has(cpu="2", memory="64Mi"))
        assert kw.container(pod)["restartCount"] == 0
        assert kw.container(pod)["allocatedResources"]["cpu"] == "2"
        (one,) = runtime.cri.driver.containers.values()
        assert one.resources.cpu_quota == 200_000
        assert condition(pod, resizing.PENDING) is None

    lab(scenario)


def test_a_container_that_wants_it_is_restarted():
    async def scenario(world, runtime, _task):
        policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
        await world.pod("p", containers=web(policy=policy))
        await world.wait("p", has(cpu="500m"))
        await resize(world, "p", cpu="1")
        pod = await world.wait("p", has(cpu="1"))
        assert kw.container(pod)["restartCount"] == 0
        await resize(world, "p", memory="128Mi")
        pod = await world.wait("p", has(memory="128Mi"))
        assert kw.container(pod)["restartCount"] == 1
        await asyncio.sleep(1)
        assert await world.events("Killing") == ["Container web resize requires restart"]

    lab(scenario)


def test_what_the_node_has_not_is_infeasible():
    async def scenario(world, runtime, _task):
        await world.pod("p", containers=web())
        await world.wait("p", has(cpu="500m"))
        await resize(world, "p", cpu="8")
        pod = await world.wait("p", lambda pod: condition(pod, resizing.PENDING))
        found = condition(pod, resizing.PENDING)
        assert (found["status"], found["reason"]) == ("True", "Infeasible")
        assert found["message"] == (
            "Node didn't have enough capacity: cpu, requested: 8000, capacity: 4000"
        )
        assert has(cpu="500m")(pod)
        await resize(world, "p", cpu="1")
        pod = await world.wait("p", has(cpu="1"))
        assert condition(pod, resizing.PENDING) is None

    lab(scenario)


def test_what_others_hold_is_waited_for():
    async def scenario(world, runtime, _task):
        await world.pod("p", containers=web())
        await world.pod("other", containers=web(cpu="3"))
        await world.wait("p", has(cpu="500m"))
        await world.wait("other", has(cpu="3"))
        await resize(world, "p", cpu="2")
        pod = await world.wait("p", lambda pod: condition(pod, resizing.PENDING))
        assert condition(pod, resizing.PENDING)["reason"] == "Deferred"
        await world.client.delete("pods", "other", "default")
        pod = await world.wait("p", has(cpu="2"))
        assert condition(pod, resizing.PENDING) is None

    lab(scenario)


def test_a_restarted_kubelet_goes_on_with_it():
    async def scenario(world, runtime, task):
        await world.pod("p", containers=web())
        await world.wait("p", has(cpu="500m"))
        task.cancel()
        await asyncio.sleep(1)
        await resize(world, "p", cpu="2")
        kubelet, _ = world.start_kubelet(runtime.cri, cpu="4", memory="8Gi")
        await kubelet.ready.wait()
        pod = await world.wait("p", has(cpu="2"))
        assert kw.container(pod)["restartCount"] == 0
        (one,) = runtime.cri.driver.containers.values()
        assert one.resources.cpu_quota == 200_000

    lab(scenario)


def test_a_limit_below_what_is_used_kills():
    async def scenario(world, runtime, _task):
        await world.pod("p", containers=web(memory="200Mi"),
                        annotations={"kubemu.dev/memory": "100Mi"})  # fmt: skip
        await world.wait("p", has(memory="200Mi"))
        await resize(world, "p", memory="50Mi")
        pod = await world.wait("p", kw.restarts(1))
        assert kw.container(pod)["lastState"]["terminated"]["reason"] == "OOMKilled"

    lab(scenario)


@pytest.mark.parametrize(
    ("asked", "others", "reason"),
    [((4, 4), (0, 0), None), ((5, 1), (0, 0), "Infeasible"), ((1, 5), (0, 0), "Infeasible"),
     ((3, 1), (2, 0), "Deferred"), ((1, 3), (0, 2), "Deferred"), ((2, 2), (2, 2), None)],
)  # fmt: skip
def test_a_node_allots_what_it_has(asked, others, reason):
    found = resizing.judge(
        Amounts(cpu=asked[0], memory=asked[1]), Amounts(cpu=others[0], memory=others[1]),
        Amounts(cpu=4, memory=4),
    )  # fmt: skip
    assert (found[0] if found else None) == reason


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v1.33.0", []),
        ("v1.34.0", ["ResizeCompleted"]),
        ("v1.35.0", ["ResizeInfeasible", "ResizeStarted", "ResizeCompleted"]),
    ],
)
def test_a_resize_is_told_of_by_kubelets_that_do(version, expected):
    async def scenario():
        async with kw.world() as world:
            world.start_kubelet(world.runtime().cri, kubernetes_version=version)
            await world.pod("p", containers=web())
            await world.wait("p", has(cpu="500m"))
            await resize(world, "p", cpu="99")
            await world.wait("p", lambda pod: condition(pod, resizing.PENDING))
            await resize(world, "p", cpu="2")
            await world.wait("p", has(cpu="2"))
            await asyncio.sleep(2)
            found = (await world.client.list("events")).items
            told = [one for one in found if one["reason"].startswith("Resize")]
            assert sorted(one["reason"] for one in told) == sorted(expected)
            for one in told:
                assert one["message"].startswith("Pod resize ")
                assert ('"generation":' in one["message"]) is (version == "v1.35.0")
                refused = one["reason"] == "ResizeInfeasible"
                assert one["type"] == ("Warning" if refused else "Normal")
                assert ('"error":"Node didn' in one["message"]) is refused
                assert ('"cpu":"99"' in one["message"]) is refused

    virtual.run(scenario())
