"""A node's data plane as metrics, in Prometheus' text format, made when somebody asks.

Names are those of node_exporter where it has them (`node_nf_conntrack_entries`), else
`kubemu_network_…`. docs/network.md lists them.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from cluster.network.stack import drops
from cluster.network.stack.nat import verdicts
from cluster.runtime.network.links import Links
from cluster.runtime.network.node import Node

KIND: Final = "text/plain; version=0.0.4; charset=utf-8"
_ALWAYS: Final = (
    drops.MALFORMED, drops.IPV6, drops.NO_ROUTE, drops.TTL, drops.TOO_BIG, drops.NO_NEIGHBOUR,
    drops.UNKNOWN_PEER, drops.VXLAN_HEADER, drops.NO_VTEP, drops.LINK_CUT, *verdicts.REASONS,
)  # fmt: skip
"""Reasons that are told of from the beginning, so that their first drop is seen as an increase."""

Samples = Iterable[tuple[Mapping[str, str], float]]


def exposition(node: Node, links: Links) -> bytes:
    """The page."""
    page = _Page()
    core, nat = node.datapath, node.nat
    counts = dict.fromkeys(_ALWAYS, 0) | dict(core.drops.counts)
    page.add(
        "kubemu_network_drops_total",
        "counter",
        "Packets that the data plane dropped, by reason.",
        [({"reason": reason}, count) for reason, count in counts.items()],
    )
    page.add(
        "kubemu_network_socket_drops_total", "counter",
        "Datagrams that the machine dropped, for the node read them too slowly.",
        [({"socket": name}, count) for name, count in node.socket_drops().items()],
    )  # fmt: skip
    ports = list(core.ports())
    page.add(
        "kubemu_network_port_receive_frames_total",
        "counter",
        "Frames from a port: a pod by its address, host, or outside; long ones are not cut.",
        [({"port": one.name}, one.received) for one in ports],
    )
    page.add(
        "kubemu_network_port_transmit_frames_total",
        "counter",
        "Frames to a port.",
        [({"port": one.name}, one.queue.sent) for one in ports],
    )
    page.one("node_nf_conntrack_entries", "gauge", "Connections that are tracked.",
             len(nat.conntrack))  # fmt: skip
    page.one("node_nf_conntrack_entries_limit", "gauge", "Connections that are tracked at most.",
             nat.conntrack.largest)  # fmt: skip
    page.one("kubemu_network_conntrack_refused_total", "counter",
             "Connections for which there was no room.", nat.conntrack.refused)  # fmt: skip
    page.one("kubemu_network_conntrack_evicted_total", "counter",
             "Connections that were not assured and made room for others.",
             nat.conntrack.evicted)  # fmt: skip
    page.one("kubemu_network_services", "gauge", "Entries of the service table.",
             len(nat.services.services))  # fmt: skip
    page.one("kubemu_network_policies", "gauge", "Policies that hold for pods of the node.",
             len(nat.filter.policies))  # fmt: skip
    page.one("kubemu_network_peers", "gauge", "Other nodes that are known.", len(core.peers))
    _links(page, links)
    return page.text()


def _links(page: "_Page", links: Links) -> None:
    found: list[tuple[Mapping[str, str], float]] = []
    for one in links.rows():
        counters = one.counters
        results = {
            "passed": counters.passed, "lost": counters.lost + counters.overflowed,
            "cut": counters.cut, "duplicated": counters.duplicated,
            "reordered": counters.reordered,
        }  # fmt: skip
        found += [({"link": one.link, "result": name}, count) for name, count in results.items()]
    if found:
        page.add(
            "kubemu_network_link_packets_total", "counter",
            "What became of packets on links that are bad on purpose.", found,
        )  # fmt: skip


class _Page:
    def __init__(self) -> None:
        self._lines: list[str] = []

    def one(self, name: str, kind: str, help: str, value: float) -> None:
        self.add(name, kind, help, [({}, value)])

    def add(self, name: str, kind: str, help: str, samples: Samples) -> None:
        self._lines += [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            self._lines.append(f"{name}{{{shown}}} {value:g}" if shown else f"{name} {value:g}")

    def text(self) -> bytes:
        return "\n".join((*self._lines, "")).encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
