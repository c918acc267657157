"""Pod addresses of a node: given out in turn from its pod CIDRs, as CNI's host-local does."""

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Exhausted(Exception):
    """Every address of a range is in use."""


def networks(cidrs: str) -> tuple[Network, ...]:
    """The networks of `10.244.1.0/24` or `10.244.1.0/24,fd00::/64`. ValueError with a sentence."""
    found: list[Network] = []
    for text in cidrs.split(","):
        try:
            found.append(ipaddress.ip_network(text.strip()))
        except ValueError as error:
            raise ValueError(f"{text.strip()!r} is no pod CIDR: {error}") from error
    return tuple(found)


class Pool:
    """The addresses of one network. The first one is the bridge's; the last of IPv4 is broadcast.

    An address that was let go is given again only after all others: caches and connections of its
    former pod have time to end.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._first = int(network.network_address) + 2
        last = int(network.broadcast_address)
        self._last = last - 1 if network.version == 4 else last
        self._next = self._first
        self._used: dict[int, None] = {}
        self._numbers: dict[str, int] = {}

    def take(self) -> str:
        """An address that nobody has. Exhausted."""
        size = self._last - self._first + 1
        if len(self._used) >= size:
            raise Exhausted(f"no IP addresses available in range set: {self._range()}")
        while self._next in self._used:
            self._next = self._after(self._next)
        number, self._next = self._next, self._after(self._next)
        self._used[number] = None
        address = self._text(number)
        self._numbers[address] = number
        return address

    def claim(self, address: str) -> bool:
        """Have an address that is in use already; whether it is one of this range."""
        try:
            number = int(ipaddress.ip_address(address))
        except ValueError:
            return False
        if not self._first <= number <= self._last:
            return False
        self._used[number] = None
        self._numbers[address] = number
        return True

    def give_back(self, address: str) -> None:
        """Let an address go; one that is not in use is no error."""
        number = self._numbers.pop(address, None)
        if number is not None:
            del self._used[number]

    def _after(self, number: int) -> int:
        return number + 1 if number < self._last else self._first

    def _text(self, number: int) -> str:
        if self.network.version == 4:
            return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return str(ipaddress.IPv6Address(number))

    def _range(self) -> str:
        return f"{self._text(self._first - 1)}-{self._text(self._last)}"
