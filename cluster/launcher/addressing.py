"""The addresses of a cluster's nodes: a range of the machine's loopback network for each cluster.

    127.C.0.1                 the machine itself, as the cluster sees it
    127.C.0.2 …               nodes, in their order
    127.C.192.1 …             processes of hollow nodes, each for all of its nodes
    127.C.252.0/22            for Services of type LoadBalancer

C is the cluster's, from 1 to 254: 127.0.0.0/16 stays what everybody calls loopback. Each address
is the node's InternalIP and where its datagrams go, so a client on this machine reaches a node as
it reaches those of a real cluster. Where the machine has 127.0.0.1 alone (macOS), nodes are called
the same, but nothing outside of the cluster reaches them there: they differ by their ports.
"""

import errno
import ipaddress
import json
import socket
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cluster.api import faults
from cluster.launcher import files

VXLAN_PORT: Final = 4789
CABLE_PORT: Final = 4790
_CLUSTERS: Final = 254
_GATEWAY: Final = 1
_FIRST_NODE: Final = 2
_FIRST_HOLLOW: Final = (192 << 8) + 1
_LOOPBACK: Final = "127.0.0.1"


class NoRange(faults.Fault):
    """Every range of addresses is another cluster's."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Those of one cluster. `own` is whether the machine has them; else it has 127.0.0.1 alone.

    The ports are those of the two sockets of each node; 0: any that are free.
    """

    cluster: int = 1
    own: bool = True
    vxlan_port: int = VXLAN_PORT
    cable_port: int = CABLE_PORT

    @property
    def gateway(self) -> str:
        """The machine itself: what listens on its 127.0.0.1 is reached here by pods."""
        return self._at(_GATEWAY)

    @property
    def load_balancers(self) -> str:
        """The range for Services of type LoadBalancer."""
        return f"127.{self.cluster}.252.0/22"

    def node(self, position: int) -> str:
        """The address of a node with processes of its own; the first has position 0."""
        return self._at(_FIRST_NODE + position)

    def underlay(self, position: int) -> str:
        """Where a node's datagrams go."""
        return self.node(position) if self.own else _LOOPBACK

    def hollow(self, process: int) -> str:
        """By which others know all nodes of a hollow process; the first has number 0."""
        return self._at(_FIRST_HOLLOW + process)

    def hollow_underlay(self, process: int) -> str:
        """Where their datagrams go."""
        return self.hollow(process) if self.own else _LOOPBACK

    def _at(self, number: int) -> str:
        return str(ipaddress.IPv4Address((127 << 24) + (self.cluster << 16) + number))


def kept(path: Path) -> Addresses | None:
    """Those that the cluster had when it was started last; None: it never was."""
    try:
        return Addresses(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def keep(path: Path, chosen: Addresses) -> None:
    """Write down which they are. files.Unwritable."""
    files.write_private(path, json.dumps(asdict(chosen)).encode())


def choose(name: str, before: Addresses | None, claim: Callable[[str], bool]) -> Addresses:
    """A range that nobody uses: the one it had `before`, or one that follows from its name.

    `claim` has a name for this cluster alone, if no other of this user has it. NoRange.
    """
    first = before.cluster if before else zlib.crc32(name.encode()) % _CLUSTERS + 1
    if _bound(Addresses(first).node(0), 0) == errno.EADDRNOTAVAIL:
        return Addresses(first, own=False, vxlan_port=0, cable_port=0)
    vxlan, cable = (_left(port) for port in (VXLAN_PORT, CABLE_PORT))
    for step in range(_CLUSTERS):
        chosen = Addresses((first - 1 + step) % _CLUSTERS + 1, True, vxlan, cable)
        if claim(f"range-{chosen.cluster}") and not _used(chosen):
            return chosen
    raise NoRange("127.1.0.0 to 127.254.0.0 are all in use by clusters; end one with kubemu down")


def _left(port: int) -> int:
    """The port, or 0 where another program has it on every address of the machine, as a kernel's
    VXLAN device does.
    """
    return port if _bound(_LOOPBACK, port) == 0 else 0


def _used(chosen: Addresses) -> bool:
    """Whether nodes of another user's cluster are there."""
    ports = [port for port in (chosen.vxlan_port, chosen.cable_port) if port]
    return any(_bound(chosen.node(0), port) for port in ports)


def _bound(host: str, port: int) -> int:
    """0 where datagrams could be received there; else the error's number."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno or errno.EADDRNOTAVAIL
    return 0
