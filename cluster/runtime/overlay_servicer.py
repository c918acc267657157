"""Puts the node's part in the pod network on a gRPC server."""

import grpc

from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.runtime import servicer
from cluster.runtime.overlay import Overlay

_DESCRIPTION = pb.DESCRIPTOR.services_by_name["Overlay"]
SERVICE_NAME = _DESCRIPTION.full_name


def add_to(overlay: Overlay, server: grpc.aio.Server) -> None:
    """Serve `overlay` on `server`."""
    servicer.add(_DESCRIPTION, overlay, server)
