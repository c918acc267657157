"""A kubelet as the API server sees it: `cluster.v1.Kubelet` on messages, and who connects to it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from cluster.api import objects
from cluster.pb.cluster.v1 import kubelet_pb2 as pb


class Unreachable(Exception):
    """No connection to a kubelet; the message is Go's (`dial tcp ADDRESS: connect: …`)."""


class Kubelet(Protocol):
    """The service, as methods on messages. A call fails with errors.StatusError or rpc.Failure.

    Leaving an iteration early (`aclose`) ends the call.
    """

    def logs(self, request: pb.LogsRequest) -> AsyncIterator[pb.LogsResponse]:
        """See the proto."""

    def exec(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        """See the proto."""

    def attach(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        """See the proto."""

    def port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """See the proto."""

    async def page(self, request: pb.PageRequest) -> pb.PageResponse:
        """See the proto."""


class Connector(Protocol):
    """Reaches the kubelet of a node."""

    def kubelet(self, node: objects.Object) -> AbstractAsyncContextManager[Kubelet]:
        """The kubelet of a Node, connected for as long as the block lasts. Unreachable."""


class Nowhere:
    """A connector for an API server that was told of no way to kubelets."""

    def kubelet(self, node: objects.Object) -> AbstractAsyncContextManager[Any]:
        """Unreachable, always."""
        raise Unreachable("this API server was not told how to reach kubelets")
