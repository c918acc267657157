"""Puts cluster.v1.Streaming on a gRPC server."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc

from cluster.aio import rpc
from cluster.pb.cluster.v1 import streaming_pb2_grpc
from cluster.runtime.streaming import Streaming

SERVICE_NAME: Final = "cluster.v1.Streaming"


def add_to(service: Streaming, server: Any) -> None:
    """Serve `service` on `server`."""
    streaming_pb2_grpc.add_StreamingServicer_to_server(_Servicer(service), server)


class _Servicer(streaming_pb2_grpc.StreamingServicer):  # type: ignore[misc]
    """The RPCs; a Failure becomes the status of the call."""

    def __init__(self, service: Streaming) -> None:
        self._service = service

    async def StreamExec(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for output in _carried(self._service.stream_exec, requests, context):
            yield output

    async def StreamAttach(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for output in _carried(self._service.stream_attach, requests, context):
            yield output

    async def StreamPortForward(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for output in _carried(self._service.stream_port_forward, requests, context):
            yield output

    async def ReadLog(self, request: Any, context: Any) -> Any:
        try:
            return await self._service.read_log(request)
        except rpc.Failure as failure:
            await _abort(context, failure)


async def _carried(
    call: Callable[[Any], Awaitable[AsyncIterator[Any]]], requests: Any, context: Any
) -> AsyncIterator[Any]:
    try:
        outputs = await call(aiter(requests))
        async with contextlib.aclosing(outputs) as stream:  # type: ignore[type-var]
            async for output in stream:
                yield output
    except rpc.Failure as failure:
        await _abort(context, failure)


async def _abort(context: Any, failure: rpc.Failure) -> None:
    code = getattr(grpc.StatusCode, failure.code, grpc.StatusCode.UNKNOWN)
    await context.abort(code, failure.message)
