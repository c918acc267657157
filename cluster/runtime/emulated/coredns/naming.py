"""Names as DNS compares them: lower case, without the dot at the end; the root is "". Pure."""

import ipaddress
from collections.abc import Iterable
from typing import Final

V4: Final = "in-addr.arpa"
V6: Final = "ip6.arpa"


def normal(name: str) -> str:
    """The name as it is compared."""
    return name.lower().rstrip(".")


def within(name: str, zone: str) -> bool:
    """Whether a normal name is a zone or below it."""
    return not zone or name == zone or name.endswith("." + zone)


def zone_of(name: str, zones: Iterable[str]) -> str | None:
    """The longest of `zones` that has the name; None where none has."""
    found: str | None = None
    for zone in zones:
        if within(name, zone) and (found is None or len(zone) > len(found)):
            found = zone
    return found


def below(name: str, zone: str) -> list[str]:
    """The labels of a name in front of its zone."""
    rest = name[: len(name) - len(zone)].rstrip(".") if zone else name
    return rest.split(".") if rest else []


def is_reverse(zone: str) -> bool:
    """Whether a zone is one of addresses."""
    return within(zone, V4) or within(zone, V6)


def address_of(name: str) -> str:
    """The address that a reverse name is of; "" where it is not whole, or none."""
    if within(name, V4):
        parts = below(name, V4)
        text = ".".join(reversed(parts)) if len(parts) == 4 else ""
    elif within(name, V6):
        parts = below(name, V6)
        nibbles = "".join(reversed(parts)) if len(parts) == 32 else ""
        text = ":".join(nibbles[at : at + 4] for at in range(0, len(nibbles), 4))
    else:
        return ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def dashed(address: str) -> str:
    """An address as a label: `10-244-1-5`."""
    return address.replace(".", "-").replace(":", "-")


def undashed(label: str) -> str:
    """The address of such a label; "" for what is none."""
    text = label.replace("-", ".") if label.count("-") == 3 and "--" not in label else ""
    for one in (text, label.replace("-", ":")):
        try:
            return str(ipaddress.ip_address(one))
        except ValueError:
            continue
    return ""


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
