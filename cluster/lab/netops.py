"""Breaking the pod network of a lab: what `kubemu net impair`, `partition` and `heal` do."""

from collections.abc import Callable, Sequence
from typing import Any

from cluster.pb.cluster.v1 import netops_pb2 as pb
from cluster.runtime import linkends
from cluster.runtime.linkends import End, Place

Ask = Callable[[str], Any]
"""The NetOps of a node."""


class Links:
    """The links between a lab's nodes, and its pods'. `seed` is that of chance."""

    def __init__(self, nodes: Sequence[str], ask: Ask, seed: object) -> None:
        self._nodes = nodes
        self._ask = ask
        self._seed = seed

    async def impair(
        self, link: str, how: pb.LinkImpairment, place: Callable[[str, str], Place]
    ) -> None:
        """Make a link bad, both ways. ValueError; rpc.Failure where a machine is down."""
        for end in linkends.ends(link, self._nodes, place):
            await self._tell(end, pb.LinkChange(impairment=how, seed=str(self._seed)))

    async def partition(self, groups: Sequence[Sequence[str]]) -> None:
        """Cut the links between groups of nodes. ValueError; rpc.Failure."""
        for end in linkends.cuts(groups, self._nodes):
            await self._tell(end, pb.LinkChange(cut=True))

    async def heal(self, link: str, place: Callable[[str, str], Place]) -> None:
        """Make a link good again, or (empty) all of them. ValueError; rpc.Failure."""
        if not link:
            for node in self._nodes:
                await self._ask(node).set_links(pb.SetLinksRequest(heal_all=True))
            return
        for end in linkends.ends(link, self._nodes, place):
            await self._tell(end, pb.LinkChange(impairment=pb.LinkImpairment(), cut=False))

    async def _tell(self, end: End, change: pb.LinkChange) -> None:
        change.link = end.link
        await self._ask(end.node).set_links(pb.SetLinksRequest(changes=[change]))
