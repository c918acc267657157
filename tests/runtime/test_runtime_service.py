import asyncio
import random

import pytest

from cluster.aio import clock, rpc, tasks, virtual
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.config import Config
from cluster.runtime.service import CriService

EPOCH = 1_790_000_000.0
CIDR = "10.244.3.0/24"


def service(**settings) -> CriService:
    config = Config(**({"pod_cidr": CIDR} | settings))
    wall = clock.LoopClock(asyncio.get_running_loop(), EPOCH)
    return CriService(config, clock=wall, random=random.Random(3))


def sandbox_config(name="web", attempt=0, annotations=None, network=pb.POD):
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=name, uid=f"uid-{name}", attempt=attempt),
        labels={"io.kubernetes.pod.uid": f"uid-{name}", "app": name},
        annotations=annotations or {},
    )
    config.linux.security_context.namespace_options.network = network
    return config


async def sandbox(cri, name="web", **options) -> str:
    request = pb.RunPodSandboxRequest(config=sandbox_config(name, **options))
    return (await cri.run_pod_sandbox(request)).pod_sandbox_id


async def container(cri, box, name="web", command=(), attempt=0) -> str:
    await cri.pull_image(pb.PullImageRequest(image=pb.ImageSpec(image="nginx")))
    config = pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=name, attempt=attempt),
        image=pb.ImageSpec(image="nginx"),
        command=command,
    )
    request = pb.CreateContainerRequest(pod_sandbox_id=box, config=config)
    return (await cri.create_container(request)).container_id


async def start(cri, made):
    await cri.start_container(pb.StartContainerRequest(container_id=made))


async def status(cri, made):
    return (await cri.container_status(pb.ContainerStatusRequest(container_id=made))).status


def seconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e9 - EPOCH, 3)


def test_a_container_lives_and_ends_as_it_was_told():
    async def main():
        cri = service()
        box = await sandbox(cri, annotations={"kubemu.dev/start-delay": "2s"})
        made = await container(cri, box, command=["sh", "-c", "sleep 5; exit 3"])
        assert (await status(cri, made)).state == pb.CONTAINER_CREATED
        await start(cri, made)
        running = await status(cri, made)
        assert (running.state, seconds(running.started_at)) == (pb.CONTAINER_RUNNING, 2.0)
        await asyncio.sleep(5.1)
        ended = await status(cri, made)
        assert (ended.state, ended.exit_code, ended.reason) == (pb.CONTAINER_EXITED, 3, "Error")
        assert seconds(ended.finished_at) == 7.0

    virtual.run(main())


@pytest.mark.parametrize(
    ("command", "annotations", "timeout", "took", "code"),
    [
        ((), {}, 30, 0.0, 0),
        ((), {}, 0, 0.0, 137),
        (["sleep", "3600"], {}, 30, 30.0, 137),
        (["sleep", "7"], {}, 30, 7.0, 0),
        ((), {"kubemu.dev/stop-after": "4s"}, 30, 4.0, 0),
        ((), {"kubemu.dev/stop-after": "4s"}, 3, 3.0, 137),
    ],
)
def test_stopping_waits_for_the_end(command, annotations, timeout, took, code):
    async def main():
        cri = service()
        made = await container(cri, await sandbox(cri, annotations=annotations), command=command)
        await start(cri, made)
        await cri.stop_container(pb.StopContainerRequest(container_id=made, timeout=timeout))
        assert asyncio.get_running_loop().time() == pytest.approx(took)
        assert (await status(cri, made)).exit_code == code
        await cri.stop_container(pb.StopContainerRequest(container_id=made, timeout=timeout))

    virtual.run(main())


def test_a_stop_taken_back_leaves_the_container_running():
    async def main():
        cri = service()
        made = await container(cri, await sandbox(cri), command=["sleep", "3600"])
        await start(cri, made)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await cri.stop_container(pb.StopContainerRequest(container_id=made, timeout=30))
        await asyncio.sleep(60)
        assert (await status(cri, made)).state == pb.CONTAINER_RUNNING
        await cri.stop_container(pb.StopContainerRequest(container_id=made, timeout=0))
        assert (await status(cri, made)).exit_code == 137

    virtual.run(main())


