"""A kubelet, its runtime and the API, on virtual time."""

import asyncio

import kubeletworld as kw
import pytest

from cluster.aio import rpc, virtual
from cluster.api import conditions
from cluster.pb.cri.v1 import api_pb2 as pb


def lab(scenario, seed=1):
    """Run `scenario(world, runtime)` beside a kubelet that is ready."""

    async def main():
        async with kw.world(seed) as world:
            runtime = world.runtime()
            kubelet, _ = world.start_kubelet(runtime.cri)
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            await scenario(world, runtime)

    virtual.run(main())


def test_a_pod_goes_straight_to_running_with_one_write():
    async def scenario(world, runtime):
        made = await world.pod("a")
        revisions = []
        async with asyncio.timeout(10):
            async for batch in world.client.watch(
                "pods", revision=int(made["metadata"]["resourceVersion"])
            ):
                revisions += [event.object["status"]["phase"] for event in batch]
                if "Running" in revisions:
                    break
        assert revisions == ["Running"]
        pod = await world.get("a")
        assert pod["status"]["podIP"] == "10.244.1.2"
        assert conditions.is_true(pod, "Ready")
        await asyncio.sleep(5)
        assert sorted(await world.events()) == [
            "Created container: web",
            'Pulling image "nginx:1.27"',
            "Started container web",
            'Successfully pulled image "nginx:1.27" in 0s (0s including waiting). '
            "Image size: 82103440 bytes.",
        ]
        started = (await world.client.list("events", fields="reason=Started")).items[0]
        assert started["involvedObject"]["fieldPath"] == "spec.containers{web}"
        assert started["source"] == {"component": "kubelet", "host": kw.NODE}

    lab(scenario)


def test_at_rest_there_is_neither_a_write_nor_a_task_for_a_pod():
    async def scenario(world, runtime):
        before = len(asyncio.all_tasks())
        for number in range(20):
            await world.pod(f"p-{number}")
        for number in range(20):
            await world.wait(f"p-{number}", kw.phase("Running"))
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) <= before
        pods = [
            one["metadata"]["resourceVersion"] for one in (await world.client.list("pods")).items
        ]
        await asyncio.sleep(3600)
        again = [
            one["metadata"]["resourceVersion"] for one in (await world.client.list("pods")).items
        ]
        assert again == pods

    lab(scenario)


def test_a_slow_start_shows_on_the_way():
    async def scenario(world, runtime):
        await world.pod("slow", annotations={"kubemu.dev/start-delay": "5s"})
        pod = await world.wait("slow", kw.waiting("ContainerCreating"))
        assert pod["status"]["phase"] == "Pending"
        await world.wait("slow", kw.phase("Running"))
        assert world.loop.time() >= 5

    lab(scenario)


def test_readiness_comes_when_the_annotation_says():
    async def scenario(world, runtime):
        await world.pod("late", annotations={"kubemu.dev/ready-after": "20s"})
        pod = await world.wait("late", kw.phase("Running"))
        assert not conditions.is_true(pod, "Ready")
        await world.wait("late", lambda one: conditions.is_true(one, "Ready"))
        assert 20 <= world.loop.time() < 21

    lab(scenario)


def test_jobs_end():
    async def scenario(world, runtime):
        await world.pod("good", policy="Never", command=["sh", "-c", "sleep 2"])
        await world.pod("bad", policy="Never", command=["false"])
        good = await world.wait("good", kw.phase("Succeeded"))
        assert kw.container(good)["state"]["terminated"]["reason"] == "Completed"
        bad = await world.wait("bad", kw.phase("Failed"))
        assert kw.container(bad)["state"]["terminated"]["exitCode"] == 1
        await asyncio.sleep(1)
        states = [one.ready for one in runtime.cri.driver.sandboxes.values()]
        assert states == [False, False]

    lab(scenario)


