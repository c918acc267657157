"""A channel whose certificates may be exchanged: what is asked from then on goes by a new one.

What is under way on the old one has GRACE_SECONDS to end; a watch is cut then, and goes on by the
new one from where it was, as after any connection that is lost.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Self

from cluster.aio import tasks
from cluster.api import errors

GRACE_SECONDS: Final = 5.0


class RenewingChannel:
    """Stands for a `grpc.aio.Channel` that `make` makes, anew at each `renew`.

    Use it inside `async with`. It has what stubs ask of a channel.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._group = tasks.Group("channels")
        self.present: Any = make()
        self.generation = 0

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.present.close()
        await self._group.__aexit__(None, None, None)

    def renew(self) -> None:
        """From now on calls go by a channel that is made now."""
        before, self.present = self.present, self._make()
        self.generation += 1
        self._group.spawn(before.close(GRACE_SECONDS), f"close {self.generation}")

    def unary_unary(self, *about: Any, **more: Any) -> "_Method":
        """See grpc.aio.Channel."""
        return _Method(self, "unary_unary", about, more)

    def unary_stream(self, *about: Any, **more: Any) -> "_Method":
        """See grpc.aio.Channel."""
        return _Method(self, "unary_stream", about, more)

    def stream_unary(self, *about: Any, **more: Any) -> "_Method":
        """See grpc.aio.Channel."""
        return _Method(self, "stream_unary", about, more)

    def stream_stream(self, *about: Any, **more: Any) -> "_Method":
        """See grpc.aio.Channel."""
        return _Method(self, "stream_stream", about, more)

    def get_state(self, try_to_connect: bool = False) -> Any:
        """See grpc.aio.Channel."""
        return self.present.get_state(try_to_connect)


class _Method:
    """One method of a stub, by whichever channel is the present one."""

    __slots__ = ("_about", "_channel", "_generation", "_kind", "_method", "_more")

    def __init__(
        self, channel: RenewingChannel, kind: str, about: tuple[Any, ...], more: dict[str, Any]
    ) -> None:
        self._channel = channel
        self._kind, self._about, self._more = kind, about, more
        self._generation = -1
        self._method: Any = None

    def __call__(self, *given: Any, **more: Any) -> Any:
        channel = self._channel
        if self._generation != channel.generation:
            self._generation = channel.generation
            self._method = getattr(channel.present, self._kind)(*self._about, **self._more)
        return self._method(*given, **more)


def cut() -> BaseException:
    """What a call that was cancelled should raise: for grpc.aio raises the same where the task is
    cancelled and where only its channel was closed.
    """
    task = asyncio.current_task()
    if task is None or task.cancelling():
        return asyncio.CancelledError()
    return errors.ServiceUnavailable("the connection was exchanged for another one")
