"""Hooks, graceful ends, deadlines and containers put in later, on virtual time."""

import asyncio

import kubeletworld as kw
import pytest

from cluster.aio import virtual
from cluster.api import conditions


def lab(scenario, seed=1):
    async def main():
        async with kw.world(seed) as world:
            runtime = world.runtime()
            kubelet, task = world.start_kubelet(runtime.cri)
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            await scenario(world, runtime, task)

    virtual.run(main())


def sh(script, name="web", **fields):
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **fields}


def sleeper(name="web", **fields):
    return {"name": name, "image": "busybox", "command": ["sleep", "99999"], **fields}


def server(name="web", **fields):
    return {"name": name, "image": f"example.org/{name}:1", **fields}


def ends(runtime):
    """Names of containers in the order in which they ended; listens from now on."""
    named, order = {}, []
    driver = runtime.cri.driver

    def listen(_uid, _at):
        for one in driver.containers.values():
            name = one.config.metadata.name
            if one.finished_at and one.id not in named:
                named[one.id] = name
                order.append(name)

    runtime.cri.on_event(listen)
    return order


def test_a_hook_that_asks_a_port_fails_as_there_is_none():
    async def scenario(world, _runtime, _task):
        hook = {"tcpSocket": {"port": 80}}
        await world.pod("p", containers=[server(lifecycle={"postStart": hook})])
        await world.wait("p", kw.waiting("CrashLoopBackOff"))
        assert (await world.events("FailedPostStartHook"))[0] == "PostStartHook failed"

    lab(scenario)


def test_a_post_start_hook_is_waited_for():
    async def scenario(world, runtime, _task):
        hook = {"exec": {"command": ["sh", "-c", "sleep 6; echo hi > /tmp/hello"]}}
        await world.pod("p", containers=[sleeper(lifecycle={"postStart": hook})])
        pod = await world.wait("p", kw.waiting("ContainerCreating"))
        assert not conditions.is_true(pod, "Ready")
        await world.wait("p", lambda pod: conditions.is_true(pod, "Ready"))
        assert 6 <= world.loop.time() <= 7

    lab(scenario)


def test_a_failing_post_start_hook_ends_the_container_and_is_told():
    async def scenario(world, runtime, _task):
        hook = {"exec": {"command": ["sh", "-c", "echo secret; exit 4"]}}
        await world.pod("p", containers=[server(lifecycle={"postStart": hook})])
        pod = await world.wait("p", kw.waiting("CrashLoopBackOff"))
        assert kw.container(pod)["restartCount"] == 1
        await asyncio.sleep(2)
        assert await world.events("FailedPostStartHook") == ["PostStartHook failed"]
        assert await world.events("Killing") == ["FailedPostStartHook"]

    lab(scenario)


def test_why_a_hook_failed_stands_in_the_status():
    async def scenario(world, runtime, _task):
        hook = {"exec": {"command": ["false"]}}
        slow = sleeper(lifecycle={"postStart": hook})
        await world.pod("p", containers=[slow], terminationGracePeriodSeconds=5)
        pod = await world.wait("p", kw.waiting("PostStartHookError"))
        message = kw.container(pod)["state"]["waiting"]["message"]
        assert message.startswith('Exec lifecycle hook ([false]) for Container "web" in Pod')

    lab(scenario)


@pytest.mark.parametrize(
    ("hook", "took"),
    [
        ({"sleep": {"seconds": 7}}, (7, 8)),
        ({"exec": {"command": ["sleep", "4"]}}, (4, 5)),
        ({"exec": {"command": ["sleep", "300"]}}, (30, 31)),
        ({"httpGet": {"path": "/shutdown", "port": 80}}, (0, 1)),
    ],
)
def test_a_pre_stop_hook_takes_from_the_grace(hook, took):
    async def scenario(world, runtime, _task):
        web = server(ports=[{"containerPort": 80}], lifecycle={"preStop": hook})
        await world.pod("p", containers=[web])
        await world.wait("p", kw.phase("Running"))
        begun = world.loop.time()
        await world.client.delete("pods", "p", "default")
        await world.gone("p")
        assert took[0] <= world.loop.time() - begun <= took[1]
        if "httpGet" in hook:
            await asyncio.sleep(2)
            assert await world.events("FailedPreStopHook") == []

    lab(scenario)


def test_hook_and_program_share_one_grace():
    async def scenario(world, runtime, _task):
        hook = {"preStop": {"sleep": {"seconds": 8}}}
        await world.pod("p", containers=[sleeper(lifecycle=hook)], terminationGracePeriodSeconds=10)
        await world.wait("p", kw.phase("Running"))
        begun = world.loop.time()
        await world.client.delete("pods", "p", "default")
        await world.gone("p")
        assert 10 <= world.loop.time() - begun <= 11

    lab(scenario)


