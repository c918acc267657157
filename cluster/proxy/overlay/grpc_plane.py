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
        return await grpcfailures.answered(self._stub.Configure(request))

    async def replace_overlay(
        self, requests: AsyncIterator[pb.ReplaceOverlayRequest]
    ) -> pb.OverlayState:
        """See `Plane.replace_overlay`."""
        return await grpcfailures.answered(self._stub.ReplaceOverlay(requests))

    async def update_overlay(self, request: pb.UpdateOverlayRequest) -> pb.UpdateOverlayResponse:
        """See `Plane.update_overlay`."""
        return await grpcfailures.answered(self._stub.UpdateOverlay(request))

    async def watch_overlay(
        self, request: pb.WatchOverlayRequest
    ) -> AsyncIterator[pb.OverlayState]:
        """See `Plane.watch_overlay`."""
        return grpcfailures.streamed(self._stub.WatchOverlay(request))
