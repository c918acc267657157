"""Builders that the proxy's tests share: Services, EndpointSlices, what is read from entries."""

from typing import Any

from cluster.pb.cluster.v1 import dataplane_pb2 as pb

Json = dict[str, Any]


def service(name: str = "web", *, status: Json | None = None, **spec: Any) -> Json:
    given = {
        "type": "ClusterIP",
        "clusterIP": "10.96.0.10",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": given | spec,
        "status": status or {},
    }


def endpoint(address: str, node: str = "node-1", **conditions: bool | None) -> Json:
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def endpoint_slice(
    name: str, *endpoints: Json, service: str = "web", ports: list[Json] | None = None,
    address_type: str = "IPv4",
) -> Json:  # fmt: skip
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": address_type,
        "ports": ports or [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def takers(entry: pb.ServicePort, what: str = "internal") -> list[str]:
    return [f"{one.address}:{one.port}" for one in entry.endpoints if getattr(one, what)]
