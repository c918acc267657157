"""URLs: `url("https://a.b:80/c?d=e").getHost()`."""

import re
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, strings_cost
from cluster.api.cel.values import Opaque

_SHAPE: Final = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?]*))?([^?]*)(?:\?(.*))?", re.ASCII | re.DOTALL
)
_BAD: Final = re.compile(r"[\x00-\x20\x7f]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]<>\"`{}|^\\]*))(?::([0-9]*))?")
_KEPT: Final = "/$&+,:;=@!'()*~"


class URL(Opaque):
    """A parsed URL."""

    __slots__ = ("host", "path", "query", "scheme", "text")
    kind = "kubernetes.URL"

    def __init__(self, text: str) -> None:
        self.text = text
        found = _SHAPE.fullmatch(text)
        if not text or found is None or _BAD.search(text) or _BAD_ESCAPE.search(text):
            raise _wrong(text, "invalid URI for request")
        self.scheme = (found[1] or "").lower()
        authority = (found[2] or "").rpartition("@")[2]
        self.path = found[3]
        self.query = found[4] or ""
        self.host = authority
        # A request's URL is absolute, or a path from the root.
        if not self.scheme and not text.startswith("/"):
            raise _wrong(text, "invalid URI for request")
        if self.scheme and found[2] is None and not self.path.startswith("/"):
            raise _wrong(text, "invalid URI for request")
        if not _HOST.fullmatch(authority):
            raise _wrong(text, "invalid port or host")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, URL) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def hostname(self) -> str:
        """The host without port and brackets."""
        found = _HOST.fullmatch(self.host)
        return "" if found is None else found[1] or found[2] or ""

    @property
    def port(self) -> str:
        """The port as text, or ""."""
        found = _HOST.fullmatch(self.host)
        return "" if found is None else found[3] or ""

    @property
    def escaped_path(self) -> str:
        """The path, with what needs it percent-encoded."""
        return quote(unquote(self.path), safe=_KEPT) if "%" not in self.path else self.path

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The query's values by name."""
        result: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            result.setdefault(name, []).append(value)
        return result


def _wrong(text: str, said: str) -> EvaluationError:
    return EvaluationError(f'URL parse error during conversion from string: parse "{text}": {said}')


def _is_url(text: str) -> bool:
    try:
        URL(text)
    except EvaluationError:
        return False
    return True


def overloads() -> list[Overload]:
    """What the library declares."""
    cost = strings_cost()
    return [
        declare("url(string) -> url", URL, cost),
        declare("isURL(string) -> bool", _is_url, cost),
        declare("url.getScheme() -> string", lambda url: url.scheme),
        declare("url.getHost() -> string", lambda url: url.host),
        declare("url.getHostname() -> string", lambda url: url.hostname),
        declare("url.getPort() -> string", lambda url: url.port),
        declare("url.getEscapedPath() -> string", lambda url: url.escaped_path),
        declare("url.getQuery() -> map(string, list(string))", lambda url: url.parameters),
    ]
