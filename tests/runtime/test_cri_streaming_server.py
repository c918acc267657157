"""CRI as crictl calls it: streams by URLs, short ids, and what it inspects."""

import asyncio
import contextlib
import json
import random

import aiohttp
import grpc
import pytest

from cluster.aio import clock, rpc, tasks
from cluster.client import channel
from cluster.kubelet import grpc_cri
from cluster.pb.cluster.v1 import kubelet_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.component import Runtime
from cluster.runtime.config import Config, LogFiles
from cluster.streams import commanding, dialing, portdialing


class Node:
    def __init__(self, cri, opened, folder) -> None:
        self.cri, self.channel, self.folder = cri, opened, folder
        self.box = self.made = ""

    async def pod(self, *command, image="busybox", tty=False, stdin=False):
        """As `crictl runp`, `create` and `start`: the container's id."""
        sandbox = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name="web", uid="u-1", namespace="default"),
            log_directory=str(self.folder / "logs"),
        )
        request = pb.RunPodSandboxRequest(config=sandbox)
        self.box = (await self.cri.run_pod_sandbox(request)).pod_sandbox_id
        spec = pb.ImageSpec(image=image)
        await self.cri.pull_image(pb.PullImageRequest(image=spec))
        config = pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name="web"), image=spec, command=command, tty=tty,
            stdin=stdin, log_path="web.0.log",
        )  # fmt: skip
        request = pb.CreateContainerRequest(
            pod_sandbox_id=self.box, config=config, sandbox_config=sandbox
        )
        self.made = (await self.cri.create_container(request)).container_id
        await self.cri.start_container(pb.StartContainerRequest(container_id=self.made))
        return self.made

    async def exec_url(self, *command, stdin=False, tty=False):
        request = pb.ExecRequest(
            container_id=self.made[:12], cmd=command, stdin=stdin, tty=tty, stdout=True,
            stderr=not tty,
        )  # fmt: skip
        return (await self.cri.exec(request)).url

    async def spdy(self, *command, inputs=(), tty=False):
        """What a command says over SPDY: stdout, stderr and how it ends."""
        stdin = bool(inputs)
        url = await self.exec_url(*command, stdin=stdin, tty=tty)
        start = streams.StreamStart(stdin=stdin, stdout=True, stderr=not tty, tty=tty)
        return await collected(commanding.run(url, start, fed(inputs)))


async def fed(inputs):
    for one in inputs:
        yield one
    await asyncio.get_running_loop().create_future()


async def collected(outputs):
    out, err, end = b"", b"", None
    async with contextlib.aclosing(outputs) as stream:
        async for one in stream:
            out, err = out + one.stdout, err + one.stderr
            end = one.exit if one.HasField("exit") else end
    return out.decode(), err.decode(), end


def on_a_node(tmp_path, scenario):
    async def main():
        address = f"unix:{tmp_path}/r.sock"
        config = Config(listen=address, pod_cidr="10.244.1.0/24", log_files=LogFiles())
        runtime = Runtime(config, clock=clock.SystemClock(), random=random.Random(1))
        async with asyncio.timeout(20), tasks.Group("test") as group:
            serving = group.spawn(runtime.run(), "runtime")
            await runtime.ready.wait()
            async with channel.connect([address]) as opened:
                await scenario(Node(grpc_cri.connect(opened), opened, tmp_path))
            serving.cancel()

    asyncio.run(main())


def test_commands_run_over_spdy(tmp_path):
    async def scenario(node):
        await node.pod("sleep", "3600")
        out, err, end = await node.spdy("sh", "-c", "echo out; echo err >&2; exit 7")
        assert (out, err, end.code, end.error) == ("out\n", "err\n", 7, "")
        out, _, end = await node.spdy("sh", "-c", "seq 1 200000")
        assert out == "".join(f"{number}\n" for number in range(1, 200001))
        assert end == streams.Exit()
        text = b"x" * 30_000
        told = [streams.StreamInput(stdin=text)] * 40 + [streams.StreamInput(stdin_closed=True)]
        out, _, end = await node.spdy("cat", inputs=told)
        assert (len(out), end.code) == (1_200_000, 0)
        size = streams.StreamInput(resize=streams.TerminalSize(width=91, height=17))
        said = [size, streams.StreamInput(stdin=b"stty size; exit 4\n")]
        out, err, end = await node.spdy("sh", inputs=said, tty=True)
        assert err == ""
        assert end.code == 4
        _, _, end = await node.spdy("no-such-program")
        assert "executable file not found in $PATH" in end.error

    on_a_node(tmp_path, scenario)


