"""Puts service objects, above all CRI's, on a gRPC server.

The handlers are made from the proto's own description: each RPC calls the method of its name in
Python's spelling, and an `aio.rpc.Failure` becomes the status of the call.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf import message_factory

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.service import CriService

RUNTIME = "runtime.v1.RuntimeService"
IMAGE = "runtime.v1.ImageService"


def add_runtime(service: CriService, server: grpc.aio.Server) -> None:
    """Serve `service` on `server` as RuntimeService."""
    add(pb.DESCRIPTOR.services_by_name["RuntimeService"], service, server)


def add_image(service: CriService, server: grpc.aio.Server) -> None:
    """Serve `service` on `server` as ImageService."""
    add(pb.DESCRIPTOR.services_by_name["ImageService"], service, server)


def add(description: Any, service: object, server: grpc.aio.Server) -> None:
    """Serve `service` on `server` as the service of a proto's description. No RPC may stream both
    ways.
    """
    handlers = {
        method.name: _handler(method, getattr(service, method_name(method.name)))
        for method in description.methods
    }
    generic = grpc.method_handlers_generic_handler(description.full_name, handlers)
    server.add_generic_rpc_handlers((generic,))


def method_name(rpc_name: str) -> str:
    """`RunPodSandbox` is `run_pod_sandbox`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", rpc_name).lower()


def _handler(method: Any, call: Callable[..., Awaitable[Any]]) -> grpc.RpcMethodHandler:
    request = message_factory.GetMessageClass(method.input_type)
    answer = message_factory.GetMessageClass(method.output_type)
    if method.client_streaming:
        kind = grpc.stream_unary_rpc_method_handler
    elif method.server_streaming:
        kind = grpc.unary_stream_rpc_method_handler
    else:
        kind = grpc.unary_unary_rpc_method_handler
    behaviour = _streaming(call) if method.server_streaming else _unary(call)
    return kind(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=answer.SerializeToString,
    )


def _unary(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def handle(request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            return await call(request)
        except rpc.Failure as failure:
            # abort() would raise an exception that knows these frames, and they it.
            context.set_code(_code(failure))
            context.set_details(failure.message)
            return None

    return handle


BEGUN = (("kubemu-begun", "1"),)
"""What the metadata of a stream says that has begun: one that is refused has none."""


def _streaming(call: Callable[..., Awaitable[Any]]) -> Callable[..., AsyncIterator[Any]]:
    async def handle(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        try:
            async with contextlib.aclosing(await call(request)) as stream:
                # Tells the caller that it hears of everything from now on: it may list.
                await context.send_initial_metadata(BEGUN)
                async for item in stream:
                    yield item
        except rpc.Failure as failure:
            await context.abort(_code(failure), failure.message)

    return handle


def _code(failure: rpc.Failure) -> grpc.StatusCode:
    return getattr(grpc.StatusCode, failure.code, grpc.StatusCode.UNKNOWN)
