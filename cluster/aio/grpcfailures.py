"""A failed gRPC call as the failure that knows no transport."""

import grpc

from cluster.aio import rpc


def failure(error: grpc.aio.AioRpcError) -> rpc.Failure:
    """What a caller in the same process would have been told."""
    return rpc.Failure(error.code().name, error.details() or "")
