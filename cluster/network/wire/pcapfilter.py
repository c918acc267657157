"""Filters of captures: a small part of pcap-filter(7), as predicates on frames.

    [tcp|udp|icmp|arp|ip] [src|dst] host ADDRESS | net CIDR | port N | portrange N-M
    and, or (of one precedence, from the left), not, parentheses

`host` may be left out. A condition also holds where the frame inside of VXLAN meets it, so `port
80` finds a request on the wire between nodes, too.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from cluster.network.wire import addresses, arp, ethernet, ipv4, vxlan
from cluster.network.wire.addresses import Prefix

Matches = Callable[[bytes], bool]
_TOKEN: Final = re.compile(r"\s*([()!]|&&|\|\||[^\s()!&|]+)")
_MOST: Final = 2000
_DEEPEST: Final = 32
_PROTOCOLS: Final = {"tcp": ipv4.TCP, "udp": ipv4.UDP, "icmp": ipv4.ICMP}
_KINDS: Final = {"ip": ethernet.IPV4, "arp": ethernet.ARP}
_TYPES: Final = ("host", "net", "port", "portrange")
_ENDS: Final = ("src", "dst")
_LAST_PORT: Final = 65535


class Facts(NamedTuple):
    """What conditions are about. Ports are -1 where there are none."""

    kind: int
    protocol: int = -1
    source: int = -1
    destination: int = -1
    source_port: int = -1
    destination_port: int = -1


_Test = Callable[[Facts], bool]
_Expression = Callable[[Sequence[Facts]], bool]


def compiled(text: str) -> Matches | None:
    """The predicate of a filter; None for an empty one. ValueError with a sentence."""
    if not text.strip():
        return None
    if len(text) > _MOST:
        raise ValueError(f"a filter has {_MOST} characters at most")
    reader = _Reader(_tokens(text))
    expression = reader.expression(0)
    reader.end()
    return lambda data: expression(facts(data))


def facts(data: bytes) -> list[Facts]:
    """What is known of a frame and, where it carries VXLAN, of the frame inside."""
    outer, payload = _facts(data, 0)
    found = [outer]
    tunnelled = outer.protocol == ipv4.UDP and outer.destination_port == vxlan.PORT
    if tunnelled and len(data) >= payload + 8 + vxlan.HEADER + ethernet.HEADER:
        found.append(_facts(data, payload + 8 + vxlan.HEADER)[0])
    return found


def _facts(data: bytes, at: int) -> tuple[Facts, int]:
    """Those of the frame that begins at `at`, and where its transport's header begins."""
    kind = int.from_bytes(data[at + 12 : at + 14], "big")
    offset = at + ethernet.HEADER
    if kind == ethernet.ARP:
        packet = arp.parse(data, offset)
        if packet is not None:
            return Facts(kind, -1, packet.sender, packet.target), 0
        return Facts(kind), 0
    header = ipv4.parse(data, offset, verify=False) if kind == ethernet.IPV4 else None
    if header is None:
        return Facts(kind), 0
    ports = (-1, -1)
    start = header.payload
    ported = header.protocol in (ipv4.TCP, ipv4.UDP) and header.end >= start + 4
    if ported and not header.fragment & ipv4.OFFSET_MASK:
        ports = data[start] << 8 | data[start + 1], data[start + 2] << 8 | data[start + 3]
    return Facts(kind, header.protocol, header.source, header.destination, *ports), start


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"the filter cannot be read from {text[at:]!r} on")
        found.append(match[1])
        at = match.end()
    return found


class _Reader:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        if not token:
            raise ValueError("the filter ends where more was expected")
        self._at += 1
        return token

    def end(self) -> None:
        """Nothing may be left."""
        if self._next():
            raise ValueError(f"the filter has {self._next()!r} where and, or, its end should be")

    def expression(self, depth: int) -> _Expression:
        """Factors joined by and, or."""
        if depth > _DEEPEST:
            raise ValueError("the filter is nested too deep")
        left = self._factor(depth)
        while (word := self._next()) in ("and", "&&", "or", "||"):
            self._at += 1
            left = _joined(left, self._factor(depth), both=word in ("and", "&&"))
        return left

    def _factor(self, depth: int) -> _Expression:
        negated = False
        while self._next() in ("not", "!"):
            self._at += 1
            negated = not negated
        if self._next() == "(":
            self._at += 1
            inner = self.expression(depth + 1)
            if self._take() != ")":
                raise ValueError("a parenthesis of the filter is not closed")
        else:
            test = self._primitive()

            def inner(seen: Sequence[Facts]) -> bool:
                return any(test(one) for one in seen)

        return (lambda seen: not inner(seen)) if negated else inner

    def _primitive(self) -> _Test:
        tests: list[_Test] = []
        word = self._take()
        if word in _PROTOCOLS or word in _KINDS:
            tests.append(_of_protocol(word))
            word = self._next()
            if word not in (*_TYPES, *_ENDS):
                return tests[0]
            self._at += 1
        end = ""
        if word in _ENDS:
            end = word
            word = self._take()
        if word in _TYPES:
            tests.append(_of_type(word, end, self._take()))
        else:
            tests.append(_of_type("host", end, word))
        return (lambda one: all(test(one) for test in tests)) if len(tests) > 1 else tests[0]


def _joined(left: _Expression, right: _Expression, *, both: bool) -> _Expression:
    if both:
        return lambda seen: left(seen) and right(seen)
    return lambda seen: left(seen) or right(seen)


def _of_protocol(word: str) -> _Test:
    if word in _KINDS:
        kind = _KINDS[word]
        return lambda one: one.kind == kind
    protocol = _PROTOCOLS[word]
    return lambda one: one.protocol == protocol


def _of_type(kind: str, end: str, value: str) -> _Test:
    if kind in ("host", "net"):
        try:
            wanted = (
                addresses.prefix(value) if kind == "net" else Prefix(addresses.parse(value), 32)
            )
        except ValueError:
            raise ValueError(_strange(kind, value)) from None
        return _at_end(end, lambda address, _port: address >= 0 and address in wanted)
    first, dash, last = value.partition("-")
    if (kind == "portrange") != bool(dash):
        raise ValueError(f"{value!r} is no {'range of ports' if kind == 'portrange' else 'port'}")
    low, high = _port(first), _port(last if dash else first)
    return _at_end(end, lambda _address, port: low <= port <= high)


def _strange(kind: str, value: str) -> str:
    if kind == "net":
        return f"{value!r} is no network as 10.244.1.0/24"
    return f"{value!r} is neither an IPv4 address nor a word of filters: see --help"


def _at_end(end: str, test: Callable[[int, int], bool]) -> _Test:
    if end == "src":
        return lambda one: test(one.source, one.source_port)
    if end == "dst":
        return lambda one: test(one.destination, one.destination_port)
    return lambda one: (
        test(one.source, one.source_port) or test(one.destination, one.destination_port)
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= _LAST_PORT):
        raise ValueError(f"{text!r} is no port")
    return int(text)
