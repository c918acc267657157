"""A part's calls to its node's runtime: none comes from a killed caller, and no answer of a killed
runtime arrives.
"""

from collections.abc import Callable
from typing import Any

from cluster.aio import rpc
from cluster.lab.rough.crossings import Crossings
from cluster.lab.wire import Socket


class Line:
    """Passes calls on to `socket` for one life of the part that has it."""

    def __init__(self, socket: Socket, part: str, crossings: Crossings) -> None:
        self._socket = socket
        self._part = part
        self._crossings = crossings
        self._cut = False

    def cut(self) -> None:
        """The part is gone."""
        self._cut = True

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        method = getattr(self._socket, name)

        async def call(request: Any) -> Any:
            self._crossings.crossed(self._part)
            self._check(None)
            service = self._socket.service
            answer = await method(request)
            self._crossings.crossed(self._part)
            self._check(service)
            return answer

        return call

    def _check(self, service: object) -> None:
        if self._cut:
            raise rpc.Failure("UNAVAILABLE", f"{self._part} was killed")
        if service is not None and self._socket.service is not service:
            raise rpc.Failure("UNAVAILABLE", "the runtime died with the call")
