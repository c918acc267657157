"""Which headers, and which path, a proxied request and its answer have. Pure.

Source: httputil.ReverseProxy of Go, and upgradeaware.go and transport.go of k8s.io/apimachinery.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from cluster.apiserver import hopbyhop
from cluster.apiserver.rest.requests import Call
from cluster.apiserver.streaming.exchange import Headers

# What tells the API server who asks is not the pod's business.
_OURS: Final = ("authorization", "expect", "host", "x-forwarded-for", "x-forwarded-uri")
_OURS_BEGIN: Final = ("impersonate-", "x-remote-")
_PAGE: Final = "text/html"
_ENCODINGS: Final = ("", "gzip")


def prefix(call: Call) -> str:
    """The path of a proxy itself, as the client wrote it: up to `/proxy`."""
    return "/".join(_parts(call)[: _length(call)])


def path(call: Call) -> str:
    """The path behind a proxy, as the client wrote it; "" where not even a slash follows.

    Kubernetes puts a slash in front only where the rest has none: `proxy//x` is `/x`.
    """
    rest = "/".join(parts := _parts(call)[_length(call) :])
    return rest if rest.startswith("/") or not parts else f"/{rest}"


def forwarded(http: web.BaseRequest, uri: str, *, upgrading: bool) -> Headers:
    """The headers of a request as it is passed on; `uri` is its path as the client wrote it."""
    found = [("Host", http.headers.get("Host", ""))]
    found += [
        (name, value)
        for name, low, value in hopbyhop.passed(tuple(http.headers.items()))
        if low not in _OURS and not low.startswith(_OURS_BEGIN)
    ]
    if upgrading:
        found += [("Connection", "Upgrade"), ("Upgrade", http.headers.get("Upgrade", ""))]
    if "chunked" in http.headers.get("Transfer-Encoding", "").lower():
        found.append(("Transfer-Encoding", "chunked"))
    found += [("X-Forwarded-For", _clients(http)), ("X-Forwarded-Uri", uri)]
    return [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in found]


def answered(headers: Headers) -> "CIMultiDict[str]":
    """The headers of an answer as it is passed back."""
    known = [(name.decode("latin-1"), value.decode(errors="replace")) for name, value in headers]
    return CIMultiDict((name.title(), value) for name, _, value in hopbyhop.passed(known))


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether an answer is HTML that can be read."""
    media = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media == _PAGE and headers.get("Content-Encoding", "") in _ENCODINGS


def sniffed(first: bytes) -> str:
    """The media type of an answer that does not name it, by its first bytes, as Go's server tells.

    Text or not: the pictures and sounds that Go knows as well have servers that name them.
    """
    start = first[:512]
    if start.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "text/html; charset=utf-8"
    is_binary = any(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in start)
    return "application/octet-stream" if is_binary else "text/plain; charset=utf-8"


def _clients(http: web.BaseRequest) -> str:
    """The addresses that a request has come by: those said before, and the one it comes from."""
    peer = http.transport.get_extra_info("peername") if http.transport is not None else None
    address = str(peer[0]) if isinstance(peer, tuple) else "unknown"
    return ", ".join([*http.headers.getall("X-Forwarded-For", ()), address])


def _parts(call: Call) -> list[str]:
    return call.http.raw_path.partition("?")[0].split("/")


def _length(call: Call) -> int:
    """How many parts a path has up to `proxy`: `/api/v1/[namespaces/NS/]PLURAL/NAME/proxy`."""
    return 8 if call.target.resource.namespaced else 6
