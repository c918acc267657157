"""Health check node ports: a balancer asks a node whether it has endpoints of a Service whose
external policy is Local.

Source: k8s.io/kubernetes pkg/proxy/healthcheck (service_health.go). The ports are the node's own
and are answered without a listener, a task, or anything else at rest: the service table is looked
at when somebody asks. Whether kube-proxy itself is well is not the data plane's to know: what it
programmed last holds.
"""

import json
from typing import TYPE_CHECKING

from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.podsockets import Answering

if TYPE_CHECKING:
    pass


class HealthPorts:
    """Answers at the health check node ports of a service table."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._state = pb.ServicesState()
        self._names: dict[int, tuple[str, str]] = {}

    def answers(self, port: int) -> tuple[object, Answering] | None:
        """A connection to a port, and whose it is; None where the port is no such one."""
        self._look()
        if port not in self._names:
            return None
        return self, _Connection(self, port)

    def told(self, port: int) -> tuple[int, bytes]:
        """Status and body of an answer."""
        self._look()
        if port not in self._names:
            return 503, b""
        namespace, name = self._names[port]
        count = self._ready_here(namespace, name)
        text = json.dumps(
            {
                "service": {"namespace": namespace, "name": name},
                "localEndpoints": count,
                "serviceProxyHealthy": True,
            },
            indent="\t",
        )
        return (200 if count else 503), text.encode()

    def _ready_here(self, namespace: str, name: str) -> int:
        """How many of a Service's endpoints are ready on this node, over all of its ports."""
        return len({
            endpoint.address
            for service in self._plane.services.values()
            if service.name == name and service.namespace == namespace
            for endpoint in service.endpoints
            if endpoint.local and endpoint.ready
        })  # fmt: skip

    def _look(self) -> None:
        """Know the ports of the table as it is now."""
        state = self._plane.state
        if state != self._state:
            self._state = state
            self._names = {
                service.health_check_node_port: (service.namespace, service.name)
                for service in self._plane.services.values()
                if service.health_check_node_port
            }


class _Connection:
    """The server's side of one connection: HTTP/1.1. See `podsockets.Answering`."""

    def __init__(self, ports: HealthPorts, port: int) -> None:
        import h11  # here: few nodes are ever asked

        self._ports = ports
        self._port = port
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=16 << 10)
        self.closed = False

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; what is answered."""
        import h11

        made = b""
        try:
            self._http.receive_data(data)
            while not self.closed:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    break
                if event is h11.PAUSED:
                    self._http.start_next_cycle()
                elif isinstance(event, h11.ConnectionClosed):
                    self.closed = True
                elif isinstance(event, h11.EndOfMessage):
                    made += self._answer(*self._ports.told(self._port))
        except h11.RemoteProtocolError as error:
            self.closed = True
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                made += self._answer(error.error_status_hint, b"")
        return made

    def _answer(self, status: int, body: bytes) -> bytes:
        import h11

        headers = [
            ("Content-Type", "application/json"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(body))),
        ]
        events: tuple[h11.Event, ...] = (
            h11.Response(status_code=status, headers=headers, reason=_REASONS.get(status, "")),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        made = b"".join(self._http.send(event) or b"" for event in events)
        self.closed = self.closed or self._http.our_state is h11.MUST_CLOSE
        return made


_REASONS = {200: "OK", 400: "Bad Request", 503: "Service Unavailable"}
