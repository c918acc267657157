"""Headers that are of one hop only, and that no proxy passes on (RFC 9110, 7.6.1). Pure.

Source: httputil.ReverseProxy of Go.
"""

from collections.abc import Iterator, Sequence
from typing import Final

_HEADERS: Final = frozenset((
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
))  # fmt: skip


def passed(headers: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """What goes further of `headers`: name, name in small letters, value."""
    small = [(name, name.lower(), value) for name, value in headers]
    named = {
        option.strip().lower()
        for _, low, value in small
        if low == "connection"
        for option in value.split(",")
    }
    for name, low, value in small:
        if low not in _HEADERS and low not in named:
            yield name, low, value
