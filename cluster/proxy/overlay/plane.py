"""The data plane, as the agent sees it: `cluster.v1.Overlay` on its messages.

It is the runtime's service object in the same process, or `grpc_plane.GrpcPlane` across the wire.
Failures are `aio.rpc.Failure`: UNAVAILABLE where it could not be reached, UNIMPLEMENTED where the
machine takes part in no overlay.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from cluster.pb.cluster.v1 import overlay_pb2 as pb


class Plane(Protocol):
    """What the agent needs of a data plane."""

    async def configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Bring the back end up."""
        ...

    async def replace_overlay(
        self, requests: AsyncIterator[pb.ReplaceOverlayRequest]
    ) -> pb.OverlayState:
        """Put whole tables, which come in chunks, in place of those there are."""
        ...

    async def update_overlay(self, request: pb.UpdateOverlayRequest) -> pb.UpdateOverlayResponse:
        """Change entries, if the tables are those expected."""
        ...

    async def watch_overlay(
        self, request: pb.WatchOverlayRequest
    ) -> AsyncIterator[pb.OverlayState]:
        """The state now, and after changes."""
        ...
