"""A runtime whose calls are counted and timed."""

import asyncio
import re
from typing import Any, Final, cast

from cluster.aio import rpc
from cluster.kubelet.cri import Cri
from cluster.kubelet.figures import Figures

_STREAMS: Final = frozenset({"get_container_events", "read_log"})
_RENAMED: Final = {"update_container_resources": "update_container"}


def measured(cri: Cri, figures: Figures) -> Cri:
    """The same runtime; what is no call of CRI is passed through."""
    return cast("Cri", _Measured(cri, figures))


def operation(name: str) -> str:
    """What metrics call an operation: `podsandbox_status`, `create_container`."""
    return _RENAMED.get(name) or re.sub("pod_sandbox", "podsandbox", name)


class _Measured:
    def __init__(self, cri: Cri, figures: Figures) -> None:
        self._cri = cri
        self._figures = figures

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cri, name)
        if not asyncio.iscoroutinefunction(found) or name.startswith("stream_") or name in _STREAMS:
            return found
        kind, figures = operation(name), self._figures

        async def carry(request: Any) -> Any:
            time = asyncio.get_running_loop().time
            began = time()
            figures.count("kubelet_runtime_operations_total", kind)
            try:
                return await found(request)
            except rpc.Failure:
                figures.count("kubelet_runtime_operations_errors_total", kind)
                raise
            finally:
                took = time() - began
                figures.observe("kubelet_runtime_operations_duration_seconds", took, kind)

        self.__dict__[name] = carry
        return carry
