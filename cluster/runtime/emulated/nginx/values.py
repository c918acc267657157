"""Values of nginx' directives: sizes, times, flags, addresses, patterns. Pure.

Each raises what `fault(message)` makes.
"""

import ipaddress
import re
from typing import Any, Final

from cluster.api import regexes
from cluster.runtime.emulated.nginx.model import Listen, Pattern
from cluster.runtime.emulated.nginx.parsing import Directive

_SIZES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TIMES: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
                 "M": 2592000.0, "y": 31536000.0, "": 1.0}  # fmt: skip
_TIME: Final = re.compile(r"(\d{1,12})(ms|[smhdwMy]?)")
_LISTEN_WORDS_TEXT: Final = (
    "default_server default ssl http2 http3 quic proxy_protocol deferred bind reuseport multipath"
)
_LISTEN_WORDS: Final = frozenset(_LISTEN_WORDS_TEXT.split())
_LISTEN_SETTINGS: Final = ("backlog=", "rcvbuf=", "sndbuf=", "accept_filter=", "ipv6only=",
                           "so_keepalive=", "fastopen=", "setfib=")  # fmt: skip


def size(one: Directive) -> int:
    """Bytes."""
    match = re.fullmatch(r"(\d{1,12})([kKmMgG]?)", one.args[0])
    if match is None:
        raise one.place.fault(f'"{one.name}" directive invalid value')
    return int(match[1]) * _SIZES[match[2].lower()]


def seconds(one: Directive) -> float:
    """A time."""
    text, total, at = one.args[0], 0.0, 0
    while at < len(text) or not text:
        match = _TIME.match(text, at)
        if match is None:
            raise one.place.fault(f'"{one.name}" directive invalid value')
        total += int(match[1]) * _TIMES[match[2]]
        at = match.end()
        while at < len(text) and text[at] == " ":
            at += 1
    return total


def flag(one: Directive) -> bool:
    """`on` or `off`."""
    value = one.args[0].lower()
    if value not in ("on", "off"):
        raise one.place.fault(
            f'invalid value "{one.args[0]}" in "{one.name}" directive, it must be "on" or "off"'
        )
    return value == "on"


def pattern(text: str, one: Directive, *, caseless: bool = False) -> Pattern:
    """A regular expression: RE2 here, PCRE in nginx; look-around and back references are not
    built, and are refused.
    """
    found = ("(?i)" if caseless else "") + text
    fault = regexes.fault(found)
    if fault:
        raise one.place.fault(f'pcre2_compile() failed: {fault} in "{text}"')
    program = regexes.program(found)
    return Pattern(text, program, tuple(program.groupindex))


def network(one: Directive) -> Any:
    """The network of `allow` and `deny`; None for `all` (and for what is no IP network here)."""
    text = one.args[0]
    if text == "all":
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise one.place.fault(f'invalid parameter "{text}"') from None


def listen(one: Directive) -> Listen:
    """`listen`."""
    text, *words = one.args
    for word in words:
        if word not in _LISTEN_WORDS and not word.startswith(_LISTEN_SETTINGS):
            raise one.place.fault(f'invalid parameter "{word}"')
    default = "default_server" in words or "default" in words
    tls = "ssl" in words
    if text.startswith("unix:"):
        raise one.place.fault("sockets of the file system are not built in the emulated nginx")
    host, port_text = text, ""
    if text.isdigit():
        host, port_text = "*", text
    elif text.startswith("["):
        host, _, port_text = text[1:].partition("]")
        port_text = port_text.removeprefix(":")
        if not host:
            raise one.place.fault(f'invalid IPv6 address in "{text}" of the "listen" directive')
    elif ":" in text:
        host, _, port_text = text.rpartition(":")
    port_text = port_text or "80"
    if not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text[:6]) < 65536):
        raise one.place.fault(f'invalid port in "{text}" of the "listen" directive')
    return Listen(_address(host, text, one), int(port_text), default, tls, text)


def _address(host: str, text: str, one: Directive) -> str:
    if host in ("*", "", "localhost"):
        return "127.0.0.1" if host == "localhost" else "0.0.0.0"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise one.place.fault(f'host not found in "{text}" of the "listen" directive') from None