def test_commands_run_over_websocket_channels(tmp_path):
    async def scenario(node):
        await node.pod("sleep", "3600")
        url = await node.exec_url("sh", "-c", "echo out; exit 3")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=("v5.channel.k8s.io",)) as socket,
        ):
            said: dict[int, bytes] = {}
            async for message in socket:
                said[message.data[0]] = said.get(message.data[0], b"") + message.data[1:]
        assert said[1] == b"out\n"
        status = json.loads(said[3])
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]

    on_a_node(tmp_path, scenario)


def test_a_url_is_good_once_and_for_what_it_was_made(tmp_path):
    async def scenario(node):
        await node.pod("sleep", "3600")
        url = await node.exec_url("true")
        start = streams.StreamStart(stdout=True, stderr=True)
        with pytest.raises(dialing.Refused, match="404: Not Found"):
            await collected(commanding.run(url.replace("/exec/", "/attach/"), start, fed(())))
        assert (await collected(commanding.run(url, start, fed(()))))[2] == streams.Exit()
        for bad in (url, url[:-4] + "0000", url.rpartition("/")[0]):
            with pytest.raises(dialing.Refused, match="404: Not Found"):
                await collected(commanding.run(bad, start, fed(())))
        async with (
            aiohttp.ClientSession() as session,
            session.get(await node.exec_url("true")) as answer,
        ):
            assert (answer.status, await answer.text()) == (400, "Upgrade request required")

    on_a_node(tmp_path, scenario)


def test_who_attaches_talks_to_the_main_process(tmp_path):
    async def scenario(node):
        made = await node.pod("cat", stdin=True)
        request = pb.AttachRequest(container_id=made, stdin=True, stdout=True, stderr=True)
        url = (await node.cri.attach(request)).url
        start = streams.StreamStart(stdin=True, stdout=True, stderr=True)
        told = fed([streams.StreamInput(stdin=b"hello\n")])
        async with contextlib.aclosing(commanding.run(url, start, told)) as outputs:
            assert (await anext(outputs)).stdout == b"hello\n"
        log = (node.folder / "logs" / "web.0.log").read_text()
        assert log.endswith(" stdout F hello\n")

    on_a_node(tmp_path, scenario)


def test_ports_are_forwarded_one_connection_a_pair_of_streams(tmp_path):
    async def scenario(node):
        await node.pod(image="nginx")

        async def asked(port, request):
            forwarded = pb.PortForwardRequest(pod_sandbox_id=node.box, port=[port])
            url = (await node.cri.port_forward(forwarded)).url
            told = fed([streams.PortForwardInput(data=request)])
            data, error = b"", ""
            async with contextlib.aclosing(portdialing.run(url, port, told)) as outputs:
                async for one in outputs:
                    data, error = data + one.data, error + one.error
                    if one.closed or error:
                        break
            return data, error

        request = b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"
        data, error = await asked(80, request)
        assert data.startswith(b"HTTP/1.1 200")
        assert error == ""
        _, error = await asked(81, request)
        assert "connection refused" in error

    on_a_node(tmp_path, scenario)


