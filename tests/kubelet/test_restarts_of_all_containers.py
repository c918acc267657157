"""Pods of which all containers start anew once one ends as its rule says (KEP 5532)."""

import asyncio
import random

import kubeletworld as kw
import pytest

from cluster.aio import virtual
from cluster.client.informer import Informer
from cluster.kubelet.lifecycle import restartall
from cluster.kubelet.lifecycle.actions import Kill, Reset
from cluster.kubelet.lifecycle.decide import decide
from cluster.kubelet.lifecycle.model import Container, Memory, Sandbox, Seen, State

BOX = Sandbox("box-0", 0, True, ("10.0.0.2",))
RULES = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}}]
CONDITION = "AllContainersRestarting"


def pod(**watcher):
    watcher = {"name": "watcher", "image": "a", "restartPolicyRules": RULES} | watcher
    return {
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [{"name": "setup", "image": "a"}],
            "containers": [{"name": "web", "image": "a"}, watcher],
        },
    }


def seen(setup=0, web=None, watcher=88):
    """`web`, `watcher`: exit codes; None: it runs."""
    codes = {"setup": setup, "web": web, "watcher": watcher}
    return Seen((BOX,), tuple(
        Container(f"{name}-0", "box-0", name, 0, State.RUNNING if code is None else State.EXITED,
                  finished=990.0, exit_code=code or 0)
        for name, code in codes.items()
    ))  # fmt: skip


def actions(found, memory=None, made=None):
    memory = memory or Memory(restarts_all=True)
    return list(decide(made or pod(), found, memory, 1000.0).actions)


def test_what_runs_is_killed_without_grace_and_then_all_is_forgotten_the_cause_last():
    assert actions(seen()) == [Kill("web-0", "web", 0)]
    assert actions(seen(web=137)) == [
        Reset("setup-0", "setup"), Reset("web-0", "web"), Reset("watcher-0", "watcher", 990.0),
    ]  # fmt: skip


def test_only_the_rules_exit_code_does_it():
    assert actions(seen(watcher=87)) == []
    assert actions(seen(watcher=0)) == []


def test_an_older_kubelet_knows_no_such_action():
    assert actions(seen(web=0), Memory()) == actions(seen(web=0, watcher=3), Memory())


def test_the_first_rule_that_holds_counts():
    first = {"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [1]}}
    assert restartall.action_of({"restartPolicyRules": [first, *RULES]}, 88) == "Restart"
    assert restartall.action_of({"restartPolicyRules": [first, *RULES]}, 1) == ""
    assert not restartall.possible(pod(restartPolicyRules=[first]))
    assert restartall.possible(pod())


def test_a_pod_that_is_deleted_does_not_start_anew():
    made = pod()
    made["metadata"] |= {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 9}
    assert actions(seen(), made=made) == [Kill("web-0", "web", 9)]


def test_restarts_in_a_row_wait_like_crashes():
    memory = Memory(restarts_all=True)
    memory.restarts.count(restartall.TRIAL, 980.0, 985.0)
    memory.restarts.count(restartall.TRIAL, 990.0, 990.0)
    plan = decide(pod(), seen(), memory, 1000.0)
    assert (plan.actions, plan.wake_at) == ((), 1010.0)
    assert plan.waiting["watcher"].reason == "CrashLoopBackOff"
    assert plan.waiting["watcher"].message.startswith("back-off 20s restarting")


def lab(scenario, version="v1.36.0"):
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            world.again = lambda: world.start_kubelet(runtime.cri, kubernetes_version=version)
            kubelet, world.task = world.again()
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            await scenario(world)

    virtual.run(main())


def shell(name, script, **more):
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script]} | more


def counts(found):
    every = ("initContainerStatuses", "containerStatuses")
    status = found["status"]
    return {one["name"]: one["restartCount"] for kind in every for one in status.get(kind) or ()}


def condition(found):
    listed = found["status"].get("conditions") or ()
    return next((one for one in listed if one["type"] == CONDITION), None)


async def watched(world, name, seconds):
    """Each status that a watch tells of in that time."""
    found = []
    informer = Informer(world.client, "pods", generator=random.Random(1))
    informer.on_change(lambda change: found.append(change.object["status"]))
    task = world.group.spawn(informer.run(), f"watch {name}")
    await asyncio.sleep(seconds)
    task.cancel()
    return found


def test_the_example_of_the_documentation_starts_anew_each_minute():
    async def scenario(world):
        sidecar = shell("watcher", "sleep 60; exit 88", restartPolicy="Always",
                        restartPolicyRules=RULES)  # fmt: skip
        await world.pod(
            "worker", policy="Never", init=[shell("setup", "echo x >> /d/times",
            volumeMounts=[{"name": "d", "mountPath": "/d"}]), sidecar],
            containers=[shell("main", "sleep 3600")], volumes=[{"name": "d", "emptyDir": {}}],
        )  # fmt: skip
        before = await world.wait("worker", kw.phase("Running"))
        assert condition(before)["status"] == "False"
        shown = await watched(world, "worker", 65)
        told = [one for one in shown if (condition({"status": one}) or {})["status"] == "True"]
        assert told
        assert condition({"status": told[0]})["reason"] == "RestartAllContainersStarted"
        after = await world.wait("worker", lambda one: set(counts(one).values()) == {1})
        after = await world.wait("worker", lambda one: condition(one)["status"] == "False")
        for field in ("podIP", "startTime"):
            assert after["status"][field] == before["status"][field]
        assert {one["phase"] for one in shown} <= {"Running", "Pending"}
        last = kw.container(after)["lastState"]
        assert last["terminated"]["exitCode"] == 137
        await asyncio.sleep(75)  # the second one in a row has a back-off behind it already
        assert set(counts(await world.get("worker")).values()) == {2}

    lab(scenario)


def test_a_pod_of_one_container_that_never_restarts_does_so_here_and_not_in_1_35():
    async def scenario(world):
        spec = shell("web", "sleep 5; exit 88", restartPolicy="Never", restartPolicyRules=RULES)
        await world.pod("one", policy="Never", containers=[spec])
        await world.wait("one", lambda one: counts(one).get("web") == 1)
        assert (await world.get("one"))["status"]["phase"] == "Running"

    lab(scenario)

    async def old(world):
        spec = shell("web", "sleep 5; exit 88", restartPolicy="Never", restartPolicyRules=RULES)
        await world.pod("one", policy="Never", containers=[spec])
        found = await world.wait("one", kw.phase("Failed"))
        assert condition(found) is None

    lab(old, "v1.35.0")


@pytest.mark.parametrize("after", [0.0, 0.01, 0.5])
def test_a_pod_whose_rule_holds_at_once_is_held_back_and_a_new_kubelet_goes_on(after):
    async def scenario(world):
        spec = shell("web", "exit 88", restartPolicy="Never", restartPolicyRules=RULES)
        await world.pod("one", policy="Never", containers=[spec, shell("b", "sleep 999")])
        await world.wait("one", lambda one: counts(one).get("web", 0) >= 1)
        await asyncio.sleep(after)
        world.task.cancel()
        await asyncio.sleep(1)
        world.again()
        await asyncio.sleep(100)
        found = counts(await world.get("one"))
        assert 3 <= found["web"] <= 8
        assert found["b"] >= 3

    lab(scenario)
