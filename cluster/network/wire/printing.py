"""Frames as tcpdump prints them, a line each; what VXLAN carries has a line of its own."""

from collections import OrderedDict
from typing import Final

from cluster.network.wire import addresses, arp, ethernet, icmp, ipv4, mac, tcp, udp, vxlan

_FLAGS: Final = (
    (tcp.FIN, "F"), (tcp.SYN, "S"), (tcp.RST, "R"), (tcp.PSH, "P"), (tcp.URG, "U"),
    (tcp.ECE, "E"), (tcp.CWR, "W"), (tcp.ACK, "."),
)  # fmt: skip
_REMEMBERED: Final = 4096
"""Directions of connections whose first sequence number is remembered."""
_HTTP: Final = (
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"PATCH ",
    b"OPTIONS ",
    b"HTTP/1.",
)
_LINE: Final = 200
_DNS: Final = 53
_RECORDS: Final = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT",
                   28: "AAAA", 33: "SRV"}  # fmt: skip
_CODES: Final = {1: "FormErr", 2: "ServFail", 3: "NXDomain", 4: "NotImp", 5: "Refused"}

_Flow = tuple[int, int, int, int]


class Printer:
    """Prints frames; sequence numbers count from the first that it saw of a connection, as
    tcpdump's do.
    """

    def __init__(self) -> None:
        self._first: OrderedDict[_Flow, int] = OrderedDict()

    def text(self, data: bytes) -> str:
        """What a frame is; what cannot be read is said so."""
        link = ethernet.parse(data)
        if link is None:
            return "[|ether]"
        if link.type == ethernet.ARP:
            return _arp(data)
        if link.type == ethernet.IPV4:
            return self._ip(data, ethernet.HEADER)
        if link.type == ethernet.IPV6:
            return f"IP6, length {len(data) - ethernet.HEADER}"
        ends = f"{mac.text(link.source)} > {mac.text(link.destination)}"
        return f"{ends}, ethertype Unknown (0x{link.type:04x}), length {len(data)}"

    def _ip(self, data: bytes, offset: int) -> str:
        header = ipv4.parse(data, offset, verify=False)
        if header is None:
            return "IP [|ip]"
        source, destination = addresses.text(header.source), addresses.text(header.destination)
        length = header.end - header.payload
        if header.fragment & ipv4.OFFSET_MASK:
            return f"IP {source} > {destination}: ip-proto-{header.protocol}, length {length}"
        if header.protocol == ipv4.TCP:
            segment = tcp.parse(data, header.payload, header.end)
            if segment is not None:
                ends = f"{source}.{segment.source} > {destination}.{segment.destination}"
                return f"IP {ends}: {self._tcp(header, segment)}"
        if header.protocol == ipv4.UDP:
            found = udp.parse(data, header.payload, header.end)
            if found is not None:
                ends = f"{source}.{found.source} > {destination}.{found.destination}"
                return f"IP {ends}: {self._udp(data, found)}"
        if header.protocol == ipv4.ICMP:
            message = icmp.parse(data, header.payload, header.end, verify=False)
            if message is not None:
                return f"IP {source} > {destination}: {_icmp(message)}, length {length}"
        return f"IP {source} > {destination}: ip-proto-{header.protocol}, length {length}"

    def _tcp(self, header: ipv4.Header, segment: tcp.Segment) -> str:
        flow = header.source, segment.source, header.destination, segment.destination
        back = flow[2], flow[3], flow[0], flow[1]
        length = len(segment.payload)
        words = [f"Flags [{_flags(segment.flags)}]"]
        syn = bool(segment.flags & tcp.SYN)
        if syn or flow not in self._first:
            self._note(flow, segment.sequence)
            number = segment.sequence
        else:
            number = (segment.sequence - self._first[flow]) & 0xFFFFFFFF
        if syn or length or segment.flags & (tcp.FIN | tcp.RST):
            shown = f"{number}:{(number + length) & 0xFFFFFFFF}" if length else f"{number}"
            words.append(f"seq {shown}")
        if segment.flags & tcp.ACK:
            acknowledged = segment.acknowledgment
            if not syn and back in self._first:
                acknowledged = (acknowledged - self._first[back]) & 0xFFFFFFFF
            words.append(f"ack {acknowledged}")
        words.append(f"win {segment.window}")
        told = _options(segment.options)
        if told:
            words.append(f"options [{told}]")
        words.append(f"length {length}")
        return ", ".join(words) + _http(segment.payload)

    def _note(self, flow: _Flow, sequence: int) -> None:
        self._first.pop(flow, None)
        self._first[flow] = sequence
        if len(self._first) > _REMEMBERED:
            self._first.popitem(last=False)

    def _udp(self, data: bytes, found: udp.Header) -> str:
        payload = data[found.payload : found.end]
        if found.destination == vxlan.PORT and len(payload) >= vxlan.HEADER + ethernet.HEADER:
            vni = int.from_bytes(payload[4:7], "big")
            flags = payload[0]
            inner = self.text(payload[vxlan.HEADER :])
            shown = "I" if flags & 8 else "."
            return f"VXLAN, flags [{shown}] (0x{flags:02x}), vni {vni}\n{inner}"
        if _DNS in (found.source, found.destination):
            told = _dns(payload)
            if told:
                return told
        return f"UDP, length {len(payload)}"


