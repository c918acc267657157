"""Session affinity: which client sticks to which backend of a service's port, and for how long.

As in kube-proxy's nftables mode a client is a source address, whichever of the service's addresses
it uses, and its time begins anew with each new connection.
"""

from typing import Final

LARGEST: Final = 65536
"""Clients of one entry that are remembered at most; the longest silent one goes first."""

Place = tuple[int, int]
"""A backend's address and port."""


class Affinity:
    """The memory of all entries. Times are seconds of the caller's clock."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._clients: dict[str, dict[int, tuple[Place, float]]] = {}

    def find(self, now: float, key: str, client: int) -> Place | None:
        """The backend that a client sticks to."""
        found = self._clients.get(key, {}).get(client)
        return found[0] if found is not None and found[1] > now else None

    def note(self, now: float, key: str, client: int, place: Place, seconds: float) -> None:
        """A client was sent to a backend now."""
        clients = self._clients.setdefault(key, {})
        clients.pop(client, None)
        while clients:
            oldest = next(iter(clients))
            if clients[oldest][1] > now and len(clients) < self._largest:
                break
            del clients[oldest]
        clients[client] = (place, now + seconds)

    def forget(self, key: str) -> None:
        """The entry is gone."""
        self._clients.pop(key, None)

    def rows(self, now: float) -> list[tuple[str, int, Place, float]]:
        """Entry, client, backend and the seconds that are left, in the order of their last use."""
        return [
            (key, client, place, end - now)
            for key, clients in self._clients.items()
            for client, (place, end) in clients.items()
            if end > now
        ]
