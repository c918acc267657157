"""URLs that a registry sends (where to upload to), before they are asked. Pure.

What is wrong with one is said as Go's net/url and net/http say it.
"""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
_LONGEST_LABEL: Final = 63


class Wrong(ValueError):
    """Nobody can be asked there; the message says why."""


def joined(base: str, where: str) -> str:
    """The whole URL of what was sent, which may be relative. Wrong."""
    if _CONTROL.search(where):
        raise Wrong("net/url: invalid control character in URL")
    try:
        url = urljoin(base, where)
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise Wrong("missing ']' in host") from error
    if parts.scheme not in ("http", "https"):
        raise Wrong(f'unsupported protocol scheme "{parts.scheme}"')
    if not host:
        raise Wrong("http: no Host in request URL")
    _check_port(parts.netloc)
    if not all(0 < len(label) <= _LONGEST_LABEL for label in host.rstrip(".").split(".")):
        raise Wrong(f"dial tcp: lookup {host}: no such host")
    return url


def _check_port(netloc: str) -> None:
    _, colon, port = netloc.rpartition("@")[2].rpartition("]")[2].partition(":")
    if colon and port and not (port.isascii() and port.isdigit()):
        raise Wrong(f'invalid port ":{port}" after host')
    if port and int(port[:6]) > 65535:
        raise Wrong(f"dial tcp: address {port}: invalid port")
