"""The addresses of a host: which it sends from, and who takes its packets."""

import errno

from cluster.network.stack.endhost.ports import error
from cluster.network.stack.endhost.settings import Settings
from cluster.network.wire import addresses


class Addressing:
    """Addresses are IPv4's, as numbers; 0 is none."""

    __slots__ = ("_settings", "first", "own")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.own = {address: None for address, _ in settings.addresses}
        """Those of the host itself."""
        self.first = settings.addresses[0][0] if settings.addresses else addresses.ANY

    def source(self, address: int, target: int) -> int:
        """The address that packets to `target` come from; it is `address`, where that is given.

        OSError EADDRNOTAVAIL; ENETUNREACH where nobody takes such packets.
        """
        found = self._source(address, target)
        settings = self._settings
        if not (settings.gateway_mac or settings.hop(target) or self.is_here(target)):
            raise error(errno.ENETUNREACH)
        return found

    def _source(self, address: int, target: int) -> int:
        if address:
            self.check(address)
            return address
        if target in self.own:
            return target
        if not self.first:
            raise error(errno.EADDRNOTAVAIL)
        for own, length in self._settings.addresses:
            if not (own ^ target) & addresses.mask(length):
                return own
        return self.first

    def check(self, address: int) -> None:
        """OSError EADDRNOTAVAIL for an address that is not the host's to use."""
        if address and address not in self.own and not self._settings.any_address:
            raise error(errno.EADDRNOTAVAIL)

    def hop(self, target: int) -> int:
        """Whose Ethernet address packets go to; 0: this host itself, or nobody."""
        return 0 if self.is_here(target) else self._settings.hop(target)

    def is_here(self, address: int) -> bool:
        """Whether packets for an address stay in the host."""
        return self._settings.loops and address in self.own
