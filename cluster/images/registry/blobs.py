"""Blobs: pulled whole or in part, looked at, removed from a repository."""

from aiohttp import web

from cluster.images import faults
from cluster.images.registry import routes
from cluster.images.registry.errors import Refused
from cluster.images.registry.exchange import VERSION, Exchange, answer

_CHUNK = 256 << 10


async def serve(exchange: Exchange) -> web.StreamResponse:
    """GET, HEAD and DELETE of a blob. Refused."""
    repository, digest = exchange.repository, exchange.digest()
    if exchange.method == "DELETE":
        if not repository.unlink(digest):
            raise _unknown(digest)
        return answer(202)
    blobs = exchange.shelf.blobs
    if not repository.has_blob(digest) or not blobs.touch(digest, exchange.shelf.clock.now()):
        raise _unknown(digest)
    return await _send(exchange, digest, blobs.size(digest))


async def _send(exchange: Exchange, digest: str, size: int) -> web.StreamResponse:
    etag = f'"{digest}"'
    headers = {
        **VERSION, "Docker-Content-Digest": digest, "ETag": etag, "Accept-Ranges": "bytes",
        "Cache-Control": "max-age=31536000", "Content-Type": "application/octet-stream",
    }  # fmt: skip
    if routes.matches(exchange.header("If-None-Match"), etag):
        return web.Response(status=304, headers=headers)
    try:
        span = routes.byte_range(exchange.header("Range"), size)
    except ValueError as error:
        raise Refused(
            "RANGE_INVALID", f"range not satisfiable: {error}",
            headers={"Content-Range": f"bytes */{size}"},
        ) from None  # fmt: skip
    first, count = (span.first, span.size) if span else (0, size)
    headers["Content-Length"] = str(count)
    if span:
        headers["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    response = web.StreamResponse(status=206 if span else 200, headers=headers)
    if exchange.method == "HEAD":
        return web.Response(status=response.status, headers=headers)
    await _copy(exchange, response, digest, first, count)
    return response


async def _copy(
    exchange: Exchange, response: web.StreamResponse, digest: str, first: int, count: int
) -> None:
    try:
        file = exchange.shelf.blobs.open(digest)
    except faults.NotFound:
        raise _unknown(digest) from None
    with file:
        await response.prepare(exchange.request)
        file.seek(first)
        while count:
            data = file.read(min(_CHUNK, count))
            if not data:
                break
            count -= len(data)
            await response.write(data)
        await response.write_eof()


def _unknown(digest: str) -> Refused:
    return Refused("BLOB_UNKNOWN", "blob unknown to registry", detail={"digest": digest})
