"""Which server and which location a request belongs to. Pure."""

import posixpath
from collections.abc import Sequence

from cluster.runtime.emulated.nginx.model import Location, Server


def server_of(
    servers: Sequence[Server], address: str, port: int, host: str
) -> tuple[Server, dict[str, str]] | None:
    """The server for what came to a local address: by name, else the default one; and what the
    groups of its pattern found.
    """
    exact = [one for one in servers if any(
        listen.port == port and listen.address == address for listen in one.listens
    )]  # fmt: skip
    candidates = exact or [
        one
        for one in servers
        if any(listen.port == port and _any(listen.address) for listen in one.listens)
    ]
    if not candidates:
        return None
    best, length = None, 0
    for one in candidates:
        for name in one.names:
            score = _score(name, host)
            if score > length:
                best, length = one, score
    if best is not None:
        return best, {}
    for one in candidates:
        for pattern in one.patterns:
            match = pattern.program.search(host)
            if match is not None:
                return one, _groups(match, pattern.names)
    for one in candidates:
        if any(listen.default and listen.port == port for listen in one.listens):
            return one, {}
    return candidates[0], {}


def _any(address: str) -> bool:
    return address in ("0.0.0.0", "::")


def _score(name: str, host: str) -> int:
    """How well a server name fits: exact before `*.x`, before `x.*`, the longest first; 0: not."""
    if name == host:
        return 1_000_000 + len(name)
    if name.startswith("*.") and host.endswith(name[1:]) and len(host) > len(name) - 1:
        return 10_000 + len(name)
    if name.startswith(".") and (host == name[1:] or host.endswith(name)):
        return 10_000 + len(name)
    if name.endswith(".*") and host.startswith(name[:-1]):
        return len(name)
    return 0


def _groups(match: object, names: Sequence[str]) -> dict[str, str]:
    group = match.group  # type: ignore[attr-defined]
    return {name.lower(): group(name) or "" for name in names}


def location_of(
    locations: Sequence[Location], uri: str
) -> tuple[Location | None, list[str], dict[str, str]]:
    """The location of a URI, and what the groups of its pattern found: by number (the whole match
    first) and by name.
    """
    captures: list[str] = []
    named: dict[str, str] = {}

    found, _ = _search(locations, uri, captures, named)
    return found, captures, named


def _search(
    inside: Sequence[Location], uri: str, captures: list[str], named: dict[str, str]
) -> tuple[Location | None, bool]:
    """The location, and whether it is settled: no other is looked at any more."""
    best: Location | None = None
    for one in inside:
        if one.kind == "=" and one.text == uri:
            return one, True
        fits = one.kind in ("", "^~") and uri.startswith(one.text)
        if fits and (best is None or len(one.text) > len(best.text)):
            best = one
    found, final = best, best is not None and best.kind == "^~"
    if best is not None and best.locations:
        inner, settled = _search(best.locations, uri, captures, named)
        found = inner or best
        if settled:
            return found, True
    if final:
        return found, True
    for one in inside:
        if one.pattern is None:
            continue
        match = one.pattern.program.search(uri)
        if match is not None:
            captures[:] = [match.group(0), *(text or "" for text in match.groups())]
            named.update(_groups(match, one.pattern.names))
            inner = _search(one.locations, uri, captures, named)[0] if one.locations else None
            return inner or one, True
    return found, False


def slashed(locations: Sequence[Location], uri: str) -> bool:
    """Whether `uri/` is a location that hands on to other servers: then nginx redirects there."""
    return any(
        one.text == uri + "/"
        and one.kind in ("", "^~")
        and (one.proxy is not None or one.missing != "")
        for one in locations
    )


def normal(path: str) -> str | None:
    """A decoded path without `.`, `..` and double slashes; None where it leads out of the root."""
    if not path.startswith("/") or "\0" in path:
        return None
    depth = 0
    for part in path.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return None
    made = posixpath.normpath("/" + path.lstrip("/"))
    last = path.rpartition("/")[2]
    return made + "/" if last in ("", ".", "..") and made != "/" else made
