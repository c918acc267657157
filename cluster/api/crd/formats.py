"""The string formats that Kubernetes checks; any other format says nothing about a value.

The list and what each takes: k8s.io/kube-openapi/pkg/validation/strfmt, and
pkg/apis/apiextensions/v1/types_jsonschema.go for those that a version of Kubernetes supports.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from cluster.api import durations, metadata

Check = Callable[[str], bool]


def check(name: str) -> Check | None:
    """The check of a format; None for a format that is not checked."""
    return _CHECKS.get(name.replace("-", ""))


def _matching(pattern: str) -> Check:
    """Only patterns without nested repetition: they take time in proportion to the text."""
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda text: match(text) is not None


def _date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


_DATE_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)t([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(z|[+-]\d\d:\d\d)", re.ASCII
)


def _date_time(text: str) -> bool:
    found = _DATE_TIME.fullmatch(text.lower())
    return found is not None and _date(found[1])


_DURATION: Final = re.compile(
    r"\d+ *(nanoseconds?|ns|microseconds?|us|µs|μs|milliseconds?|ms|seconds?|sec|s|minutes?|min|m|"
    r"hours?|hr|h|days?|d|weeks?|wk|w)"
)


def _duration(text: str) -> bool:
    """Go's durations, and `3 days`, `1 week`."""
    unsigned = text.removeprefix("-")
    try:
        durations.parse(unsigned)
    except ValueError:
        return _DURATION.fullmatch(text.strip().lower()) is not None
    return not unsigned[-1].isdigit() or unsigned == "0"


def _ip(version: int) -> Check:
    def is_ip(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version and "%" not in text
        except ValueError:
            return False

    return is_ip


def _cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) and (bool(parts.netloc) or bool(parts.path)) and " " not in text


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _hostname(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return 0 < len(text) <= 255 and all(
        0 < len(label) <= 63 and re.fullmatch(r"[A-Za-z0-9_-]+", label) and label[0] != "-"
        for label in labels
    )


_HEX: Final = "[0-9a-fA-F]"


def _uuid(version: str, variant: str) -> Check:
    return _matching(
        rf"{_HEX}{{8}}-?{_HEX}{{4}}-?{version}{_HEX}{{3}}-?{variant}{_HEX}{{3}}-?{_HEX}{{12}}"
    )


def _isbn(text: str) -> bool:
    return _isbn10(text) or _isbn13(text)


def _isbn10(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if re.fullmatch(r"[0-9]{9}[0-9X]", digits) is None:
        return False
    numbers = [10 if digit == "X" else int(digit) for digit in digits]
    return sum(number * (10 - place) for place, number in enumerate(numbers)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if re.fullmatch(r"[0-9]{13}", digits) is None:
        return False
    return sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits)) % 10 == 0


def _credit_card(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    if re.fullmatch(r"[0-9]{12,19}", digits) is None:
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(digits[::-1])]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and len(local) <= 64 and " " not in text and _hostname(domain))


_CHECKS: Final[Mapping[str, Check]] = {
    "bsonobjectid": _matching(rf"{_HEX}{{24}}"),
    "byte": _byte,
    "cidr": _cidr,
    "creditcard": _credit_card,
    "date": _date,
    "datetime": _date_time,
    "duration": _duration,
    "email": _email,
    "hexcolor": _matching(rf"#?({_HEX}{{3}}|{_HEX}{{6}})"),
    "hostname": _hostname,
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "isbn": _isbn,
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "k8slongname": lambda text: not metadata.dns1123_subdomain(text),
    "k8sshortname": lambda text: not metadata.dns1123_label(text),
    "mac": _matching(rf"{_HEX}{{2}}([:-]{_HEX}{{2}}){{5}}|{_HEX}{{4}}(\.{_HEX}{{4}}){{2}}"),
    "rgbcolor": _matching(r"rgb\( *\d{1,3} *, *\d{1,3} *, *\d{1,3} *\)"),
    "ssn": _matching(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "uri": _uri,
    "uuid": _uuid(_HEX, _HEX),
    "uuid3": _uuid("3", _HEX),
    "uuid4": _uuid("4", "[89abAB]"),
    "uuid5": _uuid("5", "[89abAB]"),
}
