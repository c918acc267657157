"""What the paths to other hosts take (RFC 1191), where it is less than our own link."""

from typing import Final

LEAST: Final = 552
"""net.ipv4.route.min_pmtu: nobody makes us send smaller packets."""
SECONDS: Final = 600.0
"""net.ipv4.route.mtu_expires."""
_MOST: Final = 1024
_PLATEAUS: Final = (32000, 17914, 8166, 4352, 2002, 1492, 1006, LEAST)
"""What to try where a router does not say (RFC 1191, 7.1)."""


class Paths:
    """The MTUs that were learned, by destination."""

    def __init__(self, mtu: int) -> None:
        self._mtu = mtu
        self._known: dict[int, tuple[int, float]] = {}

    def mtu(self, target: int) -> int:
        """The longest packet that gets to an address."""
        if not self._known:
            return self._mtu
        found = self._known.get(target)
        return found[0] if found is not None else self._mtu

    def too_big(self, now: float, target: int, said: int, whole: int) -> None:
        """A packet of `whole` bytes did not pass; the router said `said`, or nothing: 0."""
        known = self.mtu(target)
        lower = said or next((one for one in _PLATEAUS if one < whole), LEAST)
        size = max(lower, LEAST)
        if size >= known:
            return
        for old in [one for one, (_, until) in self._known.items() if until <= now]:
            del self._known[old]
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[target] = (size, now + SECONDS)