def _flags(flags: int) -> str:
    return "".join(letter for bit, letter in _FLAGS if flags & bit) or "none"


def _options(raw: bytes) -> str:
    found = tcp.options(raw)
    words: list[str] = []
    if found.mss:
        words.append(f"mss {found.mss}")
    if found.sack_permitted:
        words.append("sackOK")
    if found.timestamps is not None:
        words.append(f"TS val {found.timestamps[0]} ecr {found.timestamps[1]}")
    if found.window_scale >= 0:
        words.append(f"wscale {found.window_scale}")
    if found.sack:
        blocks = "".join(f"{{{start}:{end}}}" for start, end in found.sack)
        words.append(f"sack {len(found.sack)} {blocks}")
    return ",".join(words)


def _http(payload: bytes) -> str:
    if not payload.startswith(_HTTP):
        return ""
    line = payload[:_LINE].partition(b"\r\n")[0].decode("ascii", "replace")
    return f": HTTP: {_shown(line)}"


def _arp(data: bytes) -> str:
    packet = arp.parse(data)
    if packet is None:
        return "[|ARP]"
    length = len(data) - ethernet.HEADER
    if packet.operation == arp.REQUEST:
        who, tell = addresses.text(packet.target), addresses.text(packet.sender)
        return f"ARP, Request who-has {who} tell {tell}, length {length}"
    owner = addresses.text(packet.sender)
    return f"ARP, Reply {owner} is-at {mac.text(packet.sender_mac)}, length {length}"


def _icmp(message: icmp.Message) -> str:
    if message.type in (icmp.ECHO_REQUEST, icmp.ECHO_REPLY):
        kind = "request" if message.type == icmp.ECHO_REQUEST else "reply"
        return f"ICMP echo {kind}, id {message.identifier}, seq {message.sequence}"
    if message.type == icmp.TIME_EXCEEDED:
        if message.code == icmp.TTL_EXCEEDED:
            return "ICMP time exceeded in-transit"
        return "ICMP ip reassembly time exceeded"
    if message.type == icmp.UNREACHABLE:
        return f"ICMP {_unreachable(message)}"
    return f"ICMP type-#{message.type}"


def _unreachable(message: icmp.Message) -> str:
    quoted = icmp.quoted(message)
    to = addresses.text(quoted.destination) if quoted is not None else "?"
    if message.code == icmp.PORT_UNREACHABLE and quoted is not None:
        names = {ipv4.TCP: "tcp", ipv4.UDP: "udp"}
        at = quoted.payload
        port = int.from_bytes(message.payload[at + 2 : at + 4], "big")
        return f"{to} {names.get(quoted.protocol, str(quoted.protocol))} port {port} unreachable"
    if message.code == icmp.FRAGMENTATION_NEEDED:
        return f"{to} unreachable - need to frag (mtu {message.mtu})"
    if message.code == icmp.NETWORK_UNREACHABLE:
        return f"net {to} unreachable"
    if message.code == icmp.ADMINISTRATIVELY_PROHIBITED:
        return f"host {to} unreachable - admin prohibited filter"
    if message.code == icmp.PROTOCOL_UNREACHABLE and quoted is not None:
        return f"{to} protocol {quoted.protocol} unreachable"
    return f"host {to} unreachable"


def _dns(payload: bytes) -> str:
    """A question, or the answers to one; empty where it is no such message."""
    if len(payload) < 12:
        return ""
    words = [int.from_bytes(payload[at : at + 2], "big") for at in range(0, 12, 2)]
    number, flags, questions, answers, authorities, more = words
    if questions != 1:
        return ""
    labels: list[str] = []
    at = 12
    while at < len(payload) and 0 < payload[at] < 64:
        labels.append(payload[at + 1 : at + 1 + payload[at]].decode("ascii", "replace"))
        at += 1 + payload[at]
    if at + 5 > len(payload) or payload[at]:
        return ""
    kind = int.from_bytes(payload[at + 1 : at + 3], "big")
    asked = f"{_RECORDS.get(kind, f'Type{kind}')}? {_shown('.'.join(labels))}."
    if not flags & 0x8000:
        return f"{number}{'+' if flags & 0x100 else ''} {asked} ({len(payload)})"
    code = _CODES.get(flags & 0xF, "")
    marks = f"{' ' + code if code else ''}{'*' if flags & 0x400 else ''}"
    return f"{number}{marks} q: {asked} {answers}/{authorities}/{more} ({len(payload)})"


def _shown(text: str) -> str:
    """What somebody else sent must not steer a terminal."""
    return "".join(one if one.isprintable() else "." for one in text)
