"""Who has which address of a range. Pure."""

import ipaddress


class Unavailable(Exception):
    """No address could be had; its text says why."""


class Pool:
    """The addresses of `network` but its first and last, each for one owner, lowest first.

    An address that was given back is given out again only after the others had their turn, so that
    clients of a Service that is gone do not meet another.
    """

    def __init__(self, network: str) -> None:
        self._network = ipaddress.ip_network(network)
        self._first = int(self._network.network_address) + 1
        self._size = max(self._network.num_addresses - 2, 0)
        self._owners: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._next = 0

    def __contains__(self, address: object) -> bool:
        """Whether it is an address that could be given out."""
        return isinstance(address, str) and self._index(address) is not None

    @property
    def family(self) -> str:
        """As Services write it."""
        return f"IPv{self._network.version}"

    def address_of(self, owner: str) -> str | None:
        """The address that an owner has."""
        return self._addresses.get(owner)

    def occupy(self, owner: str, address: str) -> bool:
        """Note that an owner has an address; False where another has it, or it is none of these."""
        index = self._index(address)
        if index is None or self._owners.get(address, owner) != owner:
            return False
        if self._addresses.get(owner) != address:
            self.release(owner)
            self._take(owner, address, index)
        return True

    def allocate(self, owner: str, wanted: str = "") -> str:
        """The address that an owner has from now on; `wanted` is the one that it must be.

        One that has an address keeps it, unless it wants another. Unavailable.
        """
        if wanted:
            if self._index(wanted) is None:
                raise Unavailable(f"address {wanted} is not in the range {self._network}")
            other = self._owners.get(wanted, owner)
            if not self.occupy(owner, wanted):
                raise Unavailable(f"address {wanted} is in use by service {other}")
            return wanted
        there = self._addresses.get(owner)
        if there is not None:
            return there
        if len(self._owners) >= self._size:
            raise Unavailable(f"no address is left in the range {self._network}")
        while (address := self._at(self._next)) in self._owners:
            self._next = (self._next + 1) % self._size
        self._take(owner, address, self._next)
        return address

    def release(self, owner: str) -> bool:
        """An owner needs its address no more; whether it had one."""
        address = self._addresses.pop(owner, None)
        if address is None:
            return False
        del self._owners[address]
        return True

    def _take(self, owner: str, address: str, index: int) -> None:
        self._owners[address] = owner
        self._addresses[owner] = address
        if index == self._next:
            self._next = (index + 1) % self._size

    def _at(self, index: int) -> str:
        kind = ipaddress.IPv4Address if self._network.version == 4 else ipaddress.IPv6Address
        return str(kind(self._first + index))

    def _index(self, address: str) -> int | None:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return None
        index = int(found) - self._first
        right = found.version == self._network.version and str(found) == address
        return index if right and 0 <= index < self._size else None
