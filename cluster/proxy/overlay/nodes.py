"""Nodes as the overlay sees them: pure. Annotations are flannel's, and ours where it has none.

A node tells the others how it is reached by annotations of its Node; whoever reads them knows the
node as a peer. A node without them is none yet.
"""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import conditions, objects
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.overlay.policies.pods import is_ipv4

_PREFIX: Final = "flannel.alpha.coreos.com"
BACKEND_TYPE: Final = f"{_PREFIX}/backend-type"
BACKEND_DATA: Final = f"{_PREFIX}/backend-data"
PUBLIC_IP: Final = f"{_PREFIX}/public-ip"
MANAGED: Final = f"{_PREFIX}/kube-subnet-manager"
UNDERLAY: Final = "kubemu.dev/underlay"
"""What differs from what flannel takes for granted: `host`, `vxlanPort`, `cablePort`, `turbo`."""

VNI: Final = 1
VXLAN_PORT: Final = 4789
CABLE_PORT: Final = 4790
_LAST_PORT: Final = 65535
_LAST_VNI: Final = (1 << 24) - 1

BACKENDS: Final = {"vxlan": pb.VXLAN, "routed": pb.ROUTED, "mesh": pb.MESH}
"""Back ends by name, as --network-backend has them."""
_UP: Final = {
    pb.VXLAN: ("FlannelIsUp", "Flannel is running on this node"),
    pb.ROUTED: ("CalicoIsUp", "Calico is running on this node"),
    pb.MESH: ("WeaveIsUp", "Weave pod has set this"),
}
NETWORK_UNAVAILABLE: Final = "NetworkUnavailable"
_OURS: Final = (BACKEND_TYPE, BACKEND_DATA, PUBLIC_IP, MANAGED, UNDERLAY)


@dataclass(frozen=True, slots=True)
class Own:
    """What the agent has to know of its own Node."""

    address: str
    network: str
    annotations: Mapping[str, str | None]
    """Those that are the agent's; None: it is not there."""
    condition: Mapping[str, str]
    """The condition NetworkUnavailable as it is, or nothing."""


def own(node: Mapping[str, Any]) -> Own:
    """The node of the agent itself. Address and network are "" until it has them."""
    annotations = objects.annotations(node)
    return Own(
        _address(node), _network(node), {key: annotations.get(key) for key in _OURS},
        conditions.find(node, NETWORK_UNAVAILABLE) or {},
    )  # fmt: skip


Said = tuple[str | None, ...]


def said(node: Mapping[str, Any]) -> Said:
    """All that `peer` goes by."""
    get, spec = objects.annotations(node).get, objects.spec(node)
    told = get(PUBLIC_IP), get(BACKEND_TYPE), get(BACKEND_DATA), get(UNDERLAY)
    return *told, *(spec.get("podCIDRs") or (spec.get("podCIDR"),))


def peer(node: Mapping[str, Any], backend: pb.Backend) -> pb.Peer | None:
    """Another node; None where it is no peer of this back end (yet)."""
    annotations = objects.annotations(node)
    address, network = annotations.get(PUBLIC_IP) or "", _network(node)
    same = BACKENDS.get(annotations.get(BACKEND_TYPE) or "") == backend
    if not same or not network or not is_ipv4(address):
        return None
    data, ways = _json(annotations.get(BACKEND_DATA)), _json(annotations.get(UNDERLAY))
    mac = _mac(data.get("VtepMAC"))
    if not mac and backend != pb.ROUTED:
        return None
    return pb.Peer(
        name=objects.name(node),
        address=address,
        host=_text(ways.get("host")),
        vxlan_port=_number(ways.get("vxlanPort"), VXLAN_PORT, _LAST_PORT),
        cable_port=_number(ways.get("cablePort"), CABLE_PORT, _LAST_PORT),
        vni=_number(data.get("VNI"), VNI, _LAST_VNI),
        vtep_mac=mac,
        network=network,
        turbo=ways.get("turbo") is True,
    )


def annotations(settings: pb.OverlaySettings, vtep: pb.Vtep) -> dict[str, str | None]:
    """What a node tells of itself; None: nothing that differs from what is usual."""
    names = {number: name for name, number in BACKENDS.items()}
    data: dict[str, Any] | None = None
    if settings.backend != pb.ROUTED:
        data = {"VNI": settings.vni or VNI, "VtepMAC": vtep.mac.hex(":")}
    ways: dict[str, Any] = {}
    if vtep.host and vtep.host != settings.address:
        ways["host"] = vtep.host
    if vtep.vxlan_port != VXLAN_PORT:
        ways["vxlanPort"] = vtep.vxlan_port
    if vtep.cable_port != CABLE_PORT:
        ways["cablePort"] = vtep.cable_port
    if vtep.turbo:
        ways["turbo"] = True
    return {
        BACKEND_TYPE: names[settings.backend],
        BACKEND_DATA: _text_of(data),
        PUBLIC_IP: settings.address,
        MANAGED: "true",
        UNDERLAY: _text_of(ways) if ways else None,
    }


def patch(
    known: Own, wanted: Mapping[str, str | None], backend: pb.Backend, now: str
) -> dict[str, Any] | None:
    """The strategic merge patch of the Node's status that makes it say so and that its network is
    up; None where it does already. `now` is a timestamp.
    """
    found: dict[str, Any] = {}
    differing = {key: text for key, text in wanted.items() if known.annotations.get(key) != text}
    if differing:
        found["metadata"] = {"annotations": differing}
    reason, message = _UP[backend]
    if (known.condition.get("status"), known.condition.get("reason")) != ("False", reason):
        condition = {
            "type": NETWORK_UNAVAILABLE, "status": "False", "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        }  # fmt: skip
        found["status"] = {"conditions": [condition]}
    return found or None


def _address(node: Mapping[str, Any]) -> str:
    for entry in objects.status(node).get("addresses") or ():
        if entry.get("type") == "InternalIP" and is_ipv4(entry.get("address") or ""):
            return str(entry["address"])
    return ""


def _network(node: Mapping[str, Any]) -> str:
    """The node's IPv4 pod range."""
    spec = objects.spec(node)
    for cidr in spec.get("podCIDRs") or [spec.get("podCIDR") or ""]:
        if _is_network(cidr):
            return str(cidr)
    return ""


def _is_network(cidr: str) -> bool:
    try:
        ipaddress.IPv4Network(cidr)
    except ValueError:
        return False
    return True


def _json(text: str | None) -> dict[str, Any]:
    """What an annotation holds; nothing where it is no object: anybody may have written it."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text_of(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _mac(text: Any) -> bytes:
    try:
        found = bytes.fromhex(str(text or "").replace(":", ""))
    except ValueError:
        return b""
    return found if len(found) == 6 and not found[0] & 1 else b""


def _text(value: Any) -> str:
    return value if isinstance(value, str) and is_ipv4(value) else ""


def _number(value: Any, usual: int, most: int) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
    return value if good else usual
