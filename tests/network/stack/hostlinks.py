"""Hosts on one link, and time that jumps from one deadline to the next."""

import random

from cluster.network.stack.endhost.settings import Settings
from cluster.network.stack.host import Host
from cluster.network.wire import addresses, mac, offload
from cluster.network.wire.frame import Frame

NETWORK = addresses.parse("10.0.0.0")


class Link:
    """Frames go to whom they are addressed to, or to all; `bytewise` as on a real cable."""

    def __init__(self, count: int = 2, *, bytewise: bool = False, **settings) -> None:
        self.now = 50.0
        self.bytewise = bytewise
        self.frames: list[Frame] = []
        """All that were sent."""
        self.lose = lambda frame: False
        self.hosts = [self.host(number + 1, **settings) for number in range(count)]

    def host(self, number: int, **settings) -> Host:
        address = NETWORK + number
        given = {"mac": mac.of_address(address), "addresses": ((address, 24),), "mtu": 1450}
        return Host(Settings(**{**given, **settings}), random.Random(number))

    def settle(self, seconds: float = 0.0) -> None:
        """Let all go on until nothing more happens by then."""
        until = self.now + seconds
        for _ in range(100_000):
            if self._turn():
                continue
            due = [host.deadline for host in self.hosts if host.deadline is not None]
            if not due or min(due) > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, min(due))
            for host in self.hosts:
                if host.deadline is not None and host.deadline <= self.now:
                    host.tick(self.now)
        raise AssertionError("it never comes to rest")

    def _turn(self) -> bool:
        moved = False
        for host in self.hosts:
            for frame in host.pull(self.now):
                moved = True
                self.frames.append(frame)
                if not self.lose(frame):
                    self._carry(host, frame)
        return moved

    def _carry(self, sender: Host, frame: Frame) -> None:
        carried = [frame]
        if self.bytewise:
            carried = [Frame(data) for data in offload.cut(frame)]
        for one in carried:
            for host in self.hosts:
                to = one.data[:6]
                if host is not sender and to in (host.settings.mac, mac.BROADCAST):
                    host.receive(self.now, one)
