"""The runtime across a unix socket: real sockets, real time, a few milliseconds."""

import asyncio
import random

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cluster.aio import clock, rpc, tasks
from cluster.client import channel
from cluster.kubelet import grpc_cri
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.component import Runtime
from cluster.runtime.config import Config


def serving(tmp_path, scenario):
    async def main():
        address = f"unix:{tmp_path}/runtime.sock"
        config = Config(listen=address, pod_cidr="10.244.1.0/24")
        runtime = Runtime(config, clock=clock.SystemClock(), random=random.Random(1))
        async with asyncio.timeout(20), tasks.Group("test") as group:
            serving = group.spawn(runtime.run(), "runtime")
            await runtime.ready.wait()
            async with channel.connect([address]) as opened:
                await scenario(grpc_cri.connect(opened), opened)
            serving.cancel()

    asyncio.run(main())


def test_a_pod_is_run_across_the_wire(tmp_path):
    async def scenario(cri, _channel):
        stream = await cri.get_container_events(pb.GetEventsRequest())
        version = await cri.version(pb.VersionRequest())
        assert (version.runtime_name, version.runtime_api_version) == ("kubemu", "v1")
        metadata = pb.PodSandboxMetadata(name="web", uid="u-1", namespace="default")
        config = pb.PodSandboxConfig(metadata=metadata)
        box = await cri.run_pod_sandbox(pb.RunPodSandboxRequest(config=config))
        image = pb.ImageSpec(image="nginx")
        assert not (await cri.image_status(pb.ImageStatusRequest(image=image))).HasField("image")
        await cri.pull_image(pb.PullImageRequest(image=image))
        made = await cri.create_container(
            pb.CreateContainerRequest(
                pod_sandbox_id=box.pod_sandbox_id,
                config=pb.ContainerConfig(metadata=pb.ContainerMetadata(name="web"), image=image),
            )
        )
        request = pb.StartContainerRequest(container_id=made.container_id)
        await cri.start_container(request)
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=box.pod_sandbox_id)
        answer = await cri.pod_sandbox_status(request)
        assert answer.status.network.ip == "10.244.1.2"
        assert [one.state for one in answer.containers_statuses] == [pb.CONTAINER_RUNNING]
        kinds = [(await anext(stream)).container_event_type for _ in range(3)]
        assert kinds == [
            pb.CONTAINER_STARTED_EVENT,
            pb.CONTAINER_CREATED_EVENT,
            pb.CONTAINER_STARTED_EVENT,
        ]
        await stream.aclose()

    serving(tmp_path, scenario)


def test_a_failure_keeps_its_code_and_message(tmp_path):
    async def scenario(cri, _channel):
        with pytest.raises(rpc.Failure) as caught:
            await cri.container_status(pb.ContainerStatusRequest(container_id="no"))
        assert (caught.value.code, caught.value.message) == (
            "NOT_FOUND",
            'an error occurred when try to find container "no": not found',
        )

    serving(tmp_path, scenario)


def test_a_runtime_that_is_not_there_is_unavailable(tmp_path):
    async def main():
        async with asyncio.timeout(20), channel.connect([f"unix:{tmp_path}/none.sock"]) as opened:
            cri = grpc_cri.connect(opened)
            with pytest.raises(rpc.Failure) as caught:
                await cri.version(pb.VersionRequest())
            assert caught.value.code == "UNAVAILABLE"
            with pytest.raises(rpc.Failure):
                await cri.get_container_events(pb.GetEventsRequest())

    asyncio.run(main())


def test_health_is_told_and_what_is_left_out_is_unimplemented(tmp_path):
    async def scenario(_cri, opened):
        health = health_pb2_grpc.HealthStub(opened)
        request = health_pb2.HealthCheckRequest(service="runtime.v1.RuntimeService")
        answer = await health.Check(request)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        left_out = opened.unary_unary("/runtime.v1.RuntimeService/StreamContainers")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await left_out(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    serving(tmp_path, scenario)
