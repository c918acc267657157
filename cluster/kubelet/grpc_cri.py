"""A container runtime across gRPC, as a `cri.Cri`: ours, or any other that speaks CRI v1."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, cast

import grpc

from cluster.aio import grpcfailures, grpcstreams, rpc
from cluster.kubelet.cri import OURS, Cri
from cluster.pb.cluster.v1 import streaming_pb2_grpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.pb.cri.v1 import api_pb2_grpc

if TYPE_CHECKING:
    from cluster.kubelet.foreign.adapter import Foreign

_GREETING: Final = 2.0
"""Seconds to wait for the first word of an event stream; not every runtime sends it at once."""
_MARGIN: Final = 120.0
_PULL: Final = 600.0
_COMMAND: Final = 86400.0


def connect(
    channel: grpc.aio.Channel, request_timeout: float = 120.0, root_dir: str = ""
) -> Cri:  # fmt: skip
    """The runtime behind `channel`; each call has `request_timeout` seconds. `root_dir` is the
    kubelet's, where what another runtime's containers say last is kept.
    """
    return cast(Cri, GrpcCri(channel, request_timeout, root_dir))


class GrpcCri:
    """Calls over `channel`, each with a deadline of `timeout` seconds unless its nature is long."""

    def __init__(
        self, channel: grpc.aio.Channel, request_timeout: float = 120.0, root_dir: str = ""
    ) -> None:
        self._timeout = request_timeout
        self._root = root_dir
        self._stubs: tuple[Any, Any] = (
            api_pb2_grpc.RuntimeServiceStub(channel),
            api_pb2_grpc.ImageServiceStub(channel),
        )
        self._streaming: Any = streaming_pb2_grpc.StreamingStub(channel)
        self._calls: dict[str, Any] = {}
        self._is_ours: bool | None = None
        self._foreign: Foreign | None = None
        for service, stub in zip(pb.DESCRIPTOR.services_by_name.values(), self._stubs, strict=True):
            for method in service.methods:
                self._calls[_method_name(method.name)] = getattr(stub, method.name)

    def __getattr__(self, name: str) -> Any:
        """The call of an RPC, under its name in Python's spelling."""
        call = self.__dict__.get("_calls", {}).get(name)
        if call is None:
            raise AttributeError(name)

        async def carry(request: Any) -> Any:
            return await self._unary(call, request, self._timeout)

        self.__dict__[name] = carry
        return carry

    async def foreign(self) -> "Foreign | None":
        """What stands in for what CRI does not have; None where the runtime is kubemu's own.

        rpc.Failure.
        """
        if self._is_ours is None:
            answer = await self.version(pb.VersionRequest())
            self._is_ours = answer.runtime_name == OURS
            if not self._is_ours:
                # Imported here: it is much, and most runtimes are ours.
                from cluster.kubelet.foreign.adapter import Foreign

                self._foreign = Foreign(cast(Cri, self), self._root)
        return self._foreign

    async def create_container(
        self, request: pb.CreateContainerRequest
    ) -> pb.CreateContainerResponse:
        """Another runtime wants the folder of the log to be there, and files for messages."""
        foreign = await self.foreign()
        if foreign is not None:
            request = foreign.prepared(request)
        return await self._unary(  # type: ignore[no-any-return]
            self._calls["create_container"], request, self._timeout
        )

    async def update_container_resources(
        self, request: pb.UpdateContainerResourcesRequest
    ) -> pb.UpdateContainerResourcesResponse:
        """Another runtime is asked for what every kubelet asks for."""
        foreign = await self.foreign()
        if foreign is not None:
            request = foreign.resized(request)
        return await self._unary(  # type: ignore[no-any-return]
            self._calls["update_container_resources"], request, self._timeout
        )

    async def remove_container(
        self, request: pb.RemoveContainerRequest
    ) -> pb.RemoveContainerResponse:
        """Another runtime leaves its files to the kubelet."""
        foreign = await self.foreign()
        known = None if foreign is None else await foreign.status(request.container_id)
        if foreign is not None and known is not None:
            foreign.removing(known)
        answer = await self._unary(self._calls["remove_container"], request, self._timeout)
        if foreign is not None and known is not None:
            foreign.remove_files(known)
        return answer  # type: ignore[no-any-return]

    async def remove_pod_sandbox(
        self, request: pb.RemovePodSandboxRequest
    ) -> pb.RemovePodSandboxResponse:
        """It takes its containers with it, whose files another runtime leaves to the kubelet."""
        foreign = await self.foreign()
        left = [] if foreign is None else await foreign.containers(request.pod_sandbox_id)
        for one in left:
            if foreign is not None:
                foreign.removing(one)
        answer = await self._unary(self._calls["remove_pod_sandbox"], request, self._timeout)
        for one in left:
            if foreign is not None:
                foreign.remove_files(one)
        return answer  # type: ignore[no-any-return]

    async def pod_sandbox_status(
        self, request: pb.PodSandboxStatusRequest
    ) -> pb.PodSandboxStatusResponse:
        """A runtime without events does not tell of the containers with it: they are asked for."""
        answer: pb.PodSandboxStatusResponse = await self._unary(
            self._calls["pod_sandbox_status"], request, self._timeout
        )
        if not answer.timestamp:
            foreign = await self.foreign()
            if foreign is not None:
                inside = await foreign.containers(request.pod_sandbox_id)
                answer.containers_statuses.extend(inside)
        return answer

    async def stop_container(self, request: pb.StopContainerRequest) -> pb.StopContainerResponse:
        """Lasts as long as the container's grace."""
        seconds = request.timeout + _MARGIN
        return await self._unary(  # type: ignore[no-any-return]
            self._calls["stop_container"], request, seconds
        )

    async def exec_sync(self, request: pb.ExecSyncRequest) -> pb.ExecSyncResponse:
        """Lasts as long as the command may; without a timeout of its own, a day."""
        seconds = request.timeout + _MARGIN if request.timeout else _COMMAND
        return await self._unary(  # type: ignore[no-any-return]
            self._calls["exec_sync"], request, seconds
        )

    async def pull_image(self, request: pb.PullImageRequest) -> pb.PullImageResponse:
        """Lasts as long as a pull may."""
        return await self._unary(  # type: ignore[no-any-return]
            self._calls["pull_image"], request, _PULL
        )

    async def get_container_events(
        self, request: pb.GetEventsRequest
    ) -> AsyncIterator[pb.ContainerEventResponse]:
        """Everything that happens from the moment this returns; no deadline."""
        call = self._calls["get_container_events"](request)
        try:
            async with asyncio.timeout(_GREETING):
                await call.initial_metadata()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            call.cancel()
            raise
        if call.done():  # the first word was that there will be none
            code, details = await call.code(), await call.details()
            raise rpc.Failure(code.name, details or "")
        return grpcfailures.streamed(call)

    async def stream_exec(self, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """See `cri.Cri`."""
        foreign = await self.foreign()
        if foreign is not None:
            return await foreign.stream_exec(inputs)
        return _streamed(self._streaming.StreamExec, inputs)

    async def stream_attach(self, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """See `cri.Cri`."""
        foreign = await self.foreign()
        if foreign is not None:
            return await foreign.stream_attach(inputs)
        return _streamed(self._streaming.StreamAttach, inputs)

    async def stream_port_forward(self, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """See `cri.Cri`."""
        foreign = await self.foreign()
        if foreign is not None:
            return await foreign.stream_port_forward(inputs)
        return _streamed(self._streaming.StreamPortForward, inputs)

    async def read_log(self, request: Any) -> Any:
        """See `cri.Cri`."""
        foreign = await self.foreign()
        if foreign is not None:
            return await foreign.read_log(request)
        seconds = self._timeout + request.wait_seconds
        return await self._unary(self._streaming.ReadLog, request, seconds)

    async def _unary(self, call: Any, request: Any, seconds: float) -> Any:
        return await grpcfailures.answered(call(request, timeout=seconds))


async def _streamed(method: Any, inputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        async with contextlib.aclosing(grpcstreams.exchange(method, inputs)) as stream:
            async for answer in stream:
                yield answer
    except grpc.aio.AioRpcError as error:
        raise grpcfailures.failure(error) from error


def _method_name(rpc_name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", rpc_name).lower()
