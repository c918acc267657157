"""Sandboxes of the handlers that RuntimeClasses name."""

import asyncio
import random

import pytest

from cluster.aio import clock, rpc, virtual
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import handlers
from cluster.runtime.config import Config
from cluster.runtime.service import CriService


def service(seed=1, cidr="10.244.0.0/24"):
    wall = clock.LoopClock(asyncio.get_running_loop(), 1_790_000_000.0)
    return CriService(Config(pod_cidr=cidr), clock=wall, random=random.Random(seed))


def asked(name, handler, annotations):
    meta = pb.PodSandboxMetadata(name=name, uid=name, namespace="default")
    config = pb.PodSandboxConfig(metadata=meta, annotations=annotations)
    return pb.RunPodSandboxRequest(config=config, runtime_handler=handler)


async def boots(cri, name, handler="", **annotations):
    """How many seconds a sandbox takes."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await cri.run_pod_sandbox(asked(name, handler, annotations))
    return loop.time() - begin


async def container(cri, name):
    await cri.pull_image(pb.PullImageRequest(image=pb.ImageSpec(image="busybox")))
    box = next(one for one in cri.driver.sandboxes.values() if one.config.metadata.name == name)
    request = pb.CreateContainerRequest(
        pod_sandbox_id=box.id,
        config=pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name=name), image=pb.ImageSpec(image="busybox"),
            command=["sleep", "1000"],
        ),
    )  # fmt: skip
    made = (await cri.create_container(request)).container_id
    await cri.start_container(pb.StartContainerRequest(container_id=made))
    return made


def test_a_guest_takes_its_time_to_boot_and_a_container_next_to_none():
    async def main(seed):
        cri = service(seed)
        return [await boots(cri, f"p{n}", kind) for n, kind in enumerate(["", "container", "vm"])]

    default, shared, guest = virtual.run(main(1))
    assert default == 0
    assert 0.02 <= shared <= 0.06
    assert 15 <= guest <= 25
    assert virtual.run(main(1)) == [default, shared, guest]
    assert virtual.run(main(2)) != [default, shared, guest]


@pytest.mark.parametrize(("handler", "text", "seconds"), [("vm", "2s", 2), ("", "250ms", 0.25)])
def test_an_annotation_says_how_long_a_sandbox_boots(handler, text, seconds):
    async def main():
        return await boots(service(), "web", handler, **{handlers.BOOT_TIME: text})

    assert virtual.run(main()) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "why"), [("soon", "is no duration"), ("99999h", "is over 3600 s"), ("-1s", "is no")]
)
def test_a_bad_boot_time_is_refused_and_leaves_nothing(text, why):
    async def main():
        cri = service()
        with pytest.raises(rpc.Failure, match=why) as raised:
            await boots(cri, "web", "vm", **{handlers.BOOT_TIME: text})
        assert raised.value.code == "INVALID_ARGUMENT"
        await boots(cri, "web", "container")  # the name is free

    virtual.run(main())


def test_a_handler_that_nobody_knows_is_refused_as_containerd_does():
    async def main():
        with pytest.raises(rpc.Failure) as raised:
            await boots(service(), "web", "gvisor")
        return raised.value.message

    said = virtual.run(main())
    assert said == 'failed to get sandbox runtime: no runtime for "gvisor" is configured'


def test_who_gives_up_while_a_guest_boots_leaves_neither_name_nor_address_taken():
    async def main():
        cri = service(cidr="10.244.0.0/30")  # it has one address for a pod
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await boots(cri, "web", "vm")
        assert not cri.driver.sandboxes
        await boots(cri, "web", "vm")
        assert len(cri.driver.sandboxes) == 1

    virtual.run(main())


def test_a_sandbox_that_boots_holds_its_name():
    async def main():
        cri = service()
        first = asyncio.ensure_future(boots(cri, "web", "vm"))  # noqa: TID251  (of this test)
        await asyncio.sleep(1)
        with pytest.raises(rpc.Failure, match="is reserved for"):
            await boots(cri, "web", "vm")
        await first

    virtual.run(main())


@pytest.mark.parametrize(("handler", "memory"), [("", 0), ("container", 12 << 20), ("vm", 1 << 30)])
def test_stats_of_a_sandbox_are_its_containers_and_what_its_machine_takes(handler, memory):
    async def main():
        cri = service()
        await boots(cri, "web", handler)
        await container(cri, "web")
        await asyncio.sleep(100)
        (whole,) = (await cri.list_pod_sandbox_stats(pb.ListPodSandboxStatsRequest())).stats
        (inside,) = whole.linux.containers
        return whole.linux, inside

    whole, inside = virtual.run(main())
    assert whole.memory.working_set_bytes.value - inside.memory.working_set_bytes.value == memory
    kind = handlers.BY_NAME[handler]
    assert whole.cpu.usage_nano_cores.value == inside.cpu.usage_nano_cores.value + kind.cpu
    assert whole.cpu.usage_core_nano_seconds.value >= 100 * kind.cpu


@pytest.mark.parametrize(
    ("handler", "kernel"),
    [("", "6.1.0-kubemu"), ("container", "6.1.0-kubemu"), ("vm", "6.12.0-kubemu-guest")],
)
def test_containers_see_the_kernel_that_they_run_on(handler, kernel):
    async def main():
        cri = service()
        await boots(cri, "web", handler)
        made = await container(cri, "web")
        said = []
        for command in (["uname", "-r"], ["cat", "/proc/version"]):
            request = pb.ExecSyncRequest(container_id=made, cmd=command, timeout=5)
            said.append((await cri.exec_sync(request)).stdout.decode())
        return said

    release, version = virtual.run(main())
    assert release == f"{kernel}\n"
    assert version.startswith(f"Linux version {kernel} ")


def test_the_runtime_says_which_handlers_it_has():
    async def main():
        return (await service().status(pb.StatusRequest())).runtime_handlers

    assert [one.name for one in virtual.run(main())] == ["", "sim", "container", "vm"]
