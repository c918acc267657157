"""A gRPC call with streams both ways, of which neither end's haste loses what the other has said.

grpc.aio throws away the answers that are not read yet where a request is written just when the
server has ended the call: what a server says as it hangs up is lost. Here such a write is no more
than the end of the writing.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc

from cluster.aio import tasks


async def answers(call: Any) -> AsyncGenerator[Any, None]:
    """The answers of a call, to the server's end. grpc.aio.AioRpcError.

    The call's own iterator holds the call, which holds it: left early, both would keep the buffers
    of gRPC, some 16 KiB, until the collector comes.
    """
    while (answer := await call.read()) is not grpc.aio.EOF:
        yield answer


async def exchange(method: Any, inputs: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """The answers of `method` (a stream-stream multi-callable) to `inputs`, to the server's end.

    grpc.aio.AioRpcError. Leaving it early cancels the call.
    """
    call = method()
    try:
        async with tasks.Group("grpc stream") as group:
            writing = group.spawn(_write(call, inputs), "requests")
            async for answer in answers(call):
                yield answer
            writing.cancel()
    finally:
        call.cancel()


async def _write(call: Any, inputs: AsyncIterator[Any]) -> None:
    try:
        await call.wait_for_connection()
        async for item in inputs:
            # Not `call.write`: see above. Its failure is told by the call's own status.
            raw = call._request_serializer(item)  # noqa: SLF001
            await call._cython_call.send_serialized_message(raw)  # noqa: SLF001
        await call.done_writing()
    except (grpc.aio.AioRpcError, grpc.aio.InternalError, grpc.aio.UsageError):
        return
