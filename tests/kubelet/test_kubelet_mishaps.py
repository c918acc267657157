"""A kubelet, and what goes wrong around it: a runtime in motion, failed writes, lost Nodes."""

import asyncio
import random

import kubeletworld as kw
import structlog

from cluster.aio import tasks, virtual
from cluster.api import conditions, errors
from cluster.kubelet.pods import Pod
from cluster.kubelet.statuswriter import StatusWriter
from cluster.kubelet.workers import Workers
from cluster.pb.cri.v1 import api_pb2 as pb


class Haunted:
    """A runtime that lists a sandbox which is gone by the time that it is asked about."""

    def __init__(self, cri):
        self.cri = cri

    def __getattr__(self, name):
        if name == "on_event":
            raise AttributeError(name)
        return getattr(self.cri, name)

    async def list_pod_sandbox(self, request):
        answer = await self.cri.list_pod_sandbox(request)
        meta = pb.PodSandboxMetadata(name="ghost", namespace="default", uid="u-ghost")
        return pb.ListPodSandboxResponse(
            items=[*answer.items, pb.PodSandbox(id="ghost", metadata=meta)]
        )


def test_a_sandbox_that_goes_while_the_runtime_is_listed_disturbs_nothing():
    async def main():
        async with kw.world() as world:
            kubelet, _ = world.start_kubelet(Haunted(world.runtime().cri))
            await kubelet.ready.wait()
            await asyncio.sleep(5)
            assert conditions.is_true(await world.client.get("nodes", kw.NODE), "Ready")

    virtual.run(main())


class Confusing(Haunted):
    """A runtime that says twice what no kubelet is prepared for."""

    times = 0

    async def list_pod_sandbox(self, request):
        self.times += 1
        if self.times in (3, 4):
            raise ZeroDivisionError("odd")
        return await self.cri.list_pod_sandbox(request)


def test_a_fault_in_following_the_runtime_does_not_end_the_kubelet():
    async def main():
        async with kw.world() as world:
            cri = Confusing(world.runtime().cri)
            kubelet, task = world.start_kubelet(cri, relist_period=1.0)
            await kubelet.ready.wait()
            with structlog.testing.capture_logs() as logs:
                await asyncio.sleep(30)
            failed = [one for one in logs if one["event"] == "following the runtime failed"]
            assert (len(failed), task.done()) == (2, False)
            before = cri.times
            await world.pod("p")
            await world.wait("p", kw.phase("Running"))
            await asyncio.sleep(5)
            assert cri.times > before

    virtual.run(main())


class Odd(Haunted):
    """A runtime that answers, asked for its images, what no kubelet is prepared for."""

    async def list_pod_sandbox(self, request):
        return await self.cri.list_pod_sandbox(request)

    async def list_images(self, _request):
        raise ZeroDivisionError("odd")


def test_a_fault_in_what_a_kubelet_does_beside_its_pods_does_not_end_it():
    async def main():
        async with kw.world() as world:
            kubelet, task = world.start_kubelet(Odd(world.runtime().cri))
            await kubelet.ready.wait()
            with structlog.testing.capture_logs() as logs:
                await asyncio.sleep(400)
            assert {one["task"] for one in logs if one.get("exc_info")} == {"images", "image-gc"}
            assert not task.done()
            await world.pod("p")
            await world.wait("p", kw.phase("Running"))

    virtual.run(main())


class Answers:
    """A client that answers each write with the next of its outcomes."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.asked = []

    async def submit_all(self, operations):
        self.asked += operations
        return [self.outcomes.pop(0) for _ in operations]


def test_a_status_whose_write_failed_unexpectedly_is_written_again():
    async def main():
        client = Answers(errors.InternalError("the disk hiccuped"), {})
        writer = StatusWriter(client, random.Random(1))
        async with tasks.Group("g") as group:
            group.spawn(writer.run(), "writer")
            pod = Pod("u-1", kw.manifest("a"), status={"phase": "Running"})
            writer.put(pod)
            await asyncio.sleep(60)
            assert len(client.asked) == 2
            assert pod.written == {"phase": "Running"}
            group.cancel()

    virtual.run(main())


def test_a_node_that_was_deleted_is_not_written_to_all_the_time():
    async def main():
        async with kw.world() as world:
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            await kubelet.ready.wait()
            await world.client.delete("nodes", kw.NODE)
            write, seen = world.registry.write, []

            async def counted(batch, user):
                seen.extend(one for one in batch if one.resource == "nodes")
                return await write(batch, user)

            world.registry.write = counted
            await asyncio.sleep(3600)
            assert len(seen) <= 20

    virtual.run(main())


def test_a_pod_that_a_write_found_gone_leaves_nothing_behind():
    async def main():
        async with kw.world() as world:
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            await kubelet.ready.wait()
            made = await world.pod("a")
            await world.wait("a", kw.phase("Running"))
            crew = kubelet._crew
            uid = made["metadata"]["uid"]
            crew._on_gone(crew.members[kw.NODE].agent.pods[uid])
            await asyncio.sleep(60)
            await world.client.delete("pods", "a", "default", grace=0)
            await asyncio.sleep(60)
            assert not crew.members[kw.NODE].agent.pods
            assert not crew._of_pod

    virtual.run(main())


def test_workers_that_were_closed_begin_nothing_more():
    async def main():
        begun = []

        async def work(key):
            begun.append(key)
            await asyncio.sleep(100)

        async with tasks.Group("g") as group:
            workers = Workers(group, work)
            workers.wake("a")
            await asyncio.sleep(1)
            workers.wake("a")  # again, once this work is done
            workers.close()
            group.cancel()
        assert begun == ["a"]

    virtual.run(main())


def test_work_that_failed_is_forgotten_with_its_key():
    async def main():
        begun = []

        async def work(key):
            begun.append(asyncio.get_running_loop().time())
            raise OSError("the disk is full")

        async with tasks.Group("g") as group:
            workers = Workers(group, work)
            workers.wake("a")
            await asyncio.sleep(1)
            first = len(begun)
            workers.forget("a")
            await asyncio.sleep(1000)
            assert len(begun) == first
            workers.wake("a")  # somebody else by that name, who has not failed yet
            again = asyncio.get_running_loop().time()
            await asyncio.sleep(1)
            assert [round(at - again, 3) for at in begun[first : first + 3]] == [0, 0.005, 0.015]
            workers.close()

    virtual.run(main())


def test_a_pod_recovers_when_a_bad_annotation_is_put_right():
    async def main():
        async with kw.world() as world:
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            await kubelet.ready.wait()
            await world.pod("typo", annotations={"kubemu.dev/cpu": "fast"})
            found = await world.wait("typo", kw.waiting("CreateContainerError"), 60)
            assert "kubemu.dev/cpu" in kw.container(found)["state"]["waiting"]["message"]
            body = {"metadata": {"annotations": {"kubemu.dev/cpu": "100m"}}}
            await world.client.patch("pods", "typo", body, "default")
            await world.wait("typo", kw.phase("Running"), 60)

    virtual.run(main())
