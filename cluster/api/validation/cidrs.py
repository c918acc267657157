"""Networks in CIDR notation (k8s.io/apimachinery/pkg/util/validation/ip.go)."""

import ipaddress
import re
from functools import lru_cache
from typing import Final

from cluster.api import causes
from cluster.api.validation.values import Causes

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MESSAGE: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_LENGTH: Final = re.compile(r"[0-9]{1,3}", re.ASCII)


@lru_cache(1024)
def network(text: str) -> Network | None:
    """The network that the text is in, or None; bits beyond the prefix do not matter."""
    address, slash, length = text.partition("/")
    if not slash or _LENGTH.fullmatch(length) is None or "%" in address:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def legacy(path: str, text: str) -> Causes:
    """A network in a field of old, where bits beyond the prefix are let pass."""
    return [] if network(text) is not None else [causes.invalid(path, text, MESSAGE)]


def strict(path: str, text: str) -> Causes:
    """A network in a field of today: in the one form that it has."""
    found = network(text)
    if found is None:
        return [causes.invalid(path, text, MESSAGE)]
    if text == str(found):
        return []
    address = ipaddress.ip_address(text.partition("/")[0])
    if address != found.network_address:
        detail = "must not have bits set beyond the prefix length"
        return [causes.invalid(path, text, detail)]
    return [causes.invalid(path, text, f'must be in canonical form ("{found}")')]
