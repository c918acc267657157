"""What the router calls for log, exec, attach and portforward of pods.

What is wrong before the connection is upgraded is an ordinary Status; what goes wrong later is told
on the stream that the protocol has for it. Words: kube-apiserver's and the kubelet's.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from cluster.aio import rpc
from cluster.api import objects
from cluster.apiserver.kubelets import location
from cluster.apiserver.kubelets.protocol import Connector, Kubelet, Unreachable
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.streaming import (
    admission,
    faults,
    logs,
    pods,
)
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import forwarding, options, remotecommand, serving, upgrade
from cluster.streams.options import Command
from cluster.streams.sessions import Sessions

Touch = Callable[[], None]


class Streams:
    """Streams of pods of `registry`, by way of the kubelets that `connector` reaches."""

    def __init__(self, registry: Registry, connector: Connector, sessions: Sessions) -> None:
        self._registry = registry
        self._connector = connector
        self._sessions = sessions

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
        way = serving.for_ports(call.http, values)
        pod = await self._pod(call)
        async with self._connected(call, pod) as (kubelet, touch):
            place = pod["metadata"]
            target = forwarding.Target(
                kubelet, pod["spec"]["nodeName"], place["namespace"], place["name"], place["uid"]
            )
            return await serving.ports(call.http, way, target, touch)

    async def _command(self, call: Call, wanted: Command, doing: str) -> web.StreamResponse:
        if not upgrade.kind(call.http):
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
        way = serving.for_commands(call.http)
        async with self._connected(call, pod) as (kubelet, touch):
            run = kubelet.exec if doing == remotecommand.EXECUTING else kubelet.attach
            job = remotecommand.Job(run, start, doing, touch)
            return await serving.command(call.http, way, wanted, job)

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


def _values(call: Call) -> options.Values:
    return options.values(call.http.raw_path.partition("?")[2])
