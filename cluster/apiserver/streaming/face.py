"""What the router calls for log, exec, attach and portforward of pods.

What is wrong before the connection is upgraded is an ordinary Status; what goes wrong later is told
on the stream that the protocol has for it. Words: kube-apiserver's and the kubelet's.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web

from cluster.aio import rpc
from cluster.api import errors, objects
from cluster.apiserver.kubelets import location
from cluster.apiserver.kubelets.protocol import Connector, Kubelet, Unreachable
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.streaming import (
    admission,
    channels,
    commandclients,
    faults,
    forwarding,
    logs,
    options,
    pipes,
    pods,
    remotecommand,
    upgrade,
)
from cluster.apiserver.streaming.options import Command
from cluster.apiserver.streaming.sessions import Sessions
from cluster.apiserver.streaming.spdy.connection import Connection
from cluster.apiserver.streaming.spdy.faults import Malformed
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

Touch = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Way:
    """How a client forwards: by a `version` of SPDY, by channels of a `protocol` for `ports`, or,
    with neither, by SPDY in WebSocket messages.
    """

    version: str = ""
    protocol: channels.Protocol | None = None
    ports: tuple[int, ...] = ()


class Streams:
    """Streams of pods of `registry`, by way of the kubelets that `connector` reaches."""

    def __init__(self, registry: Registry, connector: Connector, sessions: Sessions) -> None:
        self._registry = registry
        self._connector = connector
        self._sessions = sessions
        self._log = structlog.get_logger().bind(component="apiserver")

    async def log(self, call: Call) -> web.StreamResponse:
        """pods/log."""
        wanted = options.log(_values(call), call.target.name)
        pod = await self._pod(call)
        container = pods.container(pod, wanted.container)
        if not pod.get("spec", {}).get("nodeName"):
            return logs.empty()
        node = await self._node(pod)
        page = f"containerLogs/{call.target.namespace}/{call.target.name}/{container}"
        request = logs.request(wanted, pods.reference(pod, container))
        try:
            async with (
                self._sessions.session(call.http.protocol) as touch,
                self._connector.kubelet(node) as kubelet,
            ):
                return await logs.answer(call.http, kubelet.logs(request), touch)
        except Unreachable as error:
            url = f"https://{location.address(node)}/{page}"
            raise faults.Unknown(f'Get "{url}": {error}') from None
        except rpc.Failure as failure:
            raise faults.Unknown(failure.text) from None

    async def exec(self, call: Call) -> web.StreamResponse:
        """pods/exec."""
        values = await admission.admitted(self._registry, call, "PodExecOptions", _values(call))
        wanted = options.exec_(values)
        return await self._command(call, wanted, remotecommand.EXECUTING)

    async def attach(self, call: Call) -> web.StreamResponse:
        """pods/attach."""
        values = await admission.admitted(self._registry, call, "PodAttachOptions", _values(call))
        wanted = options.attach(values)
        return await self._command(call, wanted, remotecommand.ATTACHING)

    async def port_forward(self, call: Call) -> web.StreamResponse:
        """pods/portforward."""
        kind_of = "PodPortForwardOptions"
        values = await admission.admitted(self._registry, call, kind_of, _values(call))
        kind = upgrade.kind(call.http)
        if not kind:
            raise upgrade.required()
        way = _forwarding(call, kind, values)
        pod = await self._pod(call)
        async with self._connected(call, pod) as (kubelet, touch):
            place = pod["metadata"]
            target = forwarding.Target(
                kubelet, pod["spec"]["nodeName"], place["namespace"], place["name"], place["uid"]
            )
            if kind == "spdy":
                pipe = upgrade.spdy(call.http, way.version)
                served = forwarding.SpdyForwarding(Connection(pipe), target, touch)
                try:
                    await self._to_the_end(served.run())
                finally:
                    pipe.close()
                return upgrade.Taken()
            name = way.protocol.name if way.protocol is not None else upgrade.TUNNEL
            socket = await upgrade.websocket(call.http, name)
            if way.protocol is not None:
                channel = forwarding.ChannelForwarding(
                    socket, way.protocol, target, way.ports, touch
                )
                await self._to_the_end(channel.run())
            else:
                connection = Connection(pipes.MessagePipe(socket))
                tunnelled = forwarding.SpdyForwarding(connection, target, touch)
                await self._to_the_end(tunnelled.run())
            await self._to_the_end(socket.close())
            return socket

    async def _command(self, call: Call, wanted: Command, doing: str) -> web.StreamResponse:
        kind = upgrade.kind(call.http)
        if not kind:
            raise upgrade.required()
        pod = await self._pod(call)
        container = pods.container(pod, wanted.container)
        pods.node_name(pod)
        start = pb.StreamStart(
            container=pods.reference(pod, container),
            command=wanted.command,
            stdin=wanted.stdin,
            stdout=wanted.stdout,
            stderr=wanted.stderr,
            tty=wanted.tty,
        )
        protocol, version = None, ""
        if kind == "websocket":
            protocol = _chosen(upgrade.subprotocols(call.http), channels.FOR_COMMANDS)
        else:
            version = _version(call.http, commandclients.SPDY_VERSIONS)
        async with self._connected(call, pod) as (kubelet, touch):
            run = kubelet.exec if doing == remotecommand.EXECUTING else kubelet.attach
            job = remotecommand.Job(run, start, doing, touch)
            if protocol is None:
                return await self._by_spdy(call, wanted, version, job)
            socket = await upgrade.websocket(call.http, protocol.name)
            client = commandclients.ChannelClient(socket, protocol, wanted)
            await self._to_the_end(_by_channels(client, job))
            return socket

    async def _by_spdy(
        self, call: Call, wanted: Command, version: str, job: remotecommand.Job
    ) -> web.StreamResponse:
        pipe = upgrade.spdy(call.http, version)
        client = commandclients.SpdyClient(Connection(pipe), version, wanted)
        try:
            await self._to_the_end(client.served(job))
        finally:
            pipe.close()
        return upgrade.Taken()

    async def _to_the_end(self, work: Any) -> None:
        """Serve an upgraded connection: no Status can be answered any more."""
        try:
            await work
        except (ConnectionError, TimeoutError, Malformed):
            return  # the client is gone, or speaks in tongues
        except Exception as error:  # noqa: BLE001  (a fault must not end the server)
            self._log.error("stream failed unexpectedly", exc_info=error)

    @asynccontextmanager
    async def _connected(
        self, call: Call, pod: objects.Object
    ) -> AsyncIterator[tuple[Kubelet, Touch]]:
        """The kubelet of a pod, for as long as the client stays."""
        pods.node_name(pod)
        node = await self._node(pod)
        try:
            async with (
                self._sessions.session(call.http.protocol) as touch,
                self._connector.kubelet(node) as kubelet,
            ):
                yield kubelet, touch
        except Unreachable as error:
            raise faults.Unknown(f"error dialing backend: {error}") from None

    async def _pod(self, call: Call) -> objects.Object:
        found = await self._registry.get("pods", call.target.namespace, call.target.name)
        return found.document()

    async def _node(self, pod: objects.Object) -> objects.Object:
        found = await self._registry.get("nodes", "", pods.node_name(pod))
        return found.document()


async def _by_channels(client: commandclients.ChannelClient, job: remotecommand.Job) -> None:
    await client.greet()
    await remotecommand.run(client, job)


def _forwarding(call: Call, kind: upgrade.Kind, values: options.Values) -> _Way:
    """errors.BadRequest, errors.Forbidden where the client wants what is not served."""
    if kind == "spdy":
        return _Way(_version(call.http, forwarding.SPDY_VERSIONS))
    offered = upgrade.subprotocols(call.http)
    if upgrade.TUNNEL in offered:
        return _Way()
    return _Way("", _chosen(offered, channels.FOR_PORTS), options.ports(values))


def _values(call: Call) -> options.Values:
    return options.values(call.http.raw_path.partition("?")[2])


def _chosen(offered: list[str], known: tuple[channels.Protocol, ...]) -> channels.Protocol:
    found = channels.choose(offered, known)
    if found is None:
        names = " ".join(protocol.name for protocol in known)
        why = f"requested protocol(s) are not supported: [{' '.join(offered)}]; supports [{names}]"
        raise errors.BadRequest(f"unable to upgrade websocket connection: {why}")
    return found


def _version(http: web.BaseRequest, known: tuple[str, ...]) -> str:
    """The SPDY protocol version to speak; the oldest where the client offers none."""
    offered = upgrade.stream_versions(http)
    if not offered:
        return known[-1]
    for version in offered:
        if version in known:
            return version
    raise upgrade.unsupported(offered, known)