def test_ten_thousand_idle_containers_cost_no_task_and_no_timer():
    async def main():
        cri = service(pod_cidr="10.0.0.0/16")
        for number in range(100):
            box = await sandbox(cri, f"pod-{number}")
            for index in range(100):
                await start(cri, await container(cri, box, name=f"c-{index}"))
        assert len(asyncio.all_tasks()) == 1
        assert asyncio.get_running_loop()._scheduled == []
        assert len(cri.driver.containers) == 10_000

    virtual.run(main())


def test_addresses_come_from_the_cidr_and_go_back():
    async def main():
        cri = service(pod_cidr="10.9.0.0/30")
        box = await sandbox(cri)
        answer = await cri.pod_sandbox_status(pb.PodSandboxStatusRequest(pod_sandbox_id=box))
        assert answer.status.network.ip == "10.9.0.2"
        with pytest.raises(rpc.Failure, match="no IP addresses available"):
            await sandbox(cri, "other")
        await cri.stop_pod_sandbox(pb.StopPodSandboxRequest(pod_sandbox_id=box))
        await sandbox(cri, "other")

    virtual.run(main())


def test_without_a_cidr_only_the_node_network_works():
    async def main():
        cri = service(pod_cidr="")
        conditions = (await cri.status(pb.StatusRequest())).status.conditions
        assert {one.type: one.status for one in conditions} == {
            "RuntimeReady": True,
            "NetworkReady": False,
        }
        with pytest.raises(rpc.Failure, match="cni plugin not initialized"):
            await sandbox(cri)
        host = await sandbox(cri, "host", network=pb.NODE)
        answer = await cri.pod_sandbox_status(pb.PodSandboxStatusRequest(pod_sandbox_id=host))
        assert answer.status.network.ip == ""
        network = pb.NetworkConfig(pod_cidr=CIDR)
        config = pb.RuntimeConfig(network_config=network)
        await cri.update_runtime_config(pb.UpdateRuntimeConfigRequest(runtime_config=config))
        await sandbox(cri)

    virtual.run(main())


def test_stopping_a_sandbox_kills_what_runs_in_it_and_removing_forgets_all():
    async def main():
        cri = service()
        box = await sandbox(cri)
        made = await container(cri, box)
        await start(cri, made)
        await cri.stop_pod_sandbox(pb.StopPodSandboxRequest(pod_sandbox_id=box))
        assert (await status(cri, made)).exit_code == 137
        with pytest.raises(rpc.Failure, match="is not running"):
            await container(cri, box, "late")
        for _ in range(2):
            await cri.remove_pod_sandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=box))
        assert (await cri.list_containers(pb.ListContainersRequest())).containers == []
        with pytest.raises(rpc.Failure) as caught:
            await status(cri, made)
        assert caught.value.code == "NOT_FOUND"

    virtual.run(main())


def test_a_list_is_the_same_answer_until_something_changes():
    async def main():
        cri = service()

        async def listed():
            sandboxes = await cri.list_pod_sandbox(pb.ListPodSandboxRequest())
            containers = await cri.list_containers(pb.ListContainersRequest())
            return sandboxes, containers

        def states(answer):
            sandboxes, containers = answer
            return [one.state for one in sandboxes.items], [
                one.state for one in containers.containers
            ]

        box = await sandbox(cri)
        made = await container(cri, box)
        first, again = await listed(), await listed()
        assert first[0] is again[0]
        assert first[1] is again[1]
        await start(cri, made)
        running = await listed()
        assert running[0] is first[0]
        assert states(running) == ([pb.SANDBOX_READY], [pb.CONTAINER_RUNNING])
        await cri.stop_pod_sandbox(pb.StopPodSandboxRequest(pod_sandbox_id=box))
        assert states(await listed()) == ([pb.SANDBOX_NOTREADY], [pb.CONTAINER_EXITED])
        await cri.remove_pod_sandbox(pb.RemovePodSandboxRequest(pod_sandbox_id=box))
        await sandbox(cri, "other")
        assert states(await listed()) == ([pb.SANDBOX_READY], [])
        assert states(first) == ([pb.SANDBOX_READY], [pb.CONTAINER_CREATED])

    virtual.run(main())


