"""The documentation's probe examples, by a kubelet and a runtime on virtual time."""

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


def web(image="example.org/web:1", **fields):
    return [{"name": "web", "image": image, **fields}]


HEALTHY = "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600"


def test_the_exec_liveness_example_restarts_its_container():
    async def scenario(world, runtime, _task):
        probe = {
            "exec": {"command": ["cat", "/tmp/healthy"]},
            "initialDelaySeconds": 5,
            "periodSeconds": 5,
        }
        await world.pod(
            "liveness-exec",
            terminationGracePeriodSeconds=5,
            containers=web("busybox", args=["/bin/sh", "-c", HEALTHY], livenessProbe=probe),
        )
        await world.wait("liveness-exec", kw.phase("Running"))
        begun = world.loop.time()
        pod = await world.wait("liveness-exec", kw.restarts(1), 100)
        # Gone at 30; asked at 30 (or 35), 35 and 40; five seconds of grace, for sh heeds no TERM.
        assert 44 <= world.loop.time() - begun <= 51
        assert kw.container(pod)["lastState"]["terminated"]["exitCode"] == 137
        await asyncio.sleep(2)
        assert await world.events("Killing") == [
            "Container web failed liveness probe, will be restarted"
        ]
        unhealthy = await world.events("Unhealthy")
        assert unhealthy == [
            "Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n"
        ]

    lab(scenario)


def test_a_liveness_probe_that_cannot_be_carried_out_restarts_nothing():
    async def scenario(world, runtime, _task):
        probe = {"exec": {"command": ["/no/such"]}, "periodSeconds": 1, "failureThreshold": 1}
        await world.pod(
            "mute", containers=web("busybox", args=["sleep", "1d"], livenessProbe=probe)
        )
        await world.wait("mute", kw.phase("Running"))
        await asyncio.sleep(60)
        found = await world.wait("mute", kw.phase("Running"))
        assert kw.container(found)["restartCount"] == 0
        assert await world.events("Killing") == []
        (told,) = set(await world.events("Unhealthy"))
        assert told.startswith(
            "Liveness probe errored and resulted in unknown state: "
            "rpc error: code = Unknown desc = failed to exec in container: "
        )
        assert "no such file or directory" in told

    lab(scenario)


HANDLERS = {
    "http": {"httpGet": {"path": "/healthz", "port": 8080}},
    "http by name": {"httpGet": {"path": "/healthz", "port": "main"}},
    "https": {"httpGet": {"path": "/healthz", "port": 8443, "scheme": "HTTPS"}},
    "tcp": {"tcpSocket": {"port": 9000}},
    "grpc": {"grpc": {"port": 2379, "service": "liveness"}},
    "grpc of a long name": {"grpc": {"port": 2379, "service": "x" * 16_000}},
    "exec of an unknown image": {"exec": {"command": ["pg_isready", "-U", "postgres"]}},
}


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_an_unknown_image_passes_its_probes(handler):
    async def scenario(world, runtime, _task):
        ports = [{"name": "main", "containerPort": 8080}]
        await world.pod(
            "good",
            containers=web(
                ports=ports, readinessProbe=handler, livenessProbe=handler, startupProbe=handler
            ),
        )
        await world.wait("good", lambda pod: conditions.is_true(pod, "Ready"))
        assert world.loop.time() < 5
        await asyncio.sleep(120)
        assert kw.container(await world.get("good"))["restartCount"] == 0
        assert await world.events("Unhealthy") == []

    lab(scenario)


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (
            {"httpGet": {"path": "/ready", "port": 80}},
            'Get "http://10.244.1.2:80/ready": dial tcp 10.244.1.2:80: connect: connection refused',
        ),
        ({"tcpSocket": {"port": 80}}, "dial tcp 10.244.1.2:80: connect: connection refused"),
        (
            {"grpc": {"port": 80}},
            'timeout: failed to connect service "10.244.1.2:80" within 1s: '
            "context deadline exceeded",
        ),
        (
            {"exec": {"command": ["sleep", "5"]}},
            'command timed out: "sleep 5" timed out after 1s',
        ),
        ({"exec": {"command": ["sh", "-c", "echo no; exit 3"]}}, "no\n"),
    ],
)
def test_a_container_that_is_not_ready_says_why(handler, said):
    async def scenario(world, runtime, _task):
        await world.pod("bad", containers=web("busybox", command=["sleep", "1000"],
                                              readinessProbe=handler))  # fmt: skip
        await world.wait("bad", kw.phase("Running"))
        await asyncio.sleep(30)
        pod = await world.get("bad")
        assert not conditions.is_true(pod, "Ready")
        assert kw.container(pod)["started"]
        assert kw.container(pod)["restartCount"] == 0
        assert await world.events("Unhealthy") == [f"Readiness probe failed: {said}"]

    lab(scenario)


