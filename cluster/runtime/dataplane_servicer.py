"""Puts the node's data plane on a gRPC server."""

from collections.abc import AsyncIterator

import grpc

from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.pb.cluster.v1 import dataplane_pb2_grpc
from cluster.runtime.dataplane import DataPlane

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DataPlane"].full_name


class DataPlaneServicer(dataplane_pb2_grpc.DataPlaneServicer):  # type: ignore[misc]
    """The gRPC face of a DataPlane: `add_DataPlaneServicer_to_server` takes it."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    async def ReplaceServices(
        self, requests: AsyncIterator[pb.ReplaceServicesRequest], _context: grpc.aio.ServicerContext
    ) -> pb.ServicesState:
        """Take a whole table, in chunks."""
        return await self._plane.replace_services(requests)

    async def UpdateServices(
        self, request: pb.UpdateServicesRequest, _context: grpc.aio.ServicerContext
    ) -> pb.UpdateServicesResponse:
        """Change entries of the table that the caller knows."""
        return await self._plane.update_services(request)

    async def GetService(
        self, request: pb.GetServiceRequest, _context: grpc.aio.ServicerContext
    ) -> pb.GetServiceResponse:
        """One entry."""
        return await self._plane.get_service(request)

    async def ListServices(
        self, request: pb.ListServicesRequest, _context: grpc.aio.ServicerContext
    ) -> pb.ListServicesResponse:
        """The entries, sorted by key."""
        return await self._plane.list_services(request)

    async def WatchServices(
        self, request: pb.WatchServicesRequest, _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.ServicesState]:
        """The state now and after changes."""
        async for state in await self._plane.watch_services(request):
            yield state


def add_to(server: grpc.aio.Server, plane: DataPlane) -> None:
    """Serve `plane` on `server`."""
    dataplane_pb2_grpc.add_DataPlaneServicer_to_server(DataPlaneServicer(plane), server)
