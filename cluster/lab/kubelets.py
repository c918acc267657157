"""The lab's way to kubelets: their service objects, while their kubelets run."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from cluster.api import objects
from cluster.apiserver.kubelets.protocol import Kubelet, Unreachable
from cluster.lab.parts import Part


class LabConnector:
    """An `apiserver.kubelets.protocol.Connector` over the lab's parts."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts

    @asynccontextmanager
    async def kubelet(self, node: objects.Object) -> AsyncIterator[Kubelet]:
        """The kubelet of a node. Unreachable while it is down."""
        part = self._parts.get(f"kubelet/{objects.name(node)}")
        if part is None or part.component is None:
            raise Unreachable(f"dial tcp {objects.name(node)}:10250: connect: connection refused")
        yield part.component.service
