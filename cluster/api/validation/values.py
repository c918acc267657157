"""Checks of single values that many kinds share, with Kubernetes' sentences."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from cluster.api import causes, errors, metadata

NOT_NEGATIVE: Final = "must be greater than or equal to 0"
IMMUTABLE: Final = "field is immutable"
PORT_RANGE: Final = "must be between 1 and 65535, inclusive"
PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_CONFIG_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+", re.ASCII)
_CONFIG_KEY_MESSAGE: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_PERCENT: Final = re.compile(r"[0-9]+%", re.ASCII)
_PERCENT_MESSAGE: Final = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
    "'93%', regex used for validation is '[0-9]+%')"
)

Causes = list[errors.Cause]


def complaints(path: str, value: str, told: Iterable[str]) -> Causes:
    """A cause for each complaint about the value."""
    return [causes.invalid(path, value, complaint) for complaint in told]


def one_of(path: str, value: str | None, known: tuple[str, ...]) -> Causes:
    """A required enumeration."""
    if value in known:
        return []
    return [causes.not_supported(path, value, known)] if value else [causes.required(path)]


def not_negative(path: str, value: int | None) -> Causes:
    """A number that is absent, zero or more."""
    return [causes.invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def within(path: str, value: int, low: int, high: int) -> Causes:
    """A number in an inclusive range."""
    if low <= value <= high:
        return []
    return [causes.invalid(path, value, f"must be between {low} and {high}, inclusive")]


def port_number(path: str, value: int) -> Causes:
    """A port from 1 to 65535."""
    return [] if 1 <= value <= 65535 else [causes.invalid(path, value, PORT_RANGE)]


def port_or_name(path: str, value: Any) -> Causes:
    """A port's number or name (an IntOrString); 0 and "" are neither."""
    if isinstance(value, int):
        return port_number(path, value)
    return complaints(path, value, port_name(value or ""))


@lru_cache(1024)
def port_name(text: str) -> metadata.Complaints:
    """An IANA service name: letters, digits and single dashes, fifteen at most."""
    found: list[str] = []
    if len(text) > 15:
        found.append("must be no more than 15 bytes")
    if re.fullmatch(r"[-a-z0-9]+", text) is None:
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if re.search(r"[a-z]", text) is None:
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return tuple(found)


def path_segment(text: str) -> metadata.Complaints:
    """A name that stands between the slashes of a path."""
    if text in (".", ".."):
        return (f"may not be '{text}'",)
    return tuple(f"may not contain '{mark}'" for mark in "/%" if mark in text)


@lru_cache(4096)
def config_key(text: str) -> metadata.Complaints:
    """A key of a ConfigMap or Secret."""
    found: list[str] = []
    if len(text) > metadata.DNS1123_SUBDOMAIN_LENGTH:
        found.append(f"must be no more than {metadata.DNS1123_SUBDOMAIN_LENGTH} bytes")
    if _CONFIG_KEY.fullmatch(text) is None:
        found.append(_CONFIG_KEY_MESSAGE)
    if text == ".":
        found.append("must not be '.'")
    elif text == "..":
        found.append("must not be '..'")
    elif text.startswith(".."):
        found.append("must not start with '..'")
    return tuple(found)


def count_or_percent(path: str, value: Any) -> Causes:
    """An IntOrString that is a number of zero or more, or a percentage."""
    if isinstance(value, int):
        return not_negative(path, value)
    if value is not None and _PERCENT.fullmatch(value) is None:
        return [causes.invalid(path, value, _PERCENT_MESSAGE)]
    return []


def not_over_hundred(path: str, value: Any) -> Causes:
    """A percentage of at most 100."""
    if (percent(value) or 0) > 100:
        return [causes.invalid(path, value, "must not be greater than 100%")]
    return []


def is_zero(value: Any) -> bool:
    """Whether a count or percentage is none at all."""
    return value in (None, 0) or percent(value) == 0


def not_negatives(path: str, holder: Mapping[str, Any], *fields: str) -> Causes:
    """Fields of `holder` at `path` that are numbers: absent, zero or more."""
    return [
        causes.invalid(f"{path}.{field}", holder[field], NOT_NEGATIVE)
        for field in fields
        if (holder.get(field) or 0) < 0
    ]


def at_most(path: str, holder: Mapping[str, Any], total: str, *fields: str) -> Causes:
    """Counts of a status at `path` that may not exceed its count `total`."""
    most = holder.get(total) or 0
    detail = f"cannot be greater than {path}.{total}"
    return [
        causes.invalid(f"{path}.{field}", holder[field], detail)
        for field in fields
        if (holder.get(field) or 0) > most
    ]


def not_decremented(
    path: str, field: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Causes:
    """A count that only grows."""
    before, after = old.get(field), new.get(field)
    if before is None or (after is not None and after >= before):
        return []
    return [causes.invalid(f"{path}.{field}", after or 0, "cannot be decremented")]


def percent(value: Any) -> int | None:
    """The number of a percentage, None for anything else."""
    if isinstance(value, str) and _PERCENT.fullmatch(value) and len(value) < 12:
        return int(value[:-1])
    return None


def ip(path: str, value: str) -> Causes:
    """An IPv4 or IPv6 address."""
    return [] if is_ip(value) else [causes.invalid(path, value, IP_MESSAGE)]


IP_MESSAGE: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


@lru_cache(4096)
def is_ip(value: str) -> bool:
    """Whether the text is an address; one with a zone is none."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return "%" not in value


def immutable(path: str, old: Any, new: Any) -> Causes:
    """A field that may not change."""
    return [] if old == new else [causes.invalid(path, new, IMMUTABLE)]
