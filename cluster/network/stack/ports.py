"""What is plugged into a node's data plane: pods by veth, the node's own stack, the outside."""

from typing import TYPE_CHECKING, Final

from cluster.network.stack.outbox import FrameQueue

if TYPE_CHECKING:
    from cluster.network.stack.flows import Flow

HOST: Final = "host"
"""The port of the node's own stack: hostNetwork pods, probes of the kubelet."""
OUTSIDE: Final = "outside"
"""The port of the stack that answers for everything beyond the cluster: eth0's gateway."""


class Port:
    """One port. Frames of its own go into `queue`."""

    __slots__ = (
        "addresses",
        "asleep",
        "flows",
        "mac",
        "name",
        "queue",
        "received",
    )

    def __init__(
        self, name: str, mac: bytes, addresses: tuple[int, ...], queue: FrameQueue, *, asleep: bool
    ) -> None:
        self.name = name
        self.mac = mac
        self.addresses = addresses
        """Those that it has for certain; ARP elsewhere cannot take them."""
        self.asleep = asleep
        """Nobody is there yet: ARP is answered in its stead, and broadcasts pass it by."""
        self.queue = queue
        self.flows: dict[bytes, Flow] = {}
        """What comes from it and was decided before."""
        self.received = 0
        """Frames from it."""

    @property
    def sent(self) -> int:
        """Frames to it."""
        return self.queue.sent

    @property
    def is_pod(self) -> bool:
        """Whether it is on the bridge."""
        return self.name not in (HOST, OUTSIDE)
