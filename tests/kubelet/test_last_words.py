"""What a container says right before it is removed reaches who follows its log, and at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from kubeletworld import NODE, World, world

from cluster.aio import rpc, virtual
from cluster.kubelet.component import Kubelet
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

_TRAPS = "trap 'echo last; echo -n words; exit' TERM; echo first; while :; do sleep 1; done"
_SPEAKS = "echo first; sleep 20; echo last; echo words; sleep 1000"
_HEARD = b"first\nlast\nwords\n"

Story = Callable[[World, Kubelet, Any], Awaitable[None]]


def in_a_world(story: Story, **settings: Any) -> None:
    async def main() -> None:
        async with world() as made:
            runtime = made.runtime(**settings)
            kubelet, _ = made.start_kubelet(runtime.cri)
            try:
                await story(made, kubelet, runtime)
            finally:
                runtime.cri.close()

    virtual.run(main())


async def started(world: World, name: str, script: str, **fields: Any) -> None:
    await world.pod(name, image="busybox", command=["sh", "-c", script], **fields)
    await world.wait(name, lambda pod: pod["status"].get("phase") not in (None, "Pending"))


async def follow(kubelet: Kubelet, pod: str, **options: Any) -> AsyncIterator[tuple[float, bytes]]:
    """What is heard, and when."""
    ref = pb.ContainerRef(node=NODE, namespace="default", pod=pod, container="web")
    request = pb.LogsRequest(container=ref, **{"follow": True} | options)
    async for chunk in kubelet.service.logs(request):
        yield asyncio.get_running_loop().time(), chunk.data


async def heard(kubelet: Kubelet, pod: str, **options: Any) -> bytes:
    """All of it, to its end."""
    return b"".join([data async for _, data in follow(kubelet, pod, **options)])


@pytest.mark.parametrize(
    ("script", "after", "grace"),
    [(_TRAPS, 1.0, None), (_TRAPS, 7.3, 5), (_TRAPS, 61.0, 1), (_SPEAKS, 22.0, 0)],
    ids=["at once", "soon", "after long silence", "by force"],
)
def test_the_last_words_of_a_deleted_pod_are_heard(
    script: str, after: float, grace: int | None
) -> None:
    async def story(world: World, kubelet: Kubelet, _runtime: Any) -> None:
        await started(world, "p", script)
        async with asyncio.timeout(200), asyncio.TaskGroup() as group:
            both = [group.create_task(heard(kubelet, "p")) for _ in range(2)]
            if grace == 0:
                while b"words" not in await heard(kubelet, "p", follow=False):
                    await asyncio.sleep(0.003)
            else:
                await asyncio.sleep(after)
            await world.client.delete("pods", "p", "default", grace=grace)
        assert [one.result() for one in both] == [_HEARD, _HEARD]

    in_a_world(story)


def test_a_line_is_heard_when_it_is_said() -> None:
    async def story(world: World, kubelet: Kubelet, _runtime: Any) -> None:
        await started(world, "p", "for i in 1 2 3; do sleep 20; date +%s.%N; done", policy="Never")
        late = [at - float(data) % 1e6 async for at, data in follow(kubelet, "p")]
        assert len(late) == 3
        assert max(late) - min(late) < 0.01

    in_a_world(story)


def test_a_slow_follower_reads_a_removed_log_to_its_end() -> None:
    async def story(world: World, kubelet: Kubelet, _runtime: Any) -> None:
        await started(world, "p", f"{_TRAPS.replace('echo last', 'seq 4000; echo last')}")
        found = b""
        async for _, data in follow(kubelet, "p"):
            if not found:
                await world.client.delete("pods", "p", "default", grace=5)
                await world.gone("p")
            found += data
            await asyncio.sleep(3)
        assert found.endswith(b"\n4000\nlast\nwords\n")

    in_a_world(story)


@pytest.mark.parametrize("image", ["busybox", "nginx"])
def test_a_runtime_that_goes_ends_who_follows(image: str) -> None:
    async def story(world: World, kubelet: Kubelet, runtime: Any) -> None:
        await world.pod("p", image=image, command=["sleep", "1000"] if image == "busybox" else None)
        await world.wait("p", lambda pod: pod["status"].get("phase") == "Running")

        async def gone(_request: Any) -> Any:
            raise rpc.Failure("UNAVAILABLE", "the runtime is gone")

        def go() -> None:
            runtime.cri.read_log = gone
            runtime.cri.close()

        asyncio.get_running_loop().call_later(7, go)
        with pytest.raises(rpc.Failure, match="gone"):
            async with asyncio.timeout(8):
                await heard(kubelet, "p")

    in_a_world(story)