def test_a_failing_pre_stop_hook_is_told_and_the_end_comes():
    async def scenario(world, runtime, _task):
        hook = {"preStop": {"exec": {"command": ["false"]}}}
        await world.pod("p", containers=[server(lifecycle=hook)])
        await world.wait("p", kw.phase("Running"))
        await world.client.delete("pods", "p", "default")
        await world.gone("p", 3)
        await asyncio.sleep(2)
        assert await world.events("FailedPreStopHook") == ["PreStopHook failed"]

    lab(scenario)


def test_a_shorter_grace_while_it_ends_counts():
    async def scenario(world, runtime, _task):
        hook = {"preStop": {"exec": {"command": ["sleep", "500"]}}}
        await world.pod("p", containers=[sleeper(lifecycle=hook)],
                        terminationGracePeriodSeconds=600)  # fmt: skip
        await world.wait("p", kw.phase("Running"))
        await world.client.delete("pods", "p", "default")
        await asyncio.sleep(20)
        begun = world.loop.time()
        await world.client.delete("pods", "p", "default", grace=3)
        await world.gone("p")
        assert 3 <= world.loop.time() - begun <= 6
        assert len(await world.events("Killing")) == 1

    lab(scenario)


def test_sidecars_outlive_the_app_and_end_in_reverse_order():
    async def scenario(world, runtime, _task):
        sidecars = [
            server("first", restartPolicy="Always"), server("second", restartPolicy="Always")
        ]  # fmt: skip
        app = sh("trap 'sleep 3; exit 0' TERM; sleep 9999 & wait")
        order = ends(runtime)
        await world.pod("p", init=sidecars, containers=[app])
        await world.wait("p", lambda pod: conditions.is_true(pod, "Ready"))
        await world.client.delete("pods", "p", "default")
        await world.gone("p")
        assert order == ["web", "second", "first"]

    lab(scenario)


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_a_job_with_a_sidecar_ends_with_its_app(policy):
    async def scenario(world, runtime, _task):
        order = ends(runtime)
        sidecar = server("logs", restartPolicy="Always")
        await world.pod("job", policy=policy, init=[sidecar], containers=[sh("sleep 5")])
        await world.wait("job", kw.phase("Succeeded"))
        assert 5 <= world.loop.time() <= 6
        assert order == ["web", "logs"]

    lab(scenario)


def test_a_crashing_sidecar_comes_back_under_never():
    async def scenario(world, runtime, _task):
        sidecar = sh("sleep 2; exit 1", "logs", restartPolicy="Always")
        await world.pod("job", policy="Never", init=[sidecar], containers=[sh("sleep 8")])
        pod = await world.wait("job", kw.phase("Succeeded"))
        assert pod["status"]["initContainerStatuses"][0]["restartCount"] == 1

    lab(scenario)


def test_a_pod_past_its_deadline_fails():
    async def scenario(world, runtime, task):
        order = ends(runtime)
        await world.pod("late", containers=[server()], activeDeadlineSeconds=30)
        await world.wait("late", kw.phase("Running"))
        pod = await world.wait("late", kw.phase("Failed"))
        assert 29 <= world.loop.time() <= 31
        assert pod["status"]["reason"] == "DeadlineExceeded"
        expected = "Pod was active on the node longer than the specified deadline"
        assert pod["status"]["message"] == expected
        assert order == ["web"]
        await asyncio.sleep(2)
        assert await world.events("DeadlineExceeded") == [
            "Pod was active on the node longer than specified deadline"
        ]
        task.cancel()
        await asyncio.sleep(1)
        kubelet, _ = world.start_kubelet(runtime.cri)
        await kubelet.ready.wait()
        await asyncio.sleep(60)
        assert (await world.get("late"))["status"] == pod["status"]

    lab(scenario)


def test_a_deadline_that_is_set_later_counts_from_the_start():
    async def scenario(world, runtime, _task):
        await world.pod("late", containers=[server()])
        await world.wait("late", kw.phase("Running"))
        await asyncio.sleep(20)
        patch = {"spec": {"activeDeadlineSeconds": 25}}
        await world.client.patch("pods", "late", patch, "default")
        await world.wait("late", kw.phase("Failed"))
        assert 24 <= world.loop.time() <= 27

    lab(scenario)


def test_readiness_gates_hold_the_pod():
    async def scenario(world, runtime, _task):
        gate = "example.org/up"
        await world.pod("p", containers=[server()], readinessGates=[{"conditionType": gate}])
        pod = await world.wait("p", kw.phase("Running"))
        assert conditions.is_true(pod, "ContainersReady")
        found = next(one for one in pod["status"]["conditions"] if one["type"] == "Ready")
        assert found["reason"] == "ReadinessGatesNotReady"
        status = {"status": {"conditions": [{"type": gate, "status": "True"}]}}
        await world.client.patch(
            "pods", "p", status, "default", subresource="status",
            patch_type="application/strategic-merge-patch+json",
        )  # fmt: skip
        await world.wait("p", lambda pod: conditions.is_true(pod, "Ready"))

    lab(scenario)


