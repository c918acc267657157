"""Challenges of WWW-Authenticate (RFC 9110, section 11.6.1; the Docker registry's token scheme)."""

import re
from dataclasses import dataclass
from typing import Final

_SCHEME: Final = re.compile(r"\s*,?\s*([A-Za-z]+)\s+(?=[A-Za-z_]+\s*=)")
_PARAMETER: Final = re.compile(r'\s*,?\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A scheme in lower case, and its parameters."""

    scheme: str
    parameters: dict[str, str]


def parse(header: str) -> list[Challenge]:
    """The challenges of a header; what cannot be read is left out."""
    found: list[Challenge] = []
    at = 0
    header = header[:4096]
    while at < len(header):
        scheme = _SCHEME.match(header, at)
        parameter = _PARAMETER.match(header, at)
        if scheme:
            found.append(Challenge(scheme[1].lower(), {}))
            at = scheme.end()
        elif parameter and found:
            quoted = parameter[2]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else parameter[3]
            found[-1].parameters[parameter[1].lower()] = value
            at = parameter.end()
        else:
            word = re.compile(r"\s*,?\s*([A-Za-z]+)\s*(?:,|$)").match(header, at)
            if word is None:
                break
            found.append(Challenge(word[1].lower(), {}))
            at = word.end()
    return found
