"""Puts the means of seeing and breaking a node's network on a gRPC server."""

import grpc

from cluster.pb.cluster.v1 import netops_pb2 as pb
from cluster.runtime import servicer
from cluster.runtime.netops import NetOps

_DESCRIPTION = pb.DESCRIPTOR.services_by_name["NetOps"]
SERVICE_NAME = _DESCRIPTION.full_name


def add_to(netops: NetOps, server: grpc.aio.Server) -> None:
    """Serve `netops` on `server`."""
    servicer.add(_DESCRIPTION, netops, server)
