"""/containerLogs/NAMESPACE/POD/CONTAINER: a log as a page, for who asks through a node's proxy."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from cluster.api import errors
from cluster.kubelet.serving import pages
from cluster.pb.cluster.v1 import kubelet_pb2 as pb

PREFIX: Final = "/containerLogs/"
LARGEST: Final = 10 << 20
"""Bytes of a page: a log that is longer is cut, for a page is no stream."""
_NAMES: Final = 3


async def page(
    request: pb.PageRequest, logs: Callable[[pb.LogsRequest], AsyncIterator[pb.LogsResponse]]
) -> pb.PageResponse:
    """The log that a path names. `follow` is not heeded: a page has an end."""
    names = pages.path_of(request)[len(PREFIX) :].split("/")
    if len(names) != _NAMES or not all(names):
        return pages.answer(404, "404 page not found\n")
    try:
        wanted = _wanted(request, names)
    except ValueError as error:
        return pages.answer(400, f"{error}\n")
    found = bytearray()
    try:
        async for part in logs(wanted):
            found += part.data
            if len(found) >= wanted.limit_bytes:
                break
    except errors.StatusError as error:
        return pages.answer(error.code, f"{error}\n")
    return pages.answer(200, bytes(found[: wanted.limit_bytes]).decode(errors="replace"))


def _wanted(request: pb.PageRequest, names: list[str]) -> pb.LogsRequest:
    query = pages.query_of(request)
    namespace, pod, container = names
    ref = pb.ContainerRef(node=request.node, namespace=namespace, pod=pod, container=container)
    made = pb.LogsRequest(
        container=ref, previous=_true(query, "previous"), timestamps=_true(query, "timestamps"),
        since_time=query.get("sinceTime", ""), limit_bytes=LARGEST,
    )  # fmt: skip
    for name, field in (("tailLines", "tail_lines"), ("sinceSeconds", "since_seconds")):
        if name in query:
            setattr(made, field, _number(query, name))
    if "limitBytes" in query:
        made.limit_bytes = min(_number(query, "limitBytes"), LARGEST)
    return made


def _number(query: dict[str, str], name: str) -> int:
    text = query[name]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(f"{name} is {text!r}: it has to be a number that is not negative")
    return int(text)


def _true(query: dict[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1", "t")
