"""The proxy subresource of pods, services and nodes: a request passed on, and its answer back.

Source: k8s.io/apimachinery/pkg/util/proxy/upgradeaware.go. A pod is reached by a connection that
its kubelet makes to its port; a node's pages are the kubelet's own.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

from aiohttp import web

from cluster.aio import rpc
from cluster.api import errors, objects
from cluster.apiserver.kubelets import location
from cluster.apiserver.kubelets.protocol import Connector, Unreachable
from cluster.apiserver.registry import Registry
from cluster.apiserver.rest import requests
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.streaming import (
    admission,
    endpoints,
    faults,
    pods,
    podstream,
    proxyheaders,
)
from cluster.apiserver.streaming.exchange import Garbled
from cluster.apiserver.streaming.passing import Passing
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import upgrade
from cluster.streams.forwarding import Target
from cluster.streams.sessions import Sessions

_SLICES: Final = "endpointslices.discovery.k8s.io"
_WELL_KNOWN: Final = {"http": 80, "https": 443}
_NO_BODY: Final = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a request goes: a port of a pod, by TLS or not."""

    pod: objects.Object
    port: int
    tls: bool

    @property
    def host(self) -> str:
        """`address:port`, as the pod would be addressed."""
        address = pods.address(self.pod)
        return f"{f'[{address}]' if ':' in address else address}:{self.port}"


class Proxies:
    """Proxies to what `registry` knows, by way of the kubelets that `connector` reaches."""

    def __init__(
        self, registry: Registry, connector: Connector, sessions: Sessions, random: Random
    ) -> None:
        self._registry = registry
        self._connector = connector
        self._sessions = sessions
        self._random = random

    async def proxy(self, call: Call) -> web.StreamResponse:
        """The proxy of a pod, a service or a node."""
        await admission.admitted_proxy(self._registry, call, proxyheaders.path(call))
        match call.target.resource.plural:
            case "nodes":
                return await self._to_node(call)
            case "services":
                way = await self._service(call)
            case _:
                way = await self._pod(call)
        path = proxyheaders.path(call)
        if not path and upgrade.kind(call.http) == "" and call.http.method in ("GET", "HEAD"):
            return _with_slash(call)
        return await self._to_pod(call, way, path or "/")

    async def _pod(self, call: Call) -> _Way:
        wanted = _request(call, "pod")
        pod = await self._get("pods", call.target.namespace, wanted.name)
        pods.address(pod)
        tls = wanted.scheme == "https"
        if not wanted.port:
            return _Way(pod, pods.first_port(pod) or (443 if tls else 80), tls)
        return _Way(pod, _number(wanted.port), tls)

    async def _service(self, call: Call) -> _Way:
        wanted, namespace = _request(call, "service"), call.target.namespace
        service = await self._get("services", namespace, wanted.name)
        port = endpoints.port_name(service, wanted.port)
        page = await self._registry.list(
            _SLICES, namespace, labels=f"kubernetes.io/service-name={wanted.name}"
        )
        found = endpoints.ready((entry.document() for entry in page.items), namespace, port)
        # From a random one on, the first whose pod is still there.
        start = self._random.randrange(len(found)) if found else 0
        for endpoint in found[start:] + found[:start]:
            with contextlib.suppress(errors.NotFound, errors.BadRequest):
                pod = await self._get("pods", namespace, endpoint.pod)
                pods.address(pod)
                return _Way(pod, endpoint.port, wanted.scheme == "https")
        raise errors.ServiceUnavailable(f'no endpoints available for service "{wanted.name}"')

    async def _to_pod(self, call: Call, way: _Way, path: str) -> web.StreamResponse:
        upgrading = "upgrade" in call.http.headers.get("Connection", "").lower()
        try:
            async with (
                self._sessions.session(call.http.protocol) as touch,
                self._reached(way) as stream,
            ):
                passing = Passing(call, way.host, stream, touch)
                return await passing.run(path, upgrading=upgrading)
        except (Unreachable, podstream.Refused) as error:
            if upgrading:
                raise faults.Unknown(f"error dialing backend: {error}") from None
            raise _trouble(error) from None
        except (Garbled, rpc.Failure) as error:
            raise _trouble(error) from None

    @asynccontextmanager
    async def _reached(self, way: _Way) -> AsyncIterator[podstream.Stream]:
        """A connection to the pod. Unreachable, Refused."""
        place = way.pod["metadata"]
        name = way.pod.get("spec", {}).get("nodeName", "")
        if not name:
            raise podstream.Refused(f"dial tcp {way.host}: connect: no route to host")
        node = await self._get("nodes", "", name)
        async with self._connector.kubelet(node) as kubelet:
            target = Target(kubelet, name, place["namespace"], place["name"], place["uid"])
            async with podstream.dial(target, way.port, tls=way.tls) as stream:
                yield stream

    async def _to_node(self, call: Call) -> web.StreamResponse:
        """A page of a kubelet."""
        wanted = _request(call, "node")
        node = await self._get("nodes", "", wanted.name)
        if wanted.port and wanted.port != str(location.port(node)):
            host = location.address(node).rpartition(":")[0]
            raise _trouble(f"dial tcp {host}:{wanted.port}: connect: connection refused")
        query = call.http.raw_path.partition("?")[2]
        path = proxyheaders.path(call)
        if not path and call.http.method in ("GET", "HEAD"):
            return _with_slash(call)
        request = pb.PageRequest(
            node=wanted.name,
            method=call.http.method,
            path=(path or "/") + (f"?{query}" if query else ""),
            body=b"" if call.http.method in _NO_BODY else await requests.raw(call),
        )
        try:
            async with (
                self._sessions.session(call.http.protocol),
                self._connector.kubelet(node) as kubelet,
            ):
                page = await kubelet.page(request)
        except (Unreachable, rpc.Failure) as error:
            raise _trouble(error) from None
        headers = {"Content-Type": page.content_type} if page.content_type else {}
        return web.Response(status=page.status or 200, body=page.body, headers=headers)

    async def _get(self, resource: str, namespace: str, name: str) -> objects.Object:
        found = await self._registry.get(resource, namespace, name)
        return found.document()


def _request(call: Call, kind: str) -> pods.Request:
    found = pods.request(call.target.name)
    if found is None:
        raise errors.BadRequest(f'invalid {kind} request "{call.target.name}"')
    return found


def _number(port: str) -> int:
    """A port that may be a name every Unix knows, as for Go's dialer."""
    if port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536:
        return int(port[:9])
    if port in _WELL_KNOWN:
        return _WELL_KNOWN[port]
    raise _trouble(f"dial tcp: lookup tcp/{port}: unknown port")


def _trouble(error: object) -> errors.ServiceUnavailable:
    return errors.ServiceUnavailable(f"error trying to reach service: {error}")


def _with_slash(call: Call) -> web.Response:
    """A proxy's root ends with a slash, or relative links in its page would lead beside it."""
    path, mark, query = call.http.raw_path.partition("?")
    return web.Response(status=301, headers={"Location": f"{path}/{mark}{query}"})