def test_readiness_comes_and_goes_with_a_file():
    async def scenario(world, runtime, _task):
        script = "sleep 7; touch /tmp/ready; sleep 20; rm /tmp/ready; sleep 1000"
        probe = {"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 2}
        await world.pod("flaps", containers=web("busybox", command=["sh", "-c", script],
                                                readinessProbe=probe))  # fmt: skip
        ready = await world.wait("flaps", lambda pod: conditions.is_true(pod, "Ready"))
        assert 7.5 <= world.loop.time() <= 9
        assert kw.container(ready)["ready"]
        unready = await world.wait("flaps", lambda pod: not conditions.is_true(pod, "Ready"))
        # Away at 27: asked at 28, 30 and 32.
        assert 31.5 <= world.loop.time() <= 33
        found = next(one for one in unready["status"]["conditions"] if one["type"] == "Ready")
        assert found["reason"] == "ContainersNotReady"
        assert found["message"] == "containers with unready status: [web]"

    lab(scenario)


def test_a_startup_probe_gives_a_slow_container_its_time():
    async def scenario(world, runtime, _task):
        script = "sleep 45; touch /tmp/up; sleep 1000"
        check = {"exec": {"command": ["cat", "/tmp/up"]}}
        await world.pod(
            "slow",
            containers=web(
                "busybox",
                command=["sh", "-c", script],
                startupProbe={**check, "failureThreshold": 30, "periodSeconds": 10},
                livenessProbe={**check, "failureThreshold": 1, "periodSeconds": 10},
            ),
        )
        pod = await world.wait("slow", kw.phase("Running"))
        assert not kw.container(pod)["started"]
        assert not kw.container(pod)["ready"]
        await world.wait("slow", lambda one: kw.container(one)["started"])
        assert 50 <= world.loop.time() <= 51
        await asyncio.sleep(60)
        assert kw.container(await world.get("slow"))["restartCount"] == 0

    lab(scenario)


def test_a_container_that_never_starts_is_restarted_with_the_probes_own_grace():
    async def scenario(world, runtime, _task):
        probe = {
            "tcpSocket": {"port": 1},
            "failureThreshold": 3,
            "periodSeconds": 10,
            "terminationGracePeriodSeconds": 4,
        }
        await world.pod("stuck", terminationGracePeriodSeconds=600,
                        containers=web("busybox", command=["sleep", "9999"],
                                       startupProbe=probe))  # fmt: skip
        pod = await world.wait("stuck", kw.restarts(1))
        assert 24 <= world.loop.time() <= 25
        assert kw.container(pod)["lastState"]["terminated"]["exitCode"] == 137
        await asyncio.sleep(1)
        assert await world.events("Killing") == [
            "Container web failed startup probe, will be restarted"
        ]

    lab(scenario)


@pytest.mark.parametrize(("policy", "ends"), [("OnFailure", "Running"), ("Never", "Succeeded")])
def test_a_failed_probe_restarts_a_container_that_ends_well_unless_never(policy, ends):
    async def scenario(world, runtime, _task):
        probe = {"exec": {"command": ["false"]}, "failureThreshold": 1, "initialDelaySeconds": 3}
        await world.pod("p", policy=policy, containers=web(livenessProbe=probe))
        await asyncio.sleep(8)
        pod = await world.get("p")
        assert pod["status"]["phase"] == ends
        assert kw.container(pod)["restartCount"] == int(policy == "OnFailure")

    lab(scenario)


def test_the_annotation_and_a_probe_both_have_to_agree():
    async def scenario(world, runtime, _task):
        await world.pod(
            "both",
            annotations={"kubemu.dev/ready-after": "12s"},
            containers=web(readinessProbe={"tcpSocket": {"port": 80}, "initialDelaySeconds": 20}),
        )
        await world.wait("both", lambda pod: conditions.is_true(pod, "Ready"))
        assert 20 <= world.loop.time() <= 21

    lab(scenario)


def test_a_restarted_kubelet_neither_loses_readiness_nor_restarts():
    async def scenario(world, runtime, task):
        probe = {"tcpSocket": {"port": 80}, "initialDelaySeconds": 15}
        await world.pod("kept", containers=web(startupProbe=probe, readinessProbe=probe))
        before = await world.wait("kept", lambda pod: conditions.is_true(pod, "Ready"))
        task.cancel()
        await asyncio.sleep(10)
        kubelet, _ = world.start_kubelet(runtime.cri)
        await kubelet.ready.wait()
        await asyncio.sleep(120)
        after = await world.get("kept")
        assert after["status"] == before["status"]

    lab(scenario)


def test_a_kubelet_that_ends_leaves_no_probe_behind():
    async def scenario(world, _runtime, kubelet):
        wrong = []
        world.loop.set_exception_handler(lambda _loop, context: wrong.append(context["message"]))
        probe = {"tcpSocket": {"port": 80}, "periodSeconds": 1}
        await world.pod("web", containers=web("nginx", livenessProbe=probe))
        await world.wait("web", kw.phase("Running"))
        kubelet.cancel()
        await asyncio.sleep(10)
        assert not wrong

    lab(scenario)


def test_probed_pods_at_rest_cost_no_task_and_no_write():
    async def scenario(world, runtime, _task):
        before = len(asyncio.all_tasks())
        for number in range(20):
            await world.pod(f"p-{number}", containers=web(
                readinessProbe=HANDLERS["http"], livenessProbe=HANDLERS["grpc"]))  # fmt: skip
        for number in range(20):
            await world.wait(f"p-{number}", lambda pod: conditions.is_true(pod, "Ready"))
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) <= before
        revisions = [
            one["metadata"]["resourceVersion"] for one in (await world.client.list("pods")).items
        ]
        await asyncio.sleep(600)
        assert len(asyncio.all_tasks()) <= before
        assert revisions == [
            one["metadata"]["resourceVersion"] for one in (await world.client.list("pods")).items
        ]

    lab(scenario)


def test_a_sidecar_holds_the_next_containers_until_it_has_started():
    async def scenario(world, runtime, _task):
        probe = {"tcpSocket": {"port": 80}, "initialDelaySeconds": 9}
        sidecar = {
            "name": "proxy", "image": "example.org/proxy:1", "restartPolicy": "Always",
            "startupProbe": probe,
        }  # fmt: skip
        await world.pod("meshed", init=[sidecar], containers=web())
        pod = await world.wait("meshed", kw.waiting("PodInitializing"))
        assert pod["status"]["phase"] == "Pending"
        pod = await world.wait("meshed", lambda one: conditions.is_true(one, "Ready"))
        assert 9 <= world.loop.time() <= 10
        assert pod["status"]["initContainerStatuses"][0]["started"]

    lab(scenario)
