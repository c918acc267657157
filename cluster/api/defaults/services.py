"""Defaults of Service (SetDefaults_Service in pkg/apis/core/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object

CLIENT_IP_TIMEOUT: Final = 10800  # seconds: DefaultClientIPServiceAffinitySeconds
_EXTERNAL: Final = ("NodePort", "LoadBalancer")


def service(obj: Object) -> None:
    """Type, affinity, ports and traffic policies."""
    spec = obj.setdefault("spec", {})
    spec["type"] = spec.get("type") or "ClusterIP"
    _affinity(spec)
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
    kind = spec["type"]
    if (kind in _EXTERNAL or spec.get("externalIPs")) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in ("ClusterIP", *_EXTERNAL):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        _ingress(obj)


def _affinity(spec: Object) -> None:
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        seconds = config.get("timeoutSeconds", CLIENT_IP_TIMEOUT)
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": seconds}}


def _ingress(obj: Object) -> None:
    balancer = (obj.get("status") or {}).get("loadBalancer") or {}
    for ingress in balancer.get("ingress") or ():
        if ingress.get("ip"):
            ingress.setdefault("ipMode", "VIP")


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {"services": service}
