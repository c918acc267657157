"""exec, attach and port-forward by the URLs that a runtime gives. Failures are rpc.Failure."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from cluster.aio import rpc
from cluster.kubelet.cri import Cri
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cri.v1 import api_pb2 as cri_pb
from cluster.streams import commanding, dialing, portdialing


async def run(cri: Cri, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
    """Run a command in a container."""
    start = (await _first(inputs)).start
    request = cri_pb.ExecRequest(
        container_id=start.container.container, cmd=start.command, stdin=start.stdin,
        stdout=start.stdout, stderr=start.stderr and not start.tty, tty=start.tty,
    )  # fmt: skip
    url = (await cri.exec(request)).url
    return _carried(commanding.run(url, start, inputs))


async def attach(cri: Cri, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
    """Join a container's own streams."""
    start = (await _first(inputs)).start
    request = cri_pb.AttachRequest(
        container_id=start.container.container, stdin=start.stdin, stdout=start.stdout,
        stderr=start.stderr and not start.tty, tty=start.tty,
    )  # fmt: skip
    url = (await cri.attach(request)).url
    return _carried(commanding.run(url, start, inputs))


async def port_forward(
    cri: Cri, inputs: AsyncIterator[pb.PortForwardInput]
) -> AsyncIterator[pb.PortForwardOutput]:
    """Connect to a port in a sandbox."""
    start = (await _first(inputs)).start
    request = cri_pb.PortForwardRequest(pod_sandbox_id=start.pod, port=[start.port])
    url = (await cri.port_forward(request)).url
    return _carried(portdialing.run(url, start.port, inputs))


async def _first(inputs: AsyncIterator[Any]) -> Any:
    """What begins a stream. rpc.Failure where the client hangs up before."""
    async for one in inputs:
        return one
    raise rpc.Failure("CANCELLED", "the client left before it said what it wants")


async def _carried(outputs: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        async with contextlib.aclosing(outputs) as stream:  # type: ignore[type-var]
            async for one in stream:
                yield one
    except (dialing.Refused, OSError, TimeoutError) as error:
        raise rpc.Failure("UNKNOWN", str(error) or "the runtime does not answer") from error
