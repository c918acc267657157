"""Single values of an experiment's file: taken out of a section, and complained of where wrong."""

from collections.abc import Iterable
from typing import Final

from cluster.api import durations, errors, marked_yaml, metadata, selectors
from cluster.api.marked_yaml import Section

LEAST_CPU: Final = 0.01
"""Of each tenth of a second; it is also the least of which a slow process is deprived."""
LONGEST: Final = 7 * 86_400.0
"""What takes longer was written wrongly."""
_UNITS: Final = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "bit": 1.0}
_PORTS: Final = range(1, 65_536)


def required(section: Section, *fields: str) -> None:
    """Complain of fields that are not there."""
    for field in fields:
        if not section.given(field):
            section.complain("is missing", field)


def namespace(section: Section) -> str:
    """The one that is named, or `default`."""
    return section.take_text("namespace", "default", metadata.dns1123_label)


def seconds(
    section: Section | None, field: str, default: float, check: marked_yaml.Check | None = None
) -> float:
    """A duration, or the default where it is not given."""
    if section is None or field not in section:
        if section is not None:
            section.take_text(field)
        return default
    text = section.take_text(field, check=check or up_to(LONGEST))
    return parsed(text) if text else default


def offset(section: Section) -> float:
    """Of a clock: `5m`, or `-5m` for one that is late."""
    text = section.take_text("offset", check=lambda text: _duration(text.removeprefix("-")))
    required(section, "offset")
    if not text:
        return 0.0
    seconds = parsed(text.removeprefix("-"))
    return -seconds if text.startswith("-") else seconds


def share(
    section: Section, field: str, default: float, check: marked_yaml.Check | None = None
) -> float:
    """`20%` or `0.2`, as a number from 0 to 1."""
    text = section.take_text(field, check=check or _is_share)
    return _share_of(text) if text else default


def _share_of(text: str) -> float:
    return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


def amount(section: Section, field: str) -> tuple[float, bool]:
    """A whole number, or a share of all (`60%`)."""
    text = section.take_text(field, "100%", _is_amount)
    return (_share_of(text), True) if text.endswith("%") else (float(text), False)


def number(section: Section, field: str, default: float, least: float, most: float) -> float:
    """A number within bounds."""

    def check(text: str) -> Iterable[str]:
        try:
            fits = least <= float(text) <= most
        except ValueError:
            fits = False
        return () if fits else (f"must be a number from {least:g} to {most:g}",)

    text = section.take_text(field, check=check)
    return float(text) if text else default


def rate(section: Section) -> float:
    """Bits a second; 0 where it is not given."""
    text = section.take_text("rate", check=_is_rate)
    return _rate_of(text) if text else 0.0


def _rate_of(text: str) -> float:
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * _UNITS.get(unit, 1.0)


def _is_rate(text: str) -> Iterable[str]:
    try:
        fits = 0 < _rate_of(text) < 1e12
    except ValueError:
        fits = False
    return () if fits else ("must be a rate such as 10mbit or 512kbit",)


def _is_share(text: str) -> Iterable[str]:
    try:
        fits = 0 <= _share_of(text) <= 1
    except ValueError:
        fits = False
    return () if fits else ("must be a share such as 20% or 0.2",)


def is_some(text: str) -> Iterable[str]:
    """A share of nothing would be no fault."""
    complaints = list(_is_share(text))
    return complaints or (() if _share_of(text) > 0 else ("must be more than 0",))


def is_slow(text: str) -> Iterable[str]:
    """A process with no CPU is paused, and one with all of it is not slow."""
    if complaints := list(_is_share(text)):
        return complaints
    fits = LEAST_CPU <= _share_of(text) <= 1 - LEAST_CPU
    return () if fits else ("must be from 1% to 99%",)


def _is_amount(text: str) -> Iterable[str]:
    fits = text.isdecimal() or (text.endswith("%") and not list(_is_share(text)))
    return () if fits else ("must be a whole number, or a share such as 60%",)


def parsed(text: str) -> float:
    """Seconds to a microsecond: the sums of parts in binary are a little off."""
    return round(durations.parse(text), 6)


def _duration(text: str) -> Iterable[str]:
    try:
        durations.parse(text)
    except ValueError:
        return ("must be a duration such as 1m30s or 250ms",)
    return ()


def longer_than(least: float, most: float = LONGEST) -> marked_yaml.Check:
    """A check of durations."""

    def check(text: str) -> Iterable[str]:
        if complaints := list(up_to(most)(text)):
            return complaints
        fits = parsed(text) > least
        return () if fits else (f"must be longer than {durations.format(least)}",)

    return check


def up_to(most: float) -> marked_yaml.Check:
    """A check of durations."""

    def check(text: str) -> Iterable[str]:
        if complaints := list(_duration(text)):
            return complaints
        return () if parsed(text) <= most else (f"must be at most {durations.format(most)}",)

    return check


def duration_or_never(text: str) -> Iterable[str]:
    """A check of what is expected of a fault."""
    if text == "never":
        return ()
    if list(_duration(text)):
        return ("must be a duration such as 1m30s, or never",)
    return longer_than(0.0)(text)


def selector(text: str) -> Iterable[str]:
    """A check: labels, as kubectl takes them."""
    try:
        selectors.parse_labels(text)
    except errors.StatusError as error:
        return (error.message,)
    return ()


def path(text: str) -> Iterable[str]:
    """A check: of a URL."""
    fits = text.startswith("/") and text.isprintable() and " " not in text
    return () if fits else ("must be a path that begins with /",)


def port(text: str) -> Iterable[str]:
    """A number, or the name that a Service gives it."""
    if text.isdecimal():
        return () if int(text) in _PORTS else ("must be a port from 1 to 65535, or its name",)
    return metadata.dns1123_label(text)


def host(text: str) -> Iterable[str]:
    """A check: for a Host header."""
    fits = text.isprintable() and " " not in text
    return () if fits else ("must be a host's name",)


def one_of(*wanted: str) -> marked_yaml.Check:
    """A check: a word of these."""
    said = f"one of {', '.join(wanted)}" if len(wanted) > 1 else wanted[0]
    return lambda text: () if text in wanted else (f"must be {said}",)