def test_a_crashing_container_backs_off_and_is_counted():
    async def scenario(world, runtime):
        await world.pod("crash", annotations={"kubemu.dev/crash-after": "1s"})
        pod = await world.wait("crash", kw.waiting("CrashLoopBackOff"))
        assert kw.container(pod)["restartCount"] == 1
        assert kw.container(pod)["lastState"]["terminated"]["exitCode"] == 1
        assert not conditions.is_true(pod, "Ready")
        assert pod["status"]["phase"] == "Running"
        await world.wait("crash", kw.restarts(4), 200)
        # Runs of a second, and waits of 0, 10, 20 and 40 seconds.
        assert 74 <= world.loop.time() <= 76
        assert len(runtime.cri.driver.containers) <= 2
        backoffs = await world.events("BackOff")
        uid = pod["metadata"]["uid"]
        expected = f"Back-off restarting failed container web in pod crash_default({uid})"
        assert backoffs[0] == expected

    lab(scenario)


def test_init_containers_run_in_order():
    async def scenario(world, runtime):
        init = [
            {"name": "one", "image": "busybox", "command": ["sleep", "3"]},
            {"name": "two", "image": "shop", "command": ["./migrate", "--now"]},
        ]
        await world.pod("staged", init=init)
        pod = await world.wait("staged", kw.waiting("PodInitializing"))
        assert "running" in pod["status"]["initContainerStatuses"][0]["state"]
        pod = await world.wait("staged", kw.phase("Running"))
        ends = [
            one["state"]["terminated"]["finishedAt"]
            for one in pod["status"]["initContainerStatuses"]
        ]
        assert ends == sorted(ends)
        assert conditions.is_true(pod, "Initialized")

    lab(scenario)


def test_a_missing_image_is_tried_again_with_back_off():
    async def scenario(world, runtime):
        await world.pod("lost", image="registry.invalid/web:1")
        pod = await world.wait("lost", kw.waiting("ErrImagePull"))
        assert "no such host" in kw.container(pod)["state"]["waiting"]["message"]
        await world.wait("lost", kw.waiting("ImagePullBackOff"))
        await asyncio.sleep(100)
        pulls = await world.events("Pulling")
        assert pulls == ['Pulling image "registry.invalid/web:1"']
        failed = await world.client.list("events", fields="reason=Failed")
        counts = {one["message"]: one["count"] for one in failed.items}
        assert counts["Error: ErrImagePull"] == 4  # at 0, 10, 30 and 70 seconds
        assert pod["status"]["phase"] == "Pending"
        await world.client.patch(
            "pods", "lost", {"spec": {"containers": [{"name": "web", "image": "nginx"}]}},
            "default", patch_type="application/strategic-merge-patch+json",
        )  # fmt: skip
        await world.wait("lost", kw.phase("Running"))

    lab(scenario)


