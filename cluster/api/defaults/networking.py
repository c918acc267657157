"""Defaults of the group `networking.k8s.io` (pkg/apis/networking/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object


def network_policy(obj: Object) -> None:
    """Ports are TCP's; a policy is about ingress, and about egress where it has rules for it."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def ingress_class(obj: Object) -> None:
    """Parameters are found in the cluster, unless told otherwise."""
    parameters = (obj.get("spec") or {}).get("parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "ingressclasses.networking.k8s.io": ingress_class,
    "networkpolicies.networking.k8s.io": network_policy,
}
