"""What the cores of a node have to send, by destination, until their shell takes it.

Frames of one call that go the same way leave as one action, so a shell sends them in one go.
"""

from collections.abc import Callable, Iterable
from typing import Any

from cluster.network.stack.actions import Action, Address, Payload, ToCable, ToPeer, ToPort
from cluster.network.wire.frame import Frame


class FrameQueue:
    """What goes to one port."""

    __slots__ = ("_port", "_waiting", "items", "sent")

    def __init__(self, waiting: "list[Queue]", port: str) -> None:
        self._waiting = waiting
        self._port = port
        self.items: list[Frame] = []
        self.sent = 0
        """Frames that were taken."""

    def push(self, frame: Frame) -> None:
        """One more frame."""
        if not self.items:
            self._waiting.append(self)
        self.items.append(frame)

    def taken(self) -> Action:
        """All of it, as an action."""
        items, self.items = self.items, []
        self.sent += len(items)
        return ToPort(self._port, items)


class ByteQueue:
    """What goes to one address of the underlay."""

    __slots__ = ("_address", "_kind", "_waiting", "items", "sent")

    def __init__(
        self,
        waiting: "list[Queue]",
        kind: Callable[[Address, list[Any]], ToPeer | ToCable],
        address: Address,
    ) -> None:
        self._waiting = waiting
        self._kind = kind
        self._address = address
        self.items: list[Payload] = []
        self.sent = 0
        """Datagrams that were taken; trains count as one."""

    def push(self, data: Payload) -> None:
        """One more payload; to a cable, of bytes."""
        if not self.items:
            self._waiting.append(self)
        self.items.append(data)

    def taken(self) -> Action:
        """All of it, as an action."""
        items, self.items = self.items, []
        self.sent += len(items)
        return self._kind(self._address, items)


Queue = FrameQueue | ByteQueue


class Outbox:
    """All queues that hold something."""

    def __init__(self) -> None:
        self._waiting: list[Queue] = []
        self._peers: dict[Address, ByteQueue] = {}
        self._cables: dict[Address, ByteQueue] = {}

    def port(self, name: str) -> FrameQueue:
        """A queue to a port; who makes a port keeps it."""
        return FrameQueue(self._waiting, name)

    def peer(self, address: Address) -> ByteQueue:
        """The queue to a VXLAN socket."""
        queue = self._peers.get(address)
        if queue is None:
            queue = self._peers[address] = ByteQueue(self._waiting, ToPeer, address)
        return queue

    def cable(self, address: Address) -> ByteQueue:
        """The queue to a cable socket."""
        queue = self._cables.get(address)
        if queue is None:
            queue = self._cables[address] = ByteQueue(self._waiting, ToCable, address)
        return queue

    def keep(self, peers: Iterable[Address], cables: Iterable[Address]) -> None:
        """These are the nodes: the queues of others are forgotten."""
        self._peers = {at: self._peers[at] for at in peers if at in self._peers}
        self._cables = {at: self._cables[at] for at in cables if at in self._cables}

    def take(self) -> list[Action]:
        """Everything, in the order in which destinations were first sent to."""
        waiting = self._waiting
        if not waiting:
            return []
        actions = [queue.taken() for queue in waiting]
        waiting.clear()
        return actions
