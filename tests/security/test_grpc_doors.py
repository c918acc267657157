"""gRPC: who is let in at the API server, at kubelets and at the sockets, and with how much."""

import asyncio
import stat
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from securityworld import Outside

from cluster.aio.clock import SystemClock
from cluster.launcher import pki
from cluster.pb.cluster.v1 import kubelet_pb2, kubelet_pb2_grpc, resources_pb2, resources_pb2_grpc

Code = grpc.StatusCode


def channel(outside: Outside, address: str, user: str = "", pair: Any = None) -> Any:
    """A channel as `user`, or with a key pair, or with no certificate at all."""
    if user:
        certificate, key = (path.read_bytes() for path in outside.certificate(user))
    elif pair is not None:
        certificate, key = pair.certificate, pair.key
    else:
        certificate = key = None
    credentials = grpc.ssl_channel_credentials(outside.ca.read_bytes(), key, certificate)
    return grpc.aio.secure_channel(address, credentials)


def code(call: Any) -> grpc.StatusCode | None:
    """How a call ends: None where it is answered."""

    async def story() -> grpc.StatusCode | None:
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            return error.code()
        return None

    return asyncio.run(asyncio.wait_for(story(), 20))


def kubelet(outside: Outside) -> str:
    node = outside.cluster.get("node", "node-1")
    address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    return f"{address}:{node['status']['daemonEndpoints']['kubeletEndpoint']['Port']}"


async def healthy(channel: Any) -> None:
    async with channel as opened:
        request = health_pb2.HealthCheckRequest()
        await health_pb2_grpc.HealthStub(opened).Check(request, timeout=3)


async def reflected(channel: Any) -> None:
    async with channel as opened:
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for _ in stub.ServerReflectionInfo(iter([request]), timeout=3):
            return


@pytest.mark.parametrize("door", ["apiserver", "kubelet"])
@pytest.mark.parametrize("ask", [healthy, reflected])
@pytest.mark.parametrize("who", ["nobody", "stranger", "plain"])
def test_without_a_certificate_of_the_cluster_there_is_not_even_health(
    outside: Outside, door: str, ask: Any, who: str
) -> None:
    address = outside.grpc if door == "apiserver" else kubelet(outside)
    now = SystemClock().now()
    pair = pki.Authority.create(now).client(pki.Subject("x", ("system:masters",)), now)

    async def call() -> None:
        if who == "plain":
            await ask(grpc.aio.insecure_channel(address))
        else:
            await ask(channel(outside, address, pair=pair if who == "stranger" else None))

    assert code(call) is Code.UNAVAILABLE


@pytest.mark.parametrize("user", ["kubelet-node-1", "kubelet-node-2", "scheduler", "kube-proxy"])
def test_a_kubelet_answers_the_api_server_alone(outside: Outside, user: str) -> None:
    async def call() -> None:
        async with channel(outside, kubelet(outside), user) as opened:
            request = kubelet_pb2.PageRequest(node="node-1", method="GET", path="/pods")
            await kubelet_pb2_grpc.KubeletStub(opened).Page(request, timeout=5)

    assert code(call) is Code.PERMISSION_DENIED


def test_grpc_decides_as_rest_does(outside: Outside) -> None:
    async def get(user: str, resource: str, namespace: str, name: str) -> None:
        async with channel(outside, outside.grpc, user) as opened:
            request = resources_pb2.GetRequest(resource=resource, namespace=namespace, name=name)
            await resources_pb2_grpc.ResourcesStub(opened).Get(request, timeout=5)

    assert code(lambda: get("admin", "nodes", "", "node-2")) is None
    assert code(lambda: get("kubelet-node-1", "nodes", "", "node-2")) is Code.PERMISSION_DENIED
    secret = ("secrets", "kube-system", "x")
    assert code(lambda: get("kubelet-node-1", *secret)) is Code.PERMISSION_DENIED
    assert code(lambda: get("kube-proxy", *secret)) is Code.PERMISSION_DENIED
    assert code(lambda: get("scheduler", *secret)) is Code.PERMISSION_DENIED


def test_an_operation_and_metadata_have_bounds(outside: Outside) -> None:
    async def write(size: int, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        options = [("grpc.max_send_message_length", -1)]
        certificate, key = (path.read_bytes() for path in outside.certificate("admin"))
        credentials = grpc.ssl_channel_credentials(outside.ca.read_bytes(), key, certificate)
        async with grpc.aio.secure_channel(outside.grpc, credentials, options=options) as opened:
            operation = resources_pb2.Operation(
                verb=1, resource="configmaps", namespace="default", name="x", body=b" " * size
            )
            request = resources_pb2.WriteRequest(operations=[operation])
            stub = resources_pb2_grpc.ResourcesStub(opened)
            return await stub.Write(request, timeout=15, metadata=metadata)

    assert code(lambda: write(1, (("x", "y" * 100_000),))) is Code.RESOURCE_EXHAUSTED
    (result,) = asyncio.run(write(4 << 20)).results
    assert b"RequestEntityTooLarge" in result.status


def test_sockets_and_files_are_their_owners(outside: Outside) -> None:
    folder = outside.cluster.folder.path
    loose = [
        f"{stat.S_IMODE(path.lstat().st_mode):o} {path.relative_to(folder)}"
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink()
        and not _within_volumes(path.relative_to(folder))
        and path.lstat().st_mode & 0o077
    ]
    assert loose == []
    sockets = [path.name for path in folder.rglob("*.sock")]
    assert {"control.sock", "runtime-node-1.sock"} <= set(sockets)


def _within_volumes(path: Path) -> bool:
    """What pods see has the modes that Kubernetes gives it, in folders that are private."""
    return path.parts[:1] == ("nodes",)


def test_everything_listens_on_this_machine_alone(outside: Outside) -> None:
    pids = {str(pid) for pid in _pids(outside)}
    told = subprocess.run(["ss", "-Hltnup"], capture_output=True, text=True, check=False)
    if told.returncode:
        pytest.skip("there is no ss here")
    places = [
        line.split()[4]
        for line in told.stdout.splitlines()
        if any(f"pid={pid}," in line for pid in pids)
    ]
    assert places
    here = ("127.", "[::1]", "[::ffff:127.")
    assert [place for place in places if not place.startswith(here)] == []


def _pids(outside: Outside) -> list[int]:
    from cluster.launcher import state

    return [process.pid for process in state.recorded(outside.cluster.folder).values()]
