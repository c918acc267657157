"""Where a node's kubelet listens, from its Node object. Pure.

Source: pkg/kubelet/client and pkg/util/node of kubernetes.
"""

from collections.abc import Sequence
from typing import Final

from cluster.api import errors, objects

ADDRESS_TYPES: Final = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")
PREFERRED: Final = ("InternalIP", "ExternalIP", "Hostname")
"""What kubeadm gives kube-apiserver as --kubelet-preferred-address-types: our nodes' names are in
no DNS, with which kube-apiserver's own default begins."""
KUBELET_PORT: Final = 10250
KUBELET_ADDRESS: Final = "kubemu.dev/kubelet-address"
"""The annotation of a node whose kubelet is at none of its addresses: those of hollow nodes are
made up.
"""


def address(node: objects.Object, preferred: Sequence[str] = PREFERRED) -> str:
    """`host:port` of a node's kubelet; IPv6 addresses in brackets. errors.InternalError."""
    host = _host(node, preferred)
    return f"{f'[{host}]' if ':' in host else host}:{port(node)}"


def port(node: objects.Object) -> int:
    """The kubelet's port; the usual one where the node says none."""
    endpoints = node.get("status", {}).get("daemonEndpoints") or {}
    return int((endpoints.get("kubeletEndpoint") or {}).get("Port") or KUBELET_PORT)


def _host(node: objects.Object, preferred: Sequence[str]) -> str:
    own = (node.get("metadata", {}).get("annotations") or {}).get(KUBELET_ADDRESS)
    if own:
        return str(own)
    known = node.get("status", {}).get("addresses") or []
    for kind in preferred:
        for each in known:
            if each.get("type") == kind and each.get("address"):
                return str(each["address"])
    shown = " ".join(f"{{{each.get('type')} {each.get('address')}}}" for each in known)
    raise errors.InternalError(f"no preferred addresses found; known addresses: [{shown}]")
