"""Traces: the packet that a pod would send, what this node would do with it, and who is there."""

from typing import Final

from cluster.network.stack import drops
from cluster.network.stack import trace as traces
from cluster.network.stack.forwarding import Answer
from cluster.network.stack.ports import HOST, OUTSIDE
from cluster.network.stack.router import BRIDGE, TUNNEL, WIRE
from cluster.network.stack.trace import Trace
from cluster.network.wire import addresses, ethernet, icmp, ipv4, mac, tcp, udp
from cluster.network.wire.frame import Frame
from cluster.pb.cluster.v1 import netops_pb2 as pb
from cluster.runtime import portbinding
from cluster.runtime.network.links import POD, Links, State
from cluster.runtime.network.node import Node

PROTOCOLS: Final = {"tcp": ipv4.TCP, "udp": ipv4.UDP, "icmp": ipv4.ICMP}
_FIRST_PORT: Final = 49152
_WINDOW: Final = 64240
_ENDS: Final = {
    traces.DROPPED: pb.TraceResponse.DROPPED,
    traces.ASKED: pb.TraceResponse.UNRESOLVED,
    traces.PEER: pb.TraceResponse.NODE,
}
_UNREACHABLE: Final = {
    icmp.NETWORK_UNREACHABLE: "network unreachable",
    icmp.HOST_UNREACHABLE: "host unreachable",
    icmp.PROTOCOL_UNREACHABLE: "protocol unreachable",
    icmp.PORT_UNREACHABLE: "port unreachable",
    icmp.FRAGMENTATION_NEEDED: "fragmentation needed",
    icmp.ADMINISTRATIVELY_PROHIBITED: "administratively prohibited",
}


def sent(node: Node, links: Links, now: float, asked: pb.TracedPacket) -> pb.TraceResponse:
    """What becomes of a pod's packet at its node. ValueError with a sentence."""
    source, destination = addresses.parse(asked.source), addresses.parse(asked.destination)
    protocol = PROTOCOLS.get(asked.protocol)
    if protocol is None:
        raise ValueError(f"a trace is of tcp, udp or icmp, not {asked.protocol!r}")
    if protocol != ipv4.ICMP and not 0 < asked.port <= 65535:
        raise ValueError(f"a trace of {asked.protocol} needs a port, and {asked.port} is none")
    core, own = node.datapath, _own(node)
    is_node = source in own
    loopback = portbinding.is_loopback(asked.destination)
    if loopback or source == destination or (is_node and destination in own):
        return _to_itself(node, asked, is_node=is_node)
    link = core.devices[BRIDGE].mac
    on_link = not is_node and destination in core.settings.network and destination not in own
    if on_link:
        link = mac.of_address(destination)
    packet = _packet(node, source, destination, protocol, asked)
    data = ethernet.build(link, mac.of_address(source), ethernet.IPV4, packet)
    if on_link and not node.has_pod(asked.destination):
        decision = pb.TraceDecision(
            table="arp", rule=f"nobody on {BRIDGE} has {asked.destination}",
            verdict=drops.NO_NEIGHBOUR,
        )  # fmt: skip
        told = pb.TraceResponse(
            decisions=[decision], end=pb.TraceResponse.DROPPED, reason=drops.NO_NEIGHBOUR,
            answer="host unreachable", destination=asked.destination, port=asked.port,
        )  # fmt: skip
    else:
        found = core.trace(now, HOST if is_node else asked.source, Frame(data))
        told = _told(node, found)
    _add_link(told, links, f"{POD}{asked.source}")
    return _finished(node, links, told)


def arrived(node: Node, links: Links, now: float, asked: pb.ArrivingFrame) -> pb.TraceResponse:
    """What becomes of a packet that comes from another node. ValueError with a sentence."""
    if asked.device not in (TUNNEL, WIRE):
        raise ValueError(f"packets of other nodes come by {TUNNEL} or {WIRE}, not {asked.device!r}")
    if len(asked.data) < ethernet.HEADER + ipv4.HEADER:
        raise ValueError("that is no IPv4 packet")
    return _finished(
        node, links, _told(node, node.datapath.trace(now, asked.device, Frame(asked.data)))
    )


def _own(node: Node) -> tuple[int, ...]:
    core = node.datapath.settings
    return core.address, core.gateway, core.network.network


def _packet(
    node: Node, source: int, destination: int, protocol: int, asked: pb.TracedPacket
) -> bytes:
    """The first packet of a connection that there is not yet."""
    if protocol == ipv4.ICMP:
        body = icmp.build(
            icmp.ECHO_REQUEST, 0, _free(node, source, destination, 8, 1) << 16 | 1, bytes(56)
        )
    else:
        port = asked.source_port or _free(node, source, destination, asked.port, protocol)
        if protocol == ipv4.TCP:
            options = tcp.build_options(tcp.Options(node.datapath.settings.pod_mtu - 40))
            syn = tcp.Segment(port, asked.port, 0, 0, tcp.SYN, _WINDOW, 0, options, b"")
            body = tcp.build(source, destination, syn)
        else:
            body = udp.build(source, destination, port, asked.port, b"")
    return ipv4.header(source, destination, protocol, len(body)) + body


