"""Health check node ports: a balancer asks a node whether it has endpoints of a Service whose
external policy is Local.

Source: k8s.io/kubernetes pkg/proxy/healthcheck (service_health.go). The ports are the node's own
and are answered without a listener, a task, or anything else at rest: the service table is looked
at when somebody asks. Whether kube-proxy itself is well is not the data plane's to know: what it
programmed last holds.
"""

import json

from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.runtime.answering import Page, Pages
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.podsockets import Answering


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
        return self, Pages(lambda _path: Page(*self.told(port)))

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
