"""NodePorts: turns down nodes where a host port that the pod wants is taken.

Two host ports are in each other's way where protocol and port are the same, and the addresses
too, or one of them is every address (0.0.0.0).
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from cluster.api import objects
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo

_TAKEN: Final = "node(s) didn't have free ports for the requested pod ports"
_ANY: Final = "0.0.0.0"
_FEW: Final = 64

Port = tuple[str, int]
"""Protocol and number."""
HostPort = tuple[str, Port]
"""Address and port."""


class NodePorts:
    """Filters by host ports, which it counts by node as pods come and go."""

    name = "NodePorts"
    reads = Reads.USAGE

    def __init__(self, cache: Cache) -> None:
        self._users: dict[Port, dict[str, dict[str, int]]] = {}
        """By port, then by node: how many pods have it at each address."""
        self.hints: dict[Event, events.Hint] = {
            Event.NODE_ADD: events.always,
            Event.ASSIGNED_POD_DELETE: _hint_deleted,
        }
        cache.listen(self)

    def sign(self, pod: PodInfo) -> Any:
        """The host ports."""
        return host_ports(pod.object) or None

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod that wants none."""
        wanted = host_ports(pod.object)
        if not wanted:
            return SKIP, None
        state[self.name] = wanted
        return SUCCESS, None

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """1 where one of the ports is taken."""
        codes = np.zeros(len(rows), np.int64)
        for address, port in state[self.name]:
            users = self._users.get(port)
            if users:
                self._mark(codes, nodes, rows, (address, users))
        return codes

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, _code: int) -> Status:
        """The one reason."""
        return unschedulable(_TAKEN)

    def placed(self, pod: PodInfo, node: str) -> None:
        """Count its ports on the node."""
        for address, port in host_ports(pod.object):
            here = self._users.setdefault(port, {}).setdefault(node, {})
            here[address] = here.get(address, 0) + 1

    def removed(self, pod: PodInfo, node: str) -> None:
        """Count them no more."""
        for address, port in host_ports(pod.object):
            users = self._users[port]
            here = users[node]
            here[address] -= 1
            if not here[address]:
                del here[address]
            if not here:
                del users[node]
            if not users:
                del self._users[port]

    def node_set(self, _old: objects.Object | None, _node: objects.Object, _row: int) -> None:
        """Nodes themselves have no ports."""

    def node_removed(self, _node: objects.Object, _row: int) -> None:
        """Its pods have been taken out before."""

    @staticmethod
    def _mark(
        codes: Codes, nodes: NodeTable, rows: Rows, taken: tuple[str, dict[str, dict[str, int]]]
    ) -> None:
        address, users = taken
        if len(rows) <= _FEW:
            for at, row in enumerate(rows.tolist()):
                here = users.get(nodes.name(row)) if nodes.present[row] else None
                if here and _collides(address, here):
                    codes[at] = 1
            return
        found = [nodes.row(name) for name, here in users.items() if _collides(address, here)]
        codes[np.isin(rows, [row for row in found if row is not None])] = 1


def host_ports(pod: objects.Object) -> list[HostPort]:
    """The host ports that a pod takes on its node, those of its sidecars too."""
    spec = objects.spec(pod)
    return [
        (port.get("hostIP") or _ANY, (port.get("protocol") or "TCP", port["hostPort"]))
        for container in _holders(spec)
        for port in container.get("ports") or ()
        if (port.get("hostPort") or 0) > 0
    ]


def _holders(spec: objects.Object) -> Iterable[objects.Object]:
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container
    yield from spec.get("containers") or ()


def _collides(address: str, taken: dict[str, int]) -> bool:
    return address == _ANY or address in taken or _ANY in taken


def _hint_deleted(pod: PodInfo, occurrence: Occurrence) -> bool:
    """The pod that went had one of the ports."""
    gone = host_ports(occurrence.old)
    return any(
        port == other and (address == there or _ANY in (address, there))
        for address, port in host_ports(pod.object)
        for there, other in gone
    )
