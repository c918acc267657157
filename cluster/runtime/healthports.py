"""Health check node ports: a balancer asks a node whether it has endpoints of a Service whose
external policy is Local.

Source: k8s.io/kubernetes pkg/proxy/healthcheck (service_health.go). The ports are the node's own
and are answered without a listener, a task, or anything else at rest: the service table is looked
at when somebody asks. Whether kube-proxy itself is well is not the data plane's to know: what it
programmed last holds.
"""

import json
from collections.abc import Iterable

from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.runtime.answering import Page, Pages
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.podsockets import Answering


class HealthPorts:
    """Answers at the health check node ports of a service table."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._state = pb.ServicesState()
        self._services: dict[int, list[pb.ServicePort]] = {}
        """All ports of the Services that have a health check node port, by that port."""

    def answers(self, port: int) -> tuple[object, Answering] | None:
        """A connection to a port, and whose it is; None where the port is no such one."""
        self._look()
        if port not in self._services:
            return None
        return self, Pages(lambda _path: Page(*self.told(port)))

    def told(self, port: int) -> tuple[int, bytes]:
        """Status and body of an answer."""
        self._look()
        services = self._services.get(port)
        if services is None:
            return 503, b""
        count = _ready_here(services)
        text = json.dumps(
            {
                "service": {"namespace": services[0].namespace, "name": services[0].name},
                "localEndpoints": count,
                "serviceProxyHealthy": True,
            },
            indent="\t",
        )
        return (200 if count else 503), text.encode()

    def _look(self) -> None:
        """Know the ports of the table as it is now."""
        state = self._plane.state
        if state == self._state:
            return
        self._state = state
        self._services = {}
        for service in self._plane.services.values():
            if port := service.health_check_node_port:
                self._services.setdefault(port, []).append(service)


def _ready_here(services: Iterable[pb.ServicePort]) -> int:
    """How many endpoints of a Service are ready on this node, over all of its ports."""
    return len({
        endpoint.address
        for service in services
        for endpoint in service.endpoints
        if endpoint.local and endpoint.ready
    })  # fmt: skip
