"""The data plane, as kube-proxy sees it: `cluster.v1.DataPlane` on its messages.

It is the runtime's service object in the same process, or `grpc_dataplane.GrpcDataPlane` across
the wire. Failures are `aio.rpc.Failure`; UNAVAILABLE means that it could not be reached.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from cluster.pb.cluster.v1 import dataplane_pb2 as pb


class DataPlane(Protocol):
    """What kube-proxy needs of a data plane."""

    async def replace_services(
        self, requests: AsyncIterator[pb.ReplaceServicesRequest]
    ) -> pb.ServicesState:
        """Put a whole table, which comes in chunks, in place of the one there is."""
        ...

    async def update_services(self, request: pb.UpdateServicesRequest) -> pb.UpdateServicesResponse:
        """Change entries, if the table is the one expected."""
        ...

    async def watch_services(
        self, request: pb.WatchServicesRequest
    ) -> AsyncIterator[pb.ServicesState]:
        """The state now, and after changes."""
        ...