@pytest.mark.parametrize(
    ("fields", "reason", "said"),
    [
        (
            {"image": "NGINX"}, "InvalidImageName",
            'Failed to apply default image tag "NGINX": couldn\'t parse image name "NGINX": '
            "invalid reference format: repository name (library/NGINX) must be lowercase",
        ),
        (
            {"annotations": {"kubemu.dev/run-for": "soon"}}, "CreateContainerError",
            "annotation kubemu.dev/run-for: 'soon' is no duration",
        ),
        (
            {"annotations": {"kubemu.dev/ready-after": "soon"}}, "CreateContainerConfigError",
            "annotation kubemu.dev/ready-after: 'soon' is no duration",
        ),
        (
            {"containers": [{"name": "web", "image": "x", "imagePullPolicy": "Never"}]},
            "ErrImageNeverPull", 'Container image "x" is not present with pull policy of Never',
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_made_says_why(fields, reason, said):
    async def scenario(world, runtime):
        await world.pod("bad", **fields)
        pod = await world.wait("bad", kw.waiting(reason))
        assert said in kw.container(pod)["state"]["waiting"]["message"]
        await asyncio.sleep(30)
        assert (await world.get("bad"))["status"]["phase"] == "Pending"
        if reason == "ErrImageNeverPull":
            assert await world.events(reason) == [said]

    lab(scenario)


def test_deletion_waits_for_the_grace_and_frees_everything():
    async def scenario(world, runtime):
        await world.pod("deaf", command=["sleep", "9999"])
        await world.wait("deaf", kw.phase("Running"))
        begun = world.loop.time()
        await world.client.delete("pods", "deaf", "default")
        await asyncio.sleep(10)
        assert (await world.get("deaf"))["status"]["phase"] == "Running"
        await world.gone("deaf")
        assert 30 <= world.loop.time() - begun < 31
        await asyncio.sleep(1)
        assert (runtime.cri.driver.sandboxes, runtime.cri.driver.containers) == ({}, {})
        assert await world.events("Killing") == ["Stopping container web"]

    lab(scenario)


def test_a_shorter_grace_counts_at_once():
    async def scenario(world, runtime):
        await world.pod("deaf", command=["sleep", "9999"])
        await world.wait("deaf", kw.phase("Running"))
        begun = world.loop.time()
        await world.client.delete("pods", "deaf", "default")
        await asyncio.sleep(5)
        await world.client.delete("pods", "deaf", "default", grace=2)
        await world.gone("deaf")
        assert 7 <= world.loop.time() - begun < 8

    lab(scenario)


def test_a_pod_that_is_deleted_while_its_start_is_slow_goes_at_once():
    async def scenario(world, runtime):
        await world.pod("slow", annotations={"kubemu.dev/start-delay": "1h"})
        await world.wait("slow", kw.waiting("ContainerCreating"))
        await world.client.delete("pods", "slow", "default")
        await world.gone("slow", 5)
        await asyncio.sleep(1)
        assert runtime.cri.driver.sandboxes == {}

    lab(scenario)


def test_a_well_behaved_server_ends_at_once_and_its_last_status_is_seen():
    async def scenario(world, runtime):
        made = await world.pod("web")
        await world.wait("web", kw.phase("Running"))
        await world.client.delete("pods", "web", "default")
        seen = []
        async with asyncio.timeout(5):
            async for batch in world.client.watch(
                "pods", revision=int(made["metadata"]["resourceVersion"])
            ):
                seen += [(event.type, event.object["status"]["phase"]) for event in batch]
                if seen[-1][0] == "DELETED":
                    break
        assert seen == [
            ("MODIFIED", "Running"),
            ("MODIFIED", "Running"),
            ("MODIFIED", "Succeeded"),
            ("DELETED", "Succeeded"),
        ]

    lab(scenario)


def test_another_image_restarts_the_container():
    async def scenario(world, runtime):
        await world.pod("web")
        await world.wait("web", kw.phase("Running"))
        await world.client.patch(
            "pods", "web", {"spec": {"containers": [{"name": "web", "image": "nginx:1.28"}]}},
            "default", patch_type="application/strategic-merge-patch+json",
        )  # fmt: skip
        pod = await world.wait("web", kw.restarts(1))
        assert kw.container(pod)["image"] == "docker.io/library/nginx:1.28"
        assert await world.events("Killing") == [
            "Container web definition changed, will be restarted"
        ]

    lab(scenario)


def test_a_status_that_somebody_overwrites_is_written_again():
    async def scenario(world, runtime):
        await world.pod("web")
        await world.wait("web", kw.phase("Running"))
        for _ in range(3):
            await world.client.patch(
                "pods", "web", {"status": {"podIP": "1.2.3.4"}}, "default", subresource="status"
            )
            await world.wait("web", lambda one: one["status"]["podIP"] == "10.244.1.2", 15)

    lab(scenario)


def test_a_pod_that_does_not_fit_is_rejected():
    async def scenario(world, runtime):
        big = {"name": "web", "image": "nginx", "resources": {"requests": {"cpu": "3"}}}
        await world.pod("first", containers=[big])
        await world.wait("first", kw.phase("Running"))
        await world.pod("second", containers=[big])
        pod = await world.wait("second", kw.phase("Failed"))
        assert pod["status"]["reason"] == "OutOfcpu"
        await world.client.delete("pods", "first", "default")
        await world.gone("first")
        await world.pod("third", containers=[big])
        await world.wait("third", kw.phase("Running"))

    lab(scenario)


def test_a_sandbox_that_is_lost_is_made_anew():
    async def scenario(world, runtime):
        await world.pod("web")
        await world.wait("web", kw.phase("Running"))
        (box,) = runtime.cri.driver.sandboxes.values()
        await runtime.cri.driver.stop_sandbox(box)
        pod = await world.wait("web", kw.restarts(1))
        assert pod["status"]["podIP"] == "10.244.1.3"
        assert await world.events("SandboxChanged")
        assert list(runtime.cri.driver.sandboxes) != [box.id]

    lab(scenario)


def test_a_killed_kubelet_finds_its_containers_again():
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            kubelet, task = world.start_kubelet(runtime.cri)
            await kubelet.ready.wait()
            for name in ("stays", "goes", "ends"):
                await world.pod(name, command=["sleep", "60"] if name == "ends" else None)
                await world.wait(name, kw.phase("Running"))
            before = {name: await world.get(name) for name in ("stays", "ends")}
            task.cancel()
            await asyncio.sleep(5)
            assert len(runtime.cri.driver.containers) == 3
            await world.client.delete("pods", "goes", "default", grace=0)
            await asyncio.sleep(70)
            kubelet, _ = world.start_kubelet(runtime.cri)
            await kubelet.ready.wait()
            pod = await world.wait("ends", kw.restarts(1))
            assert kw.container(pod)["lastState"]["terminated"]["exitCode"] == 0
            await asyncio.sleep(5)
            assert await world.get("stays") == before["stays"]
            names = [one.config.metadata.name for one in runtime.cri.driver.sandboxes.values()]
            assert names == ["stays", "ends"]

    virtual.run(main())


class Slow:
    """A runtime elsewhere (it streams its events) that answers each status `seconds` late."""

    def __init__(self, cri, seconds):
        self._cri = cri
        self._seconds = seconds

    def __getattr__(self, name):
        if name == "on_event":
            raise AttributeError(name)
        return getattr(self._cri, name)

    async def pod_sandbox_status(self, request):
        await asyncio.sleep(self._seconds)
        return await self._cri.pod_sandbox_status(request)


@pytest.mark.parametrize("late", [0.0, 0.001, 0.1, 3.0])
def test_containers_are_found_though_the_api_tells_of_their_pods_first(late):
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            _, task = world.start_kubelet(runtime.cri)
            names = ["a", "b", "c"]
            for name in names:
                await world.pod(name)
            before = [await world.wait(name, kw.phase("Running")) for name in names]
            task.cancel()
            await asyncio.sleep(0)
            world.start_kubelet(Slow(runtime.cri, late))
            await asyncio.sleep(60)
            for name, pod in zip(names, before, strict=True):
                assert (await world.get(name))["status"] == pod["status"]
            assert await world.events("FailedCreatePodSandBox") == []
            assert len(await world.events("Started")) == len(names)

    virtual.run(main())


def test_counts_go_on_when_the_whole_machine_was_restarted():
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            kubelet, task = world.start_kubelet(runtime.cri)
            await kubelet.ready.wait()
            await world.pod("crash", annotations={"kubemu.dev/crash-after": "1s"})
            await world.wait("crash", kw.restarts(2), 30)
            task.cancel()
            runtime.cri.close()
            await asyncio.sleep(60)
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            await kubelet.ready.wait()
            pod = await world.wait("crash", kw.restarts(3), 5)
            assert kw.container(pod)["lastState"]["terminated"]["exitCode"] == 137

    virtual.run(main())


class Remote:
    """A runtime in another process, as far as its kubelet can tell: it streams, and may be gone."""

    def __init__(self, cri):
        self.cri = cri
        self.calls = 0

    def __getattr__(self, name):
        if name == "on_event":
            raise AttributeError(name)

        async def carry(request):
            self.calls += 1
            cri = self.cri
            if cri is None:
                raise rpc.Failure("UNAVAILABLE", "connection refused")
            answer = await getattr(cri, name)(request)
            await asyncio.sleep(0.001)
            if cri is not self.cri:
                raise rpc.Failure("UNAVAILABLE", "connection reset")
            return answer

        return carry


def test_a_restarted_runtime_is_filled_again():
    async def main():
        async with kw.world() as world:
            first = world.runtime()
            remote = Remote(first.cri)
            kubelet, _ = world.start_kubelet(remote)
            await kubelet.ready.wait()
            await world.pod("web")
            await world.pod("once", policy="Never", command=["sleep", "9999"])
            for name in ("web", "once"):
                await world.wait(name, kw.phase("Running"))
            remote.cri = None
            first.cri.close()
            await asyncio.sleep(10)
            node = await world.client.get("nodes", kw.NODE)
            assert conditions.is_true(node, "Ready")
            await asyncio.sleep(30)
            node = await world.client.get("nodes", kw.NODE)
            ready = conditions.find(node, "Ready")
            assert (ready["status"], ready["message"]) == ("False", "container runtime is down")
            second = world.runtime()
            remote.cri = second.cri
            pod = await world.wait("web", kw.restarts(1))
            assert "running" in kw.container(pod)["state"]
            assert kw.container(pod)["lastState"]["terminated"]["exitCode"] == 137
            await world.wait("once", kw.phase("Failed"))
            node = await world.client.get("nodes", kw.NODE)
            assert conditions.is_true(node, "Ready")
            assert len(second.cri.driver.containers) == 1

    virtual.run(main())


def test_streamed_events_are_heard():
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            kubelet, _ = world.start_kubelet(Remote(runtime.cri))
            await kubelet.ready.wait()
            await world.pod("short", policy="Never", command=["sleep", "3"])
            await world.wait("short", kw.phase("Succeeded"), 10)
            assert world.loop.time() < 4

    virtual.run(main())


def test_events_that_are_lost_are_made_up_for_by_the_relist():
    async def main():
        async with kw.world() as world:
            runtime = world.runtime()
            remote = Remote(runtime.cri)

            async def deaf(_request):
                async def nothing():
                    await asyncio.sleep(1e9)
                    yield pb.ContainerEventResponse()

                return nothing()

            remote.get_container_events = deaf
            kubelet, _ = world.start_kubelet(remote, relist_period=300.0)
            await kubelet.ready.wait()
            await world.pod("short", policy="Never", command=["sleep", "3"])
            await world.wait("short", kw.phase("Succeeded"), 310)
            assert 300 <= world.loop.time() < 302

    virtual.run(main())


def test_leftovers_of_a_former_life_are_removed():
    async def main():
        async with kw.world() as world:
            runtime = world.runtime(pod_cidr="10.244.1.0/24")
            metadata = pb.PodSandboxMetadata(name="ghost", namespace="default", uid="u-ghost")
            config = pb.PodSandboxConfig(metadata=metadata)
            await runtime.cri.run_pod_sandbox(pb.RunPodSandboxRequest(config=config))
            kubelet, _ = world.start_kubelet(runtime.cri)
            await kubelet.ready.wait()
            await asyncio.sleep(1)
            assert runtime.cri.driver.sandboxes == {}

    virtual.run(main())


def test_the_same_seed_lives_the_same_life():
    def life():
        log = []

        async def main():
            async with kw.world(7) as world:
                runtime = world.runtime()
                kubelet, _ = world.start_kubelet(runtime.cri)
                await kubelet.ready.wait()
                for number in range(5):
                    await world.pod(f"p-{number}", annotations={"kubemu.dev/crash-after": "7s"})
                await asyncio.sleep(120)
                log.append((await world.client.list("pods")).items)
                log.append(await world.events())

        virtual.run(main())
        return log

    assert life() == life()
