"""What a static file answers to If-Match and its kin, and to Range (RFC 9110, 13 and 14). Pure."""

import email.utils
import re
from typing import Final, NamedTuple

from cluster.runtime.emulated.web.messages import Headers

_RANGE: Final = re.compile(r"(\d{0,18})-(\d{0,18})")
MAX_RANGES: Final = 16


class Version(NamedTuple):
    """Of a file: its entity tag with quotes, and its modification in whole seconds."""

    tag: str
    modified: int


def http_date(seconds: float) -> str:
    """A time as HTTP writes it."""
    return email.utils.formatdate(int(seconds), usegmt=True)


def _seconds(text: str) -> int | None:
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def verdict(headers: Headers, version: Version, *, exact: bool = True) -> int:
    """200, 304 or 412. `exact`: If-Modified-Since must be the very time, as nginx has it."""
    if_match, unmodified = headers.joined("if-match"), headers.get("if-unmodified-since")
    if if_match:
        if not _matches(if_match, version.tag, weak=False):
            return 412
    elif unmodified:
        since = _seconds(unmodified)
        if since is not None and version.modified > since:
            return 412
    none_match, modified = headers.joined("if-none-match"), headers.get("if-modified-since")
    if none_match:
        return 304 if _matches(none_match, version.tag, weak=True) else 200
    since = _seconds(modified) if modified else None
    if since is None:
        return 200
    same = version.modified == since if exact else version.modified <= since
    return 304 if same else 200


def _matches(text: str, tag: str, *, weak: bool) -> bool:
    if text.strip() == "*":
        return True
    for one in text.split(","):
        found = one.strip()
        if weak:
            found = found.removeprefix("W/")
        if found == (tag.removeprefix("W/") if weak else tag):
            return True
    return False


def wanted_ranges(headers: Headers, version: Version, size: int) -> list[tuple[int, int]] | None:
    """The ranges that are asked for, as (first byte, byte behind the last); None for all of the
    file, [] where none of them is in it.
    """
    text = headers.get("range")
    if not text.lower().startswith("bytes="):
        return None
    condition = headers.get("if-range").strip()
    if condition and condition != version.tag and _seconds(condition) != version.modified:
        return None
    found: list[tuple[int, int]] = []
    parts = text[6:].split(",")
    for part in parts:
        match = _RANGE.fullmatch(part.strip())
        if match is None or not (match[1] or match[2]) or len(parts) > MAX_RANGES:
            return None
        if match[1] and match[2] and int(match[1]) > int(match[2]):
            return None
        first = int(match[1]) if match[1] else max(size - int(match[2]), 0)
        behind = min(int(match[2]) + 1, size) if match[1] and match[2] else size
        if first < behind:
            found.append((first, behind))
    if sum(behind - first for first, behind in found) > max(size, 1):
        return None
    return found
