"""Pushing a blob: at once, in chunks, or by a mount from another repository."""

import asyncio

from aiohttp import web

from cluster.images import digests, faults
from cluster.images.registry import routes
from cluster.images.registry.errors import Refused
from cluster.images.registry.exchange import Exchange, answer, checked_digest
from cluster.images.registry.repositories import Repository
from cluster.images.registry.uploads import Upload


async def begin(exchange: Exchange) -> web.StreamResponse:
    """POST to uploads/. Refused."""
    repository, mount = exchange.repository, exchange.parameter("mount")
    if mount and _mounted(exchange, repository, mount):
        return _made(repository, mount)
    digest = exchange.parameter("digest")
    if digest:
        checked_digest(digest)
    upload = exchange.shelf.uploads.begin(repository.name)
    if digest:
        try:
            return await _finish(exchange, repository, upload, digest)
        finally:
            # Nobody was told of it: where it failed, nobody can go on with it.
            exchange.shelf.uploads.end(upload)
    return answer(202, _where(upload))


async def go_on(exchange: Exchange) -> web.StreamResponse:
    """GET, PATCH, PUT and DELETE of an upload. Refused."""
    repository = exchange.repository
    upload = exchange.shelf.uploads.find(repository.name, exchange.route.what)
    if exchange.method == "GET":
        return answer(204, _where(upload))
    if upload.busy.locked():
        raise Refused("BLOB_UPLOAD_INVALID", "another request writes to this upload", status=409)
    if exchange.method == "DELETE":
        exchange.shelf.uploads.end(upload)
        return answer(204)
    if exchange.method == "PATCH":
        async with upload.busy:
            await _append(exchange, upload)
        return answer(202, _where(upload))
    return await _finish(exchange, repository, upload, checked_digest(exchange.parameter("digest")))


def _mounted(exchange: Exchange, repository: Repository, digest: str) -> bool:
    """Whether the blob could be mounted; where not, the client pushes it."""
    source = exchange.parameter("from")
    if not digests.is_digest(digest) or not source or not exchange.may_mount:
        return False
    shelf = exchange.shelf
    there = shelf.repository(source).has_blob(digest)
    if not there or not shelf.blobs.touch(digest, shelf.clock.now()):
        return False
    repository.link(digest)
    return True


async def _finish(
    exchange: Exchange, repository: Repository, upload: Upload, digest: str
) -> web.StreamResponse:
    uploads = exchange.shelf.uploads
    async with upload.busy:
        await _append(exchange, upload)
        try:
            # Waits for the disk.
            await asyncio.to_thread(upload.writer.commit, digest)
        except faults.Corrupt as error:
            uploads.end(upload)
            raise Refused(
                "DIGEST_INVALID", "provided digest did not match uploaded content",
                detail={"digest": digest, "reason": str(error)},
            ) from error  # fmt: skip
        repository.link(digest)
        uploads.end(upload)
    return _made(repository, digest)


async def _append(exchange: Exchange, upload: Upload) -> None:
    """Write the request's body to the upload. Refused."""
    said = exchange.header("Content-Range")
    if said:
        _check_range(exchange, upload, said)
    most = exchange.shelf.config.max_blob
    if upload.writer.size + (exchange.request.content_length or 0) > most:
        raise _too_large(most)
    async for data in exchange.body():
        if upload.writer.size + len(data) > most:
            exchange.shelf.uploads.end(upload)
            raise _too_large(most)
        upload.writer.write(data)
        exchange.shelf.uploads.touch(upload)


def _check_range(exchange: Exchange, upload: Upload, said: str) -> None:
    try:
        span = routes.content_range(said)
    except ValueError as error:
        raise Refused("BLOB_UPLOAD_INVALID", str(error), headers=_where(upload)) from error
    length = exchange.request.content_length
    if length is not None and length != span.size:
        raise Refused("SIZE_INVALID", f"{span.size} bytes were announced, and {length} are sent")
    if span.first != upload.writer.size:
        raise Refused(
            "RANGE_INVALID", f"the next byte is {upload.writer.size}, not {span.first}",
            headers=_where(upload),
        )  # fmt: skip


def _where(upload: Upload) -> dict[str, str]:
    return {
        "Location": f"/v2/{upload.repository}/blobs/uploads/{upload.id}",
        "Range": upload.range,
        "Docker-Upload-Uuid": upload.id,
    }


def _made(repository: Repository, digest: str) -> web.StreamResponse:
    headers = {
        "Location": f"/v2/{repository.name}/blobs/{digest}", "Docker-Content-Digest": digest,
    }  # fmt: skip
    return answer(201, headers)


def _too_large(most: int) -> Refused:
    return Refused("SIZE_INVALID", f"a blob has {most} bytes at most here", status=413)
