"""One network for all hollow nodes of a process: to the others each of them is a node, and all are
reached at one address, by one VTEP.

Thousands of nodes at rest cost a record for each pod. Between nodes of the process frames go over
one bridge, and leave for others by routes to those others' pods; there is one service table, one
conntrack and one way to the machine. So of a hollow node there is no interface of its own: a trace
shows the fleet's (169.254.1.1, as with Calico), and pods on the node's own network have none.
"""

import random as randoms
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from cluster.network.stack import backends
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.endhost.settings import Settings as HostSettings
from cluster.network.stack.forwarding import Device
from cluster.network.stack.router import BRIDGE, TUNNEL
from cluster.network.stack.settings import Settings
from cluster.network.underlay import Underlay
from cluster.network.wire import addresses, mac
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.runtime.config import Config
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.network import building
from cluster.runtime.network.node import Node
from cluster.runtime.network.podstack import PodStack
from cluster.runtime.podbridge import Bridge
from cluster.runtime.podnetwork import Namespace

if TYPE_CHECKING:
    from cluster.runtime.overlay import Tables

_GATEWAY: Final = addresses.parse("169.254.1.1")
"""What pods have as their gateway, wherever their node is."""


@dataclass(frozen=True)
class FleetSettings(Settings):
    """`network` is that of all pods of the cluster: others' nodes are routes out of it."""

    @property
    def gateway(self) -> int:
        """Of all pods."""
        return _GATEWAY

    def devices(self, vtep_mac: bytes) -> dict[str, Device]:
        """No address of the cluster's range is the fleet's own."""
        found = super().devices(vtep_mac)
        found[TUNNEL] = Device(self.address, vtep_mac, self.pod_mtu)
        return found


class _Nobody:
    """The fleet has no network of a node's own."""

    addresses: tuple[str, ...] = ()

    def uplink(self) -> None:
        """Nothing is there that could take a frame."""


class _Bridges(Bridge):
    """Finds a pod among those of all nodes. No port of a node leads to any of them."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, Bridge] = {}

    def holder(self, address: str) -> Namespace | None:
        """See `Bridge`."""
        bridge = self.places.get(address)
        return bridge.holder(address) if bridge is not None else None


class FleetNode(Node):
    """The network itself. Its pods need no ARP to find their gateway."""

    def uplink(self, space: Namespace) -> PodStack:
        """See `podbridge.Overlay`."""
        core = self.datapath
        name = next(one for one in space.addresses if ":" not in one)
        number = addresses.parse(name)
        settings = HostSettings(
            mac=mac.of_address(number), addresses=((number, 32),),
            gateway_mac=core.devices[BRIDGE].mac, mtu=core.settings.pod_mtu,
        )  # fmt: skip
        core.awaken(name)
        self._spaces[name] = space
        return PodStack(space, self.stack(name, settings))


class _Member:
    """The network, as the bridge of one node has it. See `podbridge.Overlay`."""

    def __init__(self, node: FleetNode, bridge: Bridge, places: dict[str, Bridge]) -> None:
        self._node = node
        self._bridge = bridge
        self._places = places

    def joined(self, address: str) -> None:
        """A pod of this node has it."""
        self._places[address] = self._bridge
        self._node.joined(address)

    def left(self, address: str) -> None:
        """It has it no more; nor has another node's got it meanwhile."""
        if self._places.get(address) is self._bridge:
            del self._places[address]
            self._node.left(address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


class Fleet:
    """The nodes of a process, and their network once it is up. See `overlay.Carrier`.

    `underlay` is where other nodes are reached: by default the machine's UDP, and then the machine
    itself and what is beyond it can be reached, too.
    """

    def __init__(
        self, config: Config, dataplane: DataPlane, random: randoms.Random,
        underlay: Underlay | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self._dataplane = dataplane
        self._random = random
        self._underlay = underlay
        self._bridges: list[Bridge] = []
        self._node: FleetNode | None = None

    def add(self, bridge: Bridge) -> None:
        """Take in the pods of a node, before the network comes up."""
        self._bridges.append(bridge)

    async def up(self, settings: pb.OverlaySettings) -> pb.Vtep:
        """See `overlay.Carrier`."""
        self.down()
        random = randoms.Random(self._random.getrandbits(64))  # noqa: S311  (repeats)
        bridges = _Bridges()
        node = _build(settings, self._config, bridges, random)
        vtep = await building.opened(node, settings, self._config, self._underlay)
        self._node = node
        for bridge in self._bridges:
            bridge.plug(cast("Any", _Member(node, bridge, bridges.places)))
        self._dataplane.listener = node
        node.replaced(self._dataplane.services.values())
        return vtep

    def program(self, tables: "Tables", change: pb.UpdateOverlayRequest | None) -> None:
        """See `overlay.Carrier`."""
        if self._node is not None:
            self._node.program(tables, change)

    def down(self) -> None:
        """Take it down."""
        node, self._node = self._node, None
        if node is not None:
            self._dataplane.listener = None
            for bridge in self._bridges:
                bridge.plug(None)
            node.close()


def _build(
    settings: pb.OverlaySettings, config: Config, bridges: _Bridges, random: randoms.Random
) -> FleetNode:
    if settings.backend not in (pb.VXLAN, pb.ROUTED):
        raise ValueError("hollow nodes have the back ends vxlan and routed alone")
    core = FleetSettings(
        name=settings.node or config.node_name,
        network=building.reserved(settings)[0],
        address=addresses.parse(settings.address),
        backend=backends.VXLAN if settings.backend == pb.VXLAN else backends.ROUTED,
        vni=settings.vni or 1,
        mtu=settings.mtu,
    )
    nat = building.translation(settings, core, (core.address, core.gateway), random)
    made = FleetNode(bridges, cast("Any", _Nobody()), Datapath(core, random), nat, random)
    made.reserved = building.reserved(settings)
    return made
