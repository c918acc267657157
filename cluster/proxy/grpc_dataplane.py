"""A data plane across gRPC, as a `dataplane.DataPlane`."""

from collections.abc import AsyncIterator

import grpc

from cluster.aio import grpcfailures
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.pb.cluster.v1 import dataplane_pb2_grpc


class GrpcDataPlane:
    """Calls over `channel`. The caller sets the deadlines."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = dataplane_pb2_grpc.DataPlaneStub(channel)

    async def replace_services(
        self, requests: AsyncIterator[pb.ReplaceServicesRequest]
    ) -> pb.ServicesState:
        """See `DataPlane.replace_services`."""
        return await grpcfailures.answered(self._stub.ReplaceServices(requests))

    async def update_services(self, request: pb.UpdateServicesRequest) -> pb.UpdateServicesResponse:
        """See `DataPlane.update_services`."""
        return await grpcfailures.answered(self._stub.UpdateServices(request))

    async def watch_services(
        self, request: pb.WatchServicesRequest
    ) -> AsyncIterator[pb.ServicesState]:
        """See `DataPlane.watch_services`."""
        return grpcfailures.streamed(self._stub.WatchServices(request))
