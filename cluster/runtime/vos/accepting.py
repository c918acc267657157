"""The loop of a server: accept, and handle each connection in a task of its own."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from cluster.aio import tasks
from cluster.runtime.vos.sockets import Listener, Stream
from cluster.runtime.vos.waiting import Waiters

MAX_CONNECTIONS: Final = 256

Handle = Callable[[Stream], Awaitable[None]]


async def serve(listener: Listener, handle: Handle, *, most: int = MAX_CONNECTIONS) -> None:
    """Serve until the listener is closed (OSError EBADF) or this is cancelled.

    At most `most` connections are handled at once; the others wait in the backlog. A connection
    is closed when its handler returns; a handler's OSError is the client's affair.
    """
    done = Waiters()
    async with tasks.Group(f"port/{listener.local.port}") as group:
        try:
            while True:
                while len(group) >= most:
                    await done.wait()
                stream = await listener.accept()
                group.spawn(_handled(stream, handle, done), "connection")
        finally:
            group.cancel()


async def _handled(stream: Stream, handle: Handle, done: Waiters) -> None:
    try:
        await handle(stream)
    except OSError:
        pass  # It has gone, or it is too slow.
    except Exception:  # noqa: BLE001  (a program's fault ends its connection, not the server)
        structlog.get_logger().exception("an emulated server failed", port=stream.local.port)
        stream.abort()
    finally:
        stream.close()
        done.wake()
