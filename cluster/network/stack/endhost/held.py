"""What came for ports whose owner is being woken."""

from typing import Final

from cluster.network.stack.endhost.settings import HOLD_SECONDS

_MOST: Final = 256
"""Packets; the oldest is dropped."""
Port = tuple[int, int]
"""A protocol (IANA's number) and a port."""


class Held:
    """Frames that wait, in the order in which they came. A peer's SYN is kept once."""

    def __init__(self) -> None:
        self._frames: dict[tuple[Port, bytes], tuple[float, bytes]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._frames)

    def keep(self, now: float, port: Port, name: bytes, data: bytes) -> None:
        """Keep a frame; `name` is that of its flow, b"" where each frame counts for itself."""
        if len(self._frames) >= _MOST:
            del self._frames[next(iter(self._frames))]
        if not name:
            self._count += 1
            name = self._count.to_bytes(8, "big")
        self._frames[port, name] = (now + HOLD_SECONDS, data)

    def release(self, port: Port) -> list[bytes]:
        """The frames of a port, which are kept no more."""
        if not self._frames:
            return []
        names = [found for found in self._frames if found[0] == port]
        return [self._frames.pop(name)[1] for name in names]

    @property
    def deadline(self) -> float:
        """When the oldest is to be dropped."""
        return next((at for at, _ in self._frames.values()), float("inf"))

    def expire(self, now: float) -> None:
        """Drop what has waited too long."""
        while self.deadline <= now:
            del self._frames[next(iter(self._frames))]