def test_lists_are_filtered():
    async def main():
        cri = service()
        one, other = await sandbox(cri, "one"), await sandbox(cri, "other")
        await cri.stop_pod_sandbox(pb.StopPodSandboxRequest(pod_sandbox_id=other))

        async def found(**terms):
            request = pb.ListPodSandboxRequest(filter=pb.PodSandboxFilter(**terms))
            return [item.id for item in (await cri.list_pod_sandbox(request)).items]

        assert await found() == [one, other]
        assert await found(id=one) == [one]
        assert await found(label_selector={"app": "other"}) == [other]
        assert await found(state=pb.PodSandboxStateValue(state=pb.SANDBOX_NOTREADY)) == [other]
        assert await found(label_selector={"app": "none"}) == []

    virtual.run(main())


def test_a_name_is_used_once():
    async def main():
        cri = service()
        box = await sandbox(cri)
        with pytest.raises(rpc.Failure, match="is reserved"):
            await sandbox(cri)
        await container(cri, box)
        with pytest.raises(rpc.Failure, match="is reserved"):
            await container(cri, box)
        await container(cri, box, attempt=1)

    virtual.run(main())


def test_a_bad_annotation_fails_the_container():
    async def main():
        cri = service()
        box = await sandbox(cri, annotations={"kubemu.dev/run-for": "soon"})
        with pytest.raises(rpc.Failure, match="'soon' is no duration") as caught:
            await container(cri, box)
        assert caught.value.code == "INVALID_ARGUMENT"

    virtual.run(main())


def test_events_tell_everything_in_order_from_the_moment_of_asking():
    async def main():
        cri = service()
        first = await sandbox(cri, "first")
        stream = await cri.get_container_events(pb.GetEventsRequest())
        made = await container(cri, first)
        await start(cri, made)
        await cri.stop_container(pb.StopContainerRequest(container_id=made, timeout=9))
        await cri.remove_container(pb.RemoveContainerRequest(container_id=made))
        events = [await anext(stream) for _ in range(4)]
        assert [event.container_event_type for event in events] == [0, 1, 2, 3]
        assert {event.container_id for event in events} == {made}
        stamps = [event.created_at for event in events]
        assert stamps == sorted(set(stamps))
        assert events[1].containers_statuses[0].state == pb.CONTAINER_RUNNING
        await stream.aclose()

    virtual.run(main())


def test_a_reader_of_events_that_is_too_slow_is_cut_off():
    async def main():
        cri = service(event_buffer=3)
        stream = await cri.get_container_events(pb.GetEventsRequest())
        for number in range(5):
            await sandbox(cri, f"pod-{number}")
        for _ in range(3):
            await anext(stream)
        with pytest.raises(rpc.Failure) as caught:
            await anext(stream)
        assert caught.value.code == "RESOURCE_EXHAUSTED"

    virtual.run(main())


def test_a_pull_takes_its_time():
    async def main():
        cri = service(image_pull_seconds=1.5)
        await cri.pull_image(pb.PullImageRequest(image=pb.ImageSpec(image="nginx")))
        assert asyncio.get_running_loop().time() == 1.5
        answer = await cri.image_fs_info(pb.ImageFsInfoRequest())
        assert answer.image_filesystems[0].used_bytes.value > 1 << 20

    virtual.run(main())


def test_closing_wakes_who_waits_for_an_end():
    async def main():
        cri = service()
        made = await container(cri, await sandbox(cri), command=["sleep", "3600"])
        await start(cri, made)
        async with tasks.Group("test") as group:
            request = pb.StopContainerRequest(container_id=made, timeout=30)
            group.spawn(cri.stop_container(request), "stop")
            await asyncio.sleep(1)
            cri.close()
        assert asyncio.get_running_loop().time() == 1.0

    virtual.run(main())