def _free(node: Node, source: int, destination: int, port: int, protocol: int) -> int:
    """A source port (of an echo: an identifier) that no connection to the same place has."""
    table = node.nat.conntrack
    for one in range(_FIRST_PORT, 65536):
        if table.find((source, one, destination, port, protocol)) is None:
            return one
    return _FIRST_PORT


def _to_itself(node: Node, asked: pb.TracedPacket, *, is_node: bool) -> pb.TraceResponse:
    told = pb.TraceResponse(
        end=pb.TraceResponse.HOST if is_node else pb.TraceResponse.POD,
        where=node.datapath.settings.name if is_node else asked.source,
        device="lo", destination=asked.destination, port=asked.port,
    )  # fmt: skip
    loopback = portbinding.is_loopback(asked.destination)
    rule = f"{asked.destination} is its own {'loopback' if loopback else 'address'}"
    told.decisions.add(table="route", rule=rule, verdict="accept")
    protocol = PROTOCOLS[asked.protocol]
    told.socket = _socket(node, asked.source, protocol, asked.port, at=asked.destination)
    return told


def _told(node: Node, found: Trace) -> pb.TraceResponse:
    end = _ENDS.get(found.end)
    where = found.where
    if end is None:
        end = pb.TraceResponse.POD
        if where in (HOST, OUTSIDE):
            end = pb.TraceResponse.HOST if where == HOST else pb.TraceResponse.OUTSIDE
            where = node.datapath.settings.name if where == HOST else ""
    told = pb.TraceResponse(
        decisions=[
            pb.TraceDecision(table=one.table, rule=one.rule, verdict=one.verdict)
            for one in found.decisions
        ],
        end=end, where=where, device=found.device, reason=found.reason,
        answer=_answer(found.answer) if found.answer is not None else "",
        frame=found.frame.data if found.frame is not None else b"",
    )  # fmt: skip
    header = ipv4.parse(told.frame) if told.frame else None
    if header is None:
        return told
    told.destination = addresses.text(header.destination)
    if header.protocol in (ipv4.TCP, ipv4.UDP):
        told.port = int.from_bytes(told.frame[header.payload + 2 : header.payload + 4], "big")
    if end in (pb.TraceResponse.POD, pb.TraceResponse.HOST):
        told.socket = _socket(node, told.destination, header.protocol, told.port)
    return told


def _answer(answer: Answer) -> str:
    if answer.type == icmp.TIME_EXCEEDED:
        return "time to live exceeded"
    return _UNREACHABLE.get(answer.code, f"ICMP type {answer.type} code {answer.code}")


def _socket(node: Node, holder: str, protocol: int, port: int, *, at: str = "") -> str:
    """Who is at a port of the pod or node that has an address, `at` this address of it; empty where
    that is not known here.
    """
    if protocol == ipv4.ICMP or node.is_kernels(holder):
        return ""
    space = node.holder(holder)
    if space is None:
        return ""
    listening = protocol == ipv4.TCP
    if space.has_bound(at or holder, port, stream=listening):
        return "listening"
    if listening and space.occupant.answers(port) is not None:
        return "listening"
    return "asleep" if space.occupant.asleep() else "closed"


def _finished(node: Node, links: Links, told: pb.TraceResponse) -> pb.TraceResponse:
    """With the links that lie ahead, where they are bad."""
    if told.end == pb.TraceResponse.NODE:
        _add_link(told, links, told.where)
    elif told.end == pb.TraceResponse.POD:
        _add_link(told, links, f"{POD}{told.where}")
    return told


def _add_link(told: pb.TraceResponse, links: Links, name: str) -> None:
    found = links.of(name)
    if found is not None:
        told.links.append(state(found))


def state(one: State) -> pb.LinkState:
    """A bad link as a message."""
    how, counters = one.wanted.impairment, one.counters
    return pb.LinkState(
        link=one.link,
        impairment=pb.LinkImpairment(
            delay=how.delay, jitter=how.jitter, loss=how.loss, duplicate=how.duplicate,
            reorder=how.reorder, rate=how.rate,
        ),
        cut=how.cut, seed=one.wanted.seed, passed=counters.passed, lost=counters.lost,
        duplicated=counters.duplicated, reordered=counters.reordered,
        overflowed=counters.overflowed, refused=counters.cut,
    )  # fmt: skip
