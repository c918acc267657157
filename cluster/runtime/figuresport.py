"""The node's page of metrics, `/metrics` at a port of its own address, inside of the overlay and
from the machine.
"""

from cluster.runtime.answering import Page, Pages
from cluster.runtime.network.plant import Plant
from cluster.runtime.podsockets import Answering

PATH = "/metrics"


class FiguresPort:
    """Answers at one port of the node; 0: at none."""

    def __init__(self, plant: Plant, port: int) -> None:
        self._plant = plant
        self._port = port

    def answers(self, port: int) -> tuple[object, Answering] | None:
        """See `podspaces.Answers`."""
        return (self, Pages(self._told)) if port and port == self._port else None

    def _told(self, path: str) -> Page:
        node, links = self._plant.node, self._plant.links
        if path != PATH or node is None or links is None:
            return Page(404, b"404 page not found\n", "text/plain; charset=utf-8")
        from cluster.runtime.network import figures

        return Page(200, figures.exposition(node, links), figures.KIND)