def test_what_cannot_be_asked_for_is_said(tmp_path):
    async def scenario(node):
        made = await node.pod("sleep", "3600")
        exec_, attach = node.cri.exec, node.cri.attach
        for call, request, code, text in (
            (exec_, pb.ExecRequest(cmd=["true"], stdout=True), "INVALID_ARGUMENT",
             "missing required container_id"),
            (exec_, pb.ExecRequest(container_id=made, cmd=["true"]), "INVALID_ARGUMENT",
             "one of stdin, stdout, or stderr must be set"),
            (attach, pb.AttachRequest(container_id=made, tty=True, stderr=True),
             "INVALID_ARGUMENT", "tty and stderr cannot both be true"),
            (exec_, pb.ExecRequest(container_id="f00", stdout=True), "NOT_FOUND",
             'an error occurred when try to find container "f00": not found'),
            (node.cri.port_forward, pb.PortForwardRequest(pod_sandbox_id="f00"), "NOT_FOUND",
             'an error occurred when try to find sandbox "f00": not found'),
            (node.cri.checkpoint_container, pb.CheckpointContainerRequest(container_id=made),
             "UNIMPLEMENTED", "this runtime cannot checkpoint containers"),
        ):  # fmt: skip
            with pytest.raises(rpc.Failure) as caught:
                await call(request)
            assert (caught.value.code, caught.value.message) == (code, text)
        await node.cri.stop_container(pb.StopContainerRequest(container_id=made[:10]))
        with pytest.raises(rpc.Failure, match="container is in CONTAINER_EXITED state"):
            await node.cri.exec(pb.ExecRequest(container_id=made, cmd=["true"], stdout=True))
        unknown = node.channel.unary_unary("/runtime.v1.RuntimeService/StreamContainers")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await unknown(b"")
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED

    on_a_node(tmp_path, scenario)


def test_ids_may_be_as_short_as_they_are_clear(tmp_path):
    async def scenario(node):
        made = await node.pod("sleep", "3600")
        short = pb.ContainerStatusRequest(container_id=made[:8], verbose=True)
        answer = await node.cri.container_status(short)
        assert answer.status.id == made
        info = json.loads(answer.info["info"])
        assert info["config"]["command"] == ["sleep", "3600"]
        assert info["sandboxID"] == node.box
        assert answer.status.log_path == str(node.folder / "logs" / "web.0.log")
        box = pb.PodSandboxStatusRequest(pod_sandbox_id=node.box[:8], verbose=True)
        info = json.loads((await node.cri.pod_sandbox_status(box)).info["info"])
        assert info["config"]["metadata"]["name"] == "web"
        wanted = pb.ContainerFilter(id=made[:5], pod_sandbox_id=node.box[:5])
        listed = await node.cri.list_containers(pb.ListContainersRequest(filter=wanted))
        assert [one.id for one in listed.containers] == [made]
        image = (await node.cri.list_images(pb.ListImagesRequest())).images[0]
        digits = image.id.removeprefix("sha256:")[:12]
        spec = pb.ImageSpec(image=digits)
        found = await node.cri.image_status(pb.ImageStatusRequest(image=spec, verbose=True))
        assert found.image.id == image.id
        assert json.loads(found.info["info"])["imageSpec"]["digest"] == image.id
        await node.cri.remove_image(pb.RemoveImageRequest(image=spec))
        assert not (await node.cri.list_images(pb.ListImagesRequest())).images
        told = await node.cri.status(pb.StatusRequest(verbose=True))
        assert json.loads(told.info["config"])["podCIDR"] == "10.244.1.0/24"
        config = await node.cri.runtime_config(pb.RuntimeConfigRequest())
        assert config.linux.cgroup_driver == pb.CGROUPFS

    on_a_node(tmp_path, scenario)


def test_figures_of_a_sandbox_and_their_metrics_agree(tmp_path):
    async def scenario(node):
        made = await node.pod("sleep", "3600")
        one = await node.cri.pod_sandbox_stats(pb.PodSandboxStatsRequest(pod_sandbox_id=node.box))
        listed = (await node.cri.list_pod_sandbox_stats(pb.ListPodSandboxStatsRequest())).stats
        assert [each.attributes for each in listed] == [one.stats.attributes]
        stats = await node.cri.container_stats(pb.ContainerStatsRequest(container_id=made))
        assert stats.stats.memory.working_set_bytes.value > 0
        described = await node.cri.list_metric_descriptors(pb.ListMetricDescriptorsRequest())
        names = {each.name: len(each.label_keys) for each in described.descriptors}
        metrics = await node.cri.list_pod_sandbox_metrics(pb.ListPodSandboxMetricsRequest())
        pod = metrics.pod_metrics[0]
        inside = pod.container_metrics[0]
        for group in (pod.metrics, inside.metrics):
            assert {each.name: len(each.label_values) for each in group} == names
        by_name = {each.name: each.value.value for each in inside.metrics}
        held = stats.stats.memory.working_set_bytes.value
        assert by_name["container_memory_working_set_bytes"] == held

    on_a_node(tmp_path, scenario)
