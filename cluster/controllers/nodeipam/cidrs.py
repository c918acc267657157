"""The pod ranges of nodes: equal parts of the cluster's range, handed out in turn."""

import ipaddress
from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Full(Exception):
    """Every part of the range is taken."""


class CidrSet:
    """Parts of `cluster` with prefix length `size`; taken ones are remembered by number.

    A released part is taken again only after the others had their turn, so that a new node does
    not get the addresses of one that has just gone.
    """

    def __init__(self, cluster: str, size: int) -> None:
        self._network: Network = ipaddress.ip_network(cluster)
        self._size = size
        self._total = 1 << (size - self._network.prefixlen)
        self._step = 1 << (self._network.max_prefixlen - size)
        self._taken: dict[int, None] = {}
        self._next = 0

    def allocate(self) -> str:
        """A free part. Full."""
        if len(self._taken) >= self._total:
            raise Full(f"no free range of /{self._size} is left in {self._network}")
        while self._next in self._taken:
            self._next = (self._next + 1) % self._total
        index = self._next
        self._taken[index] = None
        self._next = (index + 1) % self._total
        return self._part(index)

    def occupy(self, cidr: str) -> bool:
        """Note that a node has this part; False where it is no part of the cluster's range."""
        index = self._index(cidr)
        if index is None:
            return False
        self._taken[index] = None
        return True

    def release(self, cidr: str) -> None:
        """A node that had this part is gone."""
        index = self._index(cidr)
        if index is not None:
            self._taken.pop(index, None)

    def _part(self, index: int) -> str:
        return f"{self._network.network_address + index * self._step}/{self._size}"

    def _index(self, cidr: str) -> int | None:
        try:
            part = ipaddress.ip_network(cidr)
        except ValueError:
            return None
        if part.version != self._network.version or part.prefixlen != self._size:
            return None
        offset = int(part.network_address) - int(self._network.network_address)
        return offset // self._step if 0 <= offset < self._total * self._step else None


class CidrSets:
    """One set for each family of addresses: a node gets a part of each, or none at all."""

    def __init__(self, networks: Iterable[tuple[str, int]]) -> None:
        self._sets = [CidrSet(cluster, size) for cluster, size in networks]

    def allocate(self) -> tuple[str, ...]:
        """A free part of each, in the order of the sets. Full."""
        taken: list[str] = []
        try:
            taken.extend(each.allocate() for each in self._sets)
        except Full:
            self.release(taken)
            raise
        return tuple(taken)

    def occupy(self, cidr: str) -> bool:
        """Note that a node has this part; False where it is no part of the cluster's ranges."""
        return any(each.occupy(cidr) for each in self._sets)

    def release(self, ranges: Sequence[str]) -> None:
        """A node that had these parts is gone."""
        for each in self._sets:
            for cidr in ranges:
                each.release(cidr)
