"""Brings a node's network up as its agent configures it, and keeps it fed with services.

What is heavy is imported when a node is configured: a machine without an overlay has none of it.
"""

import random as randoms
from typing import TYPE_CHECKING

from cluster.network.underlay import Address, Underlay
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.runtime.config import Config
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.podspaces import Spaces

if TYPE_CHECKING:
    from cluster.runtime.network.links import Links
    from cluster.runtime.network.node import Node
    from cluster.runtime.overlay import Tables


class Plant:
    """The network of one machine, from one configuration to the next. See `overlay.Carrier`.

    `underlay` is where other nodes are reached: by default the machine's UDP, and then the machine
    itself and what is beyond it can be reached, too.
    """

    def __init__(
        self, config: Config, spaces: Spaces, dataplane: DataPlane, random: randoms.Random,
        underlay: Underlay | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self._spaces = spaces
        self._dataplane = dataplane
        self._random = random
        self._underlay = underlay
        self.node: Node | None = None
        """The network as it is now; None before it is configured."""
        self.links: Links | None = None
        """Which of its links are bad on purpose; None before that."""

    async def up(self, settings: pb.OverlaySettings) -> pb.Vtep:
        """Bring it up; what was before goes. ValueError, OSError."""
        from cluster.runtime.network import building
        from cluster.runtime.network.links import Links

        self.down()
        random = randoms.Random(self._random.getrandbits(64))  # noqa: S311  (repeats)
        node = building.build(settings, self._config, self._spaces, random)
        config = self._config
        host = config.underlay_address or settings.address
        try:
            if self._underlay is None:
                from cluster.network.io.udp import UdpUnderlay

                underlay: Underlay = UdpUnderlay()
                building.open_outside(node, config, host)
            else:
                underlay = self._underlay
                node.seal()
            self.links = self.links or Links(config.node_name)
            wire = self.links.over(underlay, node.named, node.sent_by, node.deliver)
            node.own_ports = (config.metrics_port,) if config.metrics_port else ()
            node.links_of_pods, node.on_left = self.links.ports, self.links.forget
            vtep = await node.open(
                wire, Address(host, config.vxlan_port), Address(host, config.cable_port)
            )
        except BaseException:
            node.close()
            raise
        self.node = node
        self._spaces.bridge.plug(node)
        self._dataplane.listener = node
        node.replaced(self._dataplane.services.values())
        return vtep

    def program(self, tables: "Tables", change: pb.UpdateOverlayRequest | None) -> None:
        """See `overlay.Carrier`."""
        if self.node is not None:
            self.node.program(tables, change)

    def down(self) -> None:
        """Take it down: pods reach nothing but others of their node."""
        node, self.node = self.node, None
        if node is not None:
            self._dataplane.listener = None
            self._spaces.bridge.plug(None)
            node.close()
            if self.links is not None:
                self.links.down()
