"""What a kubelet says to its API server: logs, exec, port-forward and pages, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from kubeletworld import NODE, World, world

from cluster.aio import rpc, virtual
from cluster.api import errors
from cluster.kubelet.component import Kubelet
from cluster.kubelet.serving import logtext
from cluster.pb.cluster.v1 import kubelet_pb2 as pb


def in_a_world(story: Any) -> None:
    async def main() -> None:
        async with world() as made:
            runtime = made.runtime()
            kubelet, _ = made.start_kubelet(runtime.cri)
            try:
                await story(made, kubelet)
            finally:
                runtime.cri.close()

    virtual.run(main())


def ref(pod: str, container: str = "web") -> pb.ContainerRef:
    return pb.ContainerRef(node=NODE, namespace="default", pod=pod, container=container)


async def logs(kubelet: Kubelet, pod: str, container: str = "web", **options: Any) -> str:
    request = pb.LogsRequest(container=ref(pod, container), **options)
    return b"".join([one.data async for one in kubelet.service.logs(request)]).decode()


async def execute(kubelet: Kubelet, pod: str, *command: str) -> list[pb.StreamOutput]:
    start = pb.StreamStart(container=ref(pod), command=command, stdout=True)

    async def inputs() -> AsyncIterator[pb.StreamInput]:
        yield pb.StreamInput(start=start)

    return [one async for one in kubelet.service.exec(inputs())]


async def started(world: World, name: str, script: str, **fields: Any) -> None:
    await world.pod(name, command=["sh", "-c", script], **fields)
    await world.wait(name, lambda pod: pod["status"].get("phase") not in (None, "Pending"))


COUNT = "for i in 1 2 3 4 5; do echo line $i; echo err $i >&2; sleep 1; done; sleep 1000"


def test_logs_are_cut_to_what_was_asked_for() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await started(world, "p", COUNT)
        await asyncio.sleep(10)
        everything = "".join(f"line {n}\nerr {n}\n" for n in range(1, 6))
        assert await logs(kubelet, "p") == everything
        assert await logs(kubelet, "p", tail_lines=3) == "err 4\nline 5\nerr 5\n"
        assert await logs(kubelet, "p", tail_lines=0) == ""
        assert await logs(kubelet, "p", tail_lines=99) == everything
        assert await logs(kubelet, "p", limit_bytes=9) == "line 1\ner"
        assert await logs(kubelet, "p", stream="Stderr", tail_lines=2) == "err 5\n"
        assert await logs(kubelet, "p", since_seconds=9) == everything[26:]
        stamped = await logs(kubelet, "p", tail_lines=1, timestamps=True)
        assert stamped.endswith("Z err 5\n")
        assert stamped.startswith("2026-")
        with pytest.raises(errors.BadRequest):
            await logs(kubelet, "p", since_time="yesterday")

    in_a_world(story)


def test_logs_are_followed_to_the_end_of_the_container() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await started(world, "p", "echo a; sleep 20; echo b; sleep 20; echo -n c", policy="Never")
        loop = asyncio.get_running_loop()
        begin = loop.time()
        request = pb.LogsRequest(container=ref("p"), follow=True)
        heard = [
            (round(loop.time() - begin), chunk.data)
            async for chunk in kubelet.service.logs(request)
        ]
        assert heard == [(0, b"a\n"), (20, b"b\n"), (40, b"c\n")]

    in_a_world(story)


def test_previous_is_the_one_before() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await started(world, "p", "echo run at $(date +%s); sleep 5; exit 1")
        with pytest.raises(errors.BadRequest) as none:
            await logs(kubelet, "p", previous=True)
        assert none.value.message == ('previous terminated container "web" in pod "p" not found')
        await world.wait("p", lambda pod: _restarts(pod) == 1 and _running(pod))
        now, before = await logs(kubelet, "p"), await logs(kubelet, "p", previous=True)
        assert now.startswith("run at ")
        assert before.startswith("run at ")
        assert before < now

    in_a_world(story)


def _restarts(pod: dict[str, Any]) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def _running(pod: dict[str, Any]) -> bool:
    return "running" in pod["status"]["containerStatuses"][0]["state"]


def test_a_container_that_waits_says_why() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await world.pod("p", image="registry.invalid/web:1")
        await world.wait("p", lambda pod: "ImagePullBackOff" in str(pod["status"]))
        with pytest.raises(errors.BadRequest) as waits:
            await logs(kubelet, "p")
        assert waits.value.message == (
            'container "web" in pod "p" is waiting to start: trying and failing to pull image'
        )
        with pytest.raises(errors.BadRequest, match='container "x" in pod "p" is not available'):
            await logs(kubelet, "p", "x")
        with pytest.raises(errors.NotFound, match="pod does not exist"):
            await logs(kubelet, "q")

    in_a_world(story)


def test_exec_runs_in_a_running_container_and_in_no_other() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await world.pod("p", init=[{"name": "first", "image": "busybox"}])
        await world.wait("p", lambda pod: pod["status"].get("phase") == "Running")
        out, end = await execute(kubelet, "p", "hostname")
        assert out.stdout == b"p\n"
        assert end.exit == pb.Exit(code=0)
        await started(world, "done", "exit 0", policy="Never")
        await world.wait("done", lambda pod: pod["status"]["phase"] == "Succeeded")
        with pytest.raises(errors.InternalError) as ended:
            await execute(kubelet, "done", "ls")
        assert ended.value.message == 'container not found ("web")'

    in_a_world(story)


def test_a_stream_begins_with_what_it_is_for() -> None:
    async def story(_world: World, kubelet: Kubelet) -> None:
        async def wrong() -> AsyncIterator[pb.StreamInput]:
            yield pb.StreamInput(stdin=b"x")

        async def silent() -> AsyncIterator[pb.StreamInput]:
            await asyncio.sleep(1000)
            yield pb.StreamInput()

        for inputs in (wrong(), silent()):
            with pytest.raises(errors.BadRequest, match="first input"):
                await anext(kubelet.service.exec(inputs))

    in_a_world(story)


def test_a_declared_port_is_reached() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        one = {"name": "web", "image": "any/thing:1", "ports": [{"containerPort": 9090}]}
        await world.pod("p", containers=[one])
        await world.wait("p", lambda pod: pod["status"].get("phase") == "Running")

        async def inputs() -> AsyncIterator[pb.PortForwardInput]:
            start = pb.PortForwardStart(node=NODE, namespace="default", pod="p", port=9090)
            yield pb.PortForwardInput(start=start)
            yield pb.PortForwardInput(data=b"GET / HTTP/1.1\r\n\r\n")

        found = [one async for one in kubelet.service.port_forward(inputs())]
        assert found[0].connected
        assert b"\r\n\r\np\nGET /\n" in found[1].data

    in_a_world(story)


def test_what_a_runtime_cannot_do_is_told_in_its_own_words() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await world.pod("p")
        await world.wait("p", lambda pod: pod["status"].get("phase") == "Running")
        agent = kubelet._crew.members[NODE].agent

        async def unimplemented(_request: Any) -> Any:
            raise rpc.Failure("UNIMPLEMENTED", "unknown service cluster.v1.Streaming")

        agent.cri.stream_exec = agent.cri.read_log = unimplemented  # type: ignore[method-assign]
        with pytest.raises(rpc.Failure, match=r"^unknown service cluster.v1.Streaming$"):
            await execute(kubelet, "p", "ls")
        with pytest.raises(rpc.Failure, match=r"^unknown service cluster.v1.Streaming$"):
            await logs(kubelet, "p")

    in_a_world(story)


def test_the_log_of_a_container_that_the_runtime_has_no_more_says_so() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await started(world, "p", "echo hello", restartPolicy="Never")
        done = await world.wait("p", lambda pod: pod["status"].get("phase") == "Succeeded")
        agent = kubelet._crew.members[NODE].agent
        assert await logs(kubelet, "p") == "hello\n"
        container = done["status"]["containerStatuses"][0]["containerID"]
        assert container.startswith("kubemu://")

        async def gone(_request: Any) -> Any:
            raise rpc.Failure("NOT_FOUND", "no such container")

        agent.cri.read_log = gone  # type: ignore[method-assign]
        said = f"unable to retrieve container logs for {container}"
        for options in ({}, {"tail_lines": 3}, {"follow": True}, {"limit_bytes": 3}):
            assert await logs(kubelet, "p", **options) == said

    in_a_world(story)


def test_pages_tell_of_the_node() -> None:
    async def story(world: World, kubelet: Kubelet) -> None:
        await world.pod("p")
        await world.wait("p", lambda pod: pod["status"].get("phase") == "Running")

        async def page(path: str, method: str = "GET") -> pb.PageResponse:
            return await kubelet.service.page(pb.PageRequest(node=NODE, path=path, method=method))

        assert (await page("/healthz?verbose")).body == b"ok"
        pods = msgspec.json.decode((await page("/pods/")).body)
        assert pods["kind"] == "PodList"
        assert [(one["metadata"]["name"], one["status"]["phase"]) for one in pods["items"]] == [
            ("p", "Running")
        ]
        summary = msgspec.json.decode((await page("/stats/summary")).body)
        assert summary["node"]["nodeName"] == NODE
        assert summary["pods"][0]["podRef"]["name"] == "p"
        container = summary["pods"][0]["containers"][0]
        assert container["name"] == "web"
        assert container["cpu"]["usageNanoCores"] == 1_000_000
        assert container["memory"]["workingSetBytes"] == 10 << 20
        assert summary["node"]["cpu"]["usageNanoCores"] == 51_000_000
        resources = (await page("/metrics/resource")).body.decode()
        name = 'container="web",namespace="default",pod="p"'
        assert f"container_memory_working_set_bytes{{{name}}} {10 << 20} " in resources
        metrics = (await page("/metrics")).body.decode()
        assert "kubelet_running_pods 1\n" in metrics
        assert 'kubelet_running_containers{container_state="running"} 1\n' in metrics
        config = msgspec.json.decode((await page("/configz")).body)
        assert config["kubeletconfig"]["maxPods"] == 110
        assert (await page("/nothing")).status == 404
        assert (await page("/pods", "POST")).status == 405
        with pytest.raises(errors.NotFound, match="not served by this kubelet"):
            await kubelet.service.page(pb.PageRequest(node="other", path="/healthz"))

    in_a_world(story)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_log_lines_are_joined_and_cut_alike_in_any_pieces(size: int) -> None:
    data = b"T1 stdout P ab\nT2 stdout F cd\nT3 stderr F e f\nrubbish\nT4 stdout F\nT5 stdout F x"
    reading = logtext.Reading(logtext.Wanted(since=b"T1", timestamps=True))
    shown = b"".join(reading.take(data[at : at + size]) for at in range(0, len(data), size))
    assert shown == b"T1 abcd\nT3 e f\nT4 \n"
