"""Answers with a file's content: whole, in part, or that it has not changed. Pure."""

from collections.abc import Callable

from cluster.runtime.emulated.web import conditions
from cluster.runtime.emulated.web.messages import Headers, Request, Response
from cluster.runtime.vos.nodes import File

Tag = Callable[[int, float], str]
"""An entity tag of size and modification."""


def nginx_tag(size: int, mtime: float) -> str:
    """As nginx makes it."""
    return f'"{int(mtime):x}-{size:x}"'


def apache_tag(size: int, mtime: float) -> str:
    """As Apache makes it."""
    return f'"{size:x}-{int(mtime * 1e6):x}"'


def answer(
    request: Request, file: File, kind: str, *, tag: Tag = nginx_tag, exact: bool = True
) -> Response:
    """The answer to a GET or HEAD of a file. OSError."""
    data = file.content()
    version = conditions.Version(tag(len(data), file.mtime), int(file.mtime))
    about = [("Last-Modified", conditions.http_date(file.mtime)), ("ETag", version.tag)]
    status = conditions.verdict(request.headers, version, exact=exact)
    if status != 200:
        return Response(status, Headers(about))
    ranges = conditions.wanted_ranges(request.headers, version, len(data))
    if ranges is None:
        pairs = [("Content-Type", kind), *about, ("Accept-Ranges", "bytes")]
        return Response(200, Headers(pairs), data)
    if not ranges:
        return Response(416, Headers([*about, ("Content-Range", f"bytes */{len(data)}")]))
    return _partial(data, kind, ranges, about)


def _partial(
    data: bytes, kind: str, ranges: list[tuple[int, int]], about: list[tuple[str, str]]
) -> Response:
    size = len(data)
    if len(ranges) == 1:
        first, behind = ranges[0]
        where = ("Content-Range", f"bytes {first}-{behind - 1}/{size}")
        headers = Headers([("Content-Type", kind), *about, where])
        return Response(206, headers, data[first:behind])
    # Any mark will do that is in none of the parts; it is found without chance.
    number = 0
    while (mark := f"{number:020d}").encode() in data:
        number += 1
    parts = [
        f"\r\n--{mark}\r\nContent-Type: {kind}\r\n"
        f"Content-Range: bytes {first}-{behind - 1}/{size}\r\n\r\n".encode()
        + data[first:behind]
        for first, behind in ranges
    ]
    headers = Headers([("Content-Type", f"multipart/byteranges; boundary={mark}"), *about])
    return Response(206, headers, b"".join(parts) + f"\r\n--{mark}--\r\n".encode())
