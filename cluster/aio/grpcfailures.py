"""Failed gRPC calls as the failure that knows no transport."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Protocol, TypeVar

import grpc

from cluster.aio import rpc

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Stream(AsyncIterable[T_co], Protocol[T_co]):
    """A call that answers more than once."""

    def cancel(self) -> bool:
        """Have no more of it."""
        ...


def failure(error: grpc.aio.AioRpcError) -> rpc.Failure:
    """What a caller in the same process would have been told."""
    return rpc.Failure(error.code().name, error.details() or "")


async def answered(call: Awaitable[T]) -> T:
    """The answer of a call. rpc.Failure."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise failure(error) from error


async def streamed(call: Stream[T]) -> AsyncIterator[T]:
    """The answers of a call, which ends when nobody wants more of them. rpc.Failure."""
    try:
        async for one in call:
            yield one
    except grpc.aio.AioRpcError as error:
        raise failure(error) from error
    finally:
        call.cancel()