def test_an_ephemeral_container_runs_once_beside_the_others():
    async def scenario(world, runtime, _task):
        order = ends(runtime)
        await world.pod("p", containers=[server()])
        await world.wait("p", kw.phase("Running"))
        debugger = {
            "name": "debugger", "image": "busybox", "command": ["sh", "-c", "echo hi; sleep 5"]
        }  # fmt: skip
        patch = {"spec": {"ephemeralContainers": [debugger]}}
        await world.client.patch(
            "pods", "p", patch, "default", subresource="ephemeralcontainers",
            patch_type="application/strategic-merge-patch+json",
        )  # fmt: skip

        def state(pod):
            found = pod["status"].get("ephemeralContainerStatuses") or [{"state": {}}]
            return found[0]["state"]

        await world.wait("p", lambda pod: "running" in state(pod))
        pod = await world.wait("p", lambda pod: "terminated" in state(pod))
        assert state(pod)["terminated"]["exitCode"] == 0
        assert conditions.is_true(pod, "Ready")
        await asyncio.sleep(60)
        assert order == ["debugger"]
        started = (await world.client.list("events", fields="reason=Started")).items
        paths = [one["involvedObject"]["fieldPath"] for one in started]
        assert paths[-1] == "spec.ephemeralContainers{debugger}"

    lab(scenario)


def test_a_container_may_say_itself_whether_it_runs_again():
    async def scenario(world, runtime, _task):
        once = sh("sleep 2; exit 3", "once", restartPolicy="Never")
        retried = sh(
            "sleep 1; exit 42", "retried", restartPolicy="Never",
            restartPolicyRules=[{"action": "Restart",
                                 "exitCodes": {"operator": "In", "values": [42]}}],
        )  # fmt: skip
        await world.pod("p", containers=[once, retried])
        await asyncio.sleep(20)
        pod = await world.get("p")
        statuses = {one["name"]: one for one in pod["status"]["containerStatuses"]}
        assert statuses["once"]["state"]["terminated"]["exitCode"] == 3
        assert statuses["once"]["restartCount"] == 0
        assert statuses["retried"]["restartCount"] >= 2
        assert pod["status"]["phase"] == "Running"

    lab(scenario)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"script": "echo bye > /dev/termination-log; exit 2"}, "bye\n"),
        (
            {"script": "echo x > /tmp/why; exit 2", "terminationMessagePath": "/tmp/why"},
            "x\n",
        ),
        (
            {
                "script": "echo out; echo oops >&2; exit 2",
                "terminationMessagePolicy": "FallbackToLogsOnError",
            },
            "out\noops\n",
        ),
    ],
)
def test_a_container_leaves_a_message(fields, said):
    async def scenario(world, runtime, _task):
        script = fields.pop("script")
        await world.pod("p", policy="Never", containers=[sh(script, **fields)])
        pod = await world.wait("p", kw.phase("Failed"))
        assert kw.container(pod)["state"]["terminated"]["message"] == said

    lab(scenario)


def test_a_leak_ends_in_an_oom_kill():
    async def scenario(world, runtime, _task):
        leak = {"kubemu.dev/memory": "0s=10Mi,60s=310Mi"}
        limited = server(resources={"limits": {"memory": "110Mi"}})
        await world.pod("p", containers=[limited], annotations=leak)
        pod = await world.wait("p", kw.restarts(1))
        assert 20 <= world.loop.time() <= 21
        ended = kw.container(pod)["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)

    lab(scenario)


def test_a_command_that_is_not_there_is_a_start_error():
    async def scenario(world, runtime, _task):
        # The virtual OS has `ls`, so it is tried; a file that is not there cannot be run.
        bad = {"name": "web", "image": "busybox", "command": ["/none/ls"]}
        await world.pod("p", containers=[bad])
        await asyncio.sleep(30)
        pod = await world.get("p")
        ended = kw.container(pod)["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)

    lab(scenario)


def test_a_stop_signal_of_its_own_is_sent():
    async def scenario(world, runtime, _task):
        app = sh("trap 'exit 7' USR1; sleep 9999 & wait", lifecycle={"stopSignal": "SIGUSR1"})
        await world.pod("p", containers=[app], os={"name": "linux"})
        await world.wait("p", kw.phase("Running"))
        await asyncio.sleep(1)
        begun = world.loop.time()
        await world.client.delete("pods", "p", "default")
        await world.gone("p")
        assert world.loop.time() - begun < 1

    lab(scenario)
