"""A data plane across gRPC, as a `plane.Plane`."""

from collections.abc import AsyncIterator

import grpc

from cluster.aio import grpcfailures
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.pb.cluster.v1 import overlay_pb2_grpc


class GrpcPlane:
    """Calls over `channel`. The caller sets the deadlines."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = overlay_pb2_grpc.OverlayStub(channel)

    async def configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """See `Plane.configure`."""
        try:
            response: pb.ConfigureResponse = await self._stub.Configure(request)
        except grpc.aio.AioRpcError as error:
            raise grpcfailures.failure(error) from error
        return response

    async def replace_overlay(
        self, requests: AsyncIterator[pb.ReplaceOverlayRequest]
    ) -> pb.OverlayState:
        """See `Plane.replace_overlay`."""
        try:
            state: pb.OverlayState = await self._stub.ReplaceOverlay(requests)
        except grpc.aio.AioRpcError as error:
            raise grpcfailures.failure(error) from error
        return state

    async def update_overlay(self, request: pb.UpdateOverlayRequest) -> pb.UpdateOverlayResponse:
        """See `Plane.update_overlay`."""
        try:
            response: pb.UpdateOverlayResponse = await self._stub.UpdateOverlay(request)
        except grpc.aio.AioRpcError as error:
            raise grpcfailures.failure(error) from error
        return response

    async def watch_overlay(
        self, request: pb.WatchOverlayRequest
    ) -> AsyncIterator[pb.OverlayState]:
        """See `Plane.watch_overlay`."""
        return _states(self._stub.WatchOverlay(request))


async def _states(call: grpc.aio.UnaryStreamCall) -> AsyncIterator[pb.OverlayState]:
    try:
        async for state in call:
            yield state
    except grpc.aio.AioRpcError as error:
        raise grpcfailures.failure(error) from error
    finally:
        call.cancel()
