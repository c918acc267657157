"""Brings a node's network up as its agent configures it, and keeps it fed with services.

What is heavy is imported when a node is configured: a machine without an overlay has none of it.
"""

import random as randoms
from typing import TYPE_CHECKING

from cluster.network.underlay import Underlay
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
        links = self.links = self.links or Links(self._config.node_name)

        def bad(underlay: Underlay) -> Underlay:
            wire = links.over(underlay, node.named, node.sent_by, node.deliver)
            node.links_of_pods, node.on_left = links.ports, links.forget
            return wire

        if self._config.metrics_port:
            node.own_ports = (self._config.metrics_port,)
        vtep = await building.opened(node, settings, self._config, self._underlay, bad)
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
