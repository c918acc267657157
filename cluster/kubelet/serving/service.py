"""cluster.v1.Kubelet as an object: for the node, or all the nodes, of this process.

Methods are async generators on messages; failures are errors.StatusError, or the rpc.Failure of a
runtime. Leaving one early ends what it began.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from cluster.aio import clock as clocks
from cluster.api import errors, timestamps
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.serving import facts, finding, logpage, logreading, logtext, pages, usage
from cluster.kubelet.serving.loads import Loads
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

_START_SECONDS: Final = 30.0


class KubeletService:
    """`agents` are the nodes by name; the mapping may grow. `loads` knows what pods share."""

    def __init__(
        self, agents: Mapping[str, NodeAgent], clock: clocks.Clock, loads: Loads | None = None
    ) -> None:
        self._loads = loads
        self._agents = agents
        self._clock = clock

    async def logs(self, request: pb.LogsRequest) -> AsyncIterator[pb.LogsResponse]:
        """A container's log."""
        ref = request.container
        agent = finding.agent(self._agents, ref.node)
        pod = finding.pod(agent, ref.namespace, ref.pod, ref.uid)
        container = finding.logged(pod, ref.container, previous=request.previous)
        wanted = self._wanted(request)
        chunks = logreading.read(agent.cri, container, request, wanted, agent.scheme)
        async with contextlib.aclosing(chunks) as stream:  # type: ignore[type-var]
            async for data in stream:
                yield pb.LogsResponse(data=data)

    async def exec(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        """Run a command in a container."""
        first = await _first(inputs)
        agent = await self._resolve(first.start)
        async for output in _carried(agent.cri.stream_exec, first, inputs):
            yield output

    async def attach(self, inputs: AsyncIterator[pb.StreamInput]) -> AsyncIterator[pb.StreamOutput]:
        """Join a container's own streams."""
        first = await _first(inputs)
        agent = await self._resolve(first.start)
        async for output in _carried(agent.cri.stream_attach, first, inputs):
            yield output

    async def port_forward(
        self, inputs: AsyncIterator[pb.PortForwardInput]
    ) -> AsyncIterator[pb.PortForwardOutput]:
        """Connect to a port of a pod."""
        first = await _first(inputs)
        start = first.start
        agent = finding.agent(self._agents, start.node)
        pod = finding.pod(agent, start.namespace, start.pod, start.uid)
        start.pod = (await finding.sandbox(agent.cri, pod)).id
        async for output in _carried(agent.cri.stream_port_forward, first, inputs):
            yield output

    async def page(self, request: pb.PageRequest) -> pb.PageResponse:
        """A page of the kubelet's HTTP server."""
        agent = finding.agent(self._agents, request.node)
        path, now = pages.path_of(request), self._clock.now()
        if path.startswith(logpage.PREFIX):
            return await logpage.page(request, self.logs)
        if path not in pages.MEASURED:
            return pages.page(agent, request, facts.Facts(now))
        used = await usage.of(agent)
        if self._loads is not None:
            used = await self._loads.added(agent, used)
        return pages.page(agent, request, await facts.gather(agent, used, now))

    # ------------------------------------------------------------------------------------------

    async def _resolve(self, start: pb.StreamStart) -> NodeAgent:
        """Put the container's id where the runtime looks for it; whose container it is."""
        ref = start.container
        agent = finding.agent(self._agents, ref.node)
        pod = finding.pod(agent, ref.namespace, ref.pod, ref.uid)
        ref.container = (await finding.running(agent.cri, pod, ref.container)).id
        return agent

    def _wanted(self, request: pb.LogsRequest) -> logtext.Wanted:
        since = ""
        try:
            if request.since_time:
                since = _stamp(timestamps.decode(request.since_time))
            elif request.HasField("since_seconds"):
                since = _stamp(self._clock.now() - request.since_seconds)
            return logtext.Wanted(
                since.encode(), request.timestamps, logtext.stream(request.stream)
            )
        except (ValueError, KeyError, OverflowError) as error:
            raise errors.BadRequest(f"invalid log options: {error}") from error


def _stamp(seconds: float) -> str:
    """A moment that sorts as the moments of a log do."""
    return timestamps.encode_micro(max(seconds, 0.0)).removesuffix("Z")


async def _first(inputs: AsyncIterator[Any]) -> Any:
    """The first input, which says what is wanted. errors.BadRequest."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            found = await anext(inputs, None)
    except TimeoutError:
        found = None
    if found is None or found.WhichOneof("input") != "start":
        raise errors.BadRequest("the first input has to be the start")
    return found


async def _carried(
    call: Callable[[Any], Awaitable[AsyncIterator[Any]]],
    first: Any,
    inputs: AsyncIterator[Any],
) -> AsyncIterator[Any]:
    """Carry a stream to the runtime and its outputs back."""
    outputs = await call(_with(first, inputs))
    async with contextlib.aclosing(outputs) as stream:  # type: ignore[type-var]
        async for output in stream:
            yield output


async def _with(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for one in rest:
        yield one
