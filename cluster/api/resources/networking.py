"""The group `networking.k8s.io`."""

from cluster.api.resources.model import META, NAME, Resource

_GROUP = "networking.k8s.io"
_RANGES_SINCE = 33
"""The minor version that serves IPAddress and ServiceCIDR."""

ROWS: tuple[Resource, ...] = (
    Resource(
        _GROUP, "v1", "Ingress", "ingresses", short_names=("ing",), subresources=("status",),
        fields=META,
    ),
    Resource(_GROUP, "v1", "IngressClass", "ingressclasses", namespaced=False, fields=NAME),
    Resource(
        _GROUP, "v1", "IPAddress", "ipaddresses", namespaced=False, short_names=("ip",),
        fields=NAME, since=_RANGES_SINCE,
    ),
    Resource(
        _GROUP, "v1", "NetworkPolicy", "networkpolicies", short_names=("netpol",), fields=META
    ),
    Resource(
        _GROUP, "v1", "ServiceCIDR", "servicecidrs", namespaced=False, subresources=("status",),
        fields=NAME, since=_RANGES_SINCE,
    ),
)  # fmt: skip
