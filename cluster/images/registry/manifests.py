"""Manifests: by tag or digest, with what refers to them."""

import asyncio

from aiohttp import web

from cluster.api import imagereferences
from cluster.images import digests, faults, media
from cluster.images import manifests as reading
from cluster.images.descriptors import Descriptor
from cluster.images.registry import routes
from cluster.images.registry.errors import Refused
from cluster.images.registry.exchange import Exchange, answer, checked_digest
from cluster.images.registry.repositories import Repository

_Any = reading.Manifest | reading.Index


async def serve(exchange: Exchange) -> web.StreamResponse:
    """GET, HEAD, PUT and DELETE of a manifest. Refused."""
    repository = exchange.repository
    if exchange.method == "PUT":
        return await _put(exchange, repository)
    if exchange.method == "DELETE":
        return await _delete(exchange, repository)
    digest = _resolved(exchange, repository)
    media_type = repository.media_type(digest)
    if not media_type:
        raise _unknown(exchange)
    try:
        data = exchange.shelf.blobs.read(digest, reading.MAX_MANIFEST)
    except faults.Fault:
        raise _unknown(exchange) from None
    etag = f'"{digest}"'
    headers = {"Docker-Content-Digest": digest, "ETag": etag}
    if routes.matches(exchange.header("If-None-Match"), etag):
        return answer(304, headers)
    return answer(200, headers, data, media_type)


def _resolved(exchange: Exchange, repository: Repository) -> str:
    """The digest that the path names. Refused."""
    what = exchange.route.what
    if ":" in what:
        return checked_digest(what)
    found = repository.tagged(what)
    if not found:
        raise _unknown(exchange)
    return found


async def _put(exchange: Exchange, repository: Repository) -> web.StreamResponse:
    what = exchange.route.what
    if ":" in what:
        checked_digest(what)
    elif not imagereferences.TAG.fullmatch(what):
        raise Refused("TAG_INVALID", "manifest tag did not match URI", detail={"tag": what[:200]})
    data = await exchange.whole_body(reading.MAX_MANIFEST)
    media_type = exchange.header("Content-Type").partition(";")[0].strip()
    if media_type in media.DOCKER_SCHEMA_1:
        raise Refused("MANIFEST_INVALID", "manifests of schema version 1 are not taken")
    try:
        found = reading.parse(data, media_type)
    except faults.Corrupt as error:
        raise Refused("MANIFEST_INVALID", "manifest invalid", detail=str(error)) from error
    digest = digests.of(data)
    if ":" in what and what != digest:
        raise Refused(
            "DIGEST_INVALID", "provided digest did not match uploaded content",
            detail={"digest": what, "content": digest},
        )  # fmt: skip
    async with exchange.shelf.settled:
        _check_parts(exchange, repository, found)
        await asyncio.to_thread(exchange.shelf.blobs.put, data)
        _record(repository, found, Descriptor(found.media_type, digest, len(data)), what)
    headers = {
        "Location": f"/v2/{repository.name}/manifests/{digest}", "Docker-Content-Digest": digest,
    }  # fmt: skip
    if found.subject is not None:
        headers["OCI-Subject"] = found.subject.digest
    return answer(201, headers)


def _check_parts(exchange: Exchange, repository: Repository, found: _Any) -> None:
    """All that it points at is here. Refused MANIFEST_BLOB_UNKNOWN."""
    blobs = exchange.shelf.blobs
    for part in found.parts():
        if isinstance(found, reading.Index) or part.media_type in media.ACCEPTED:
            there = bool(repository.media_type(part.digest))
        elif not media.is_distributed(part.media_type):
            continue
        else:
            there = repository.has_blob(part.digest) and blobs.has(part.digest)
        if not there:
            raise Refused(
                "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry",
                detail={"digest": part.digest},
            )  # fmt: skip
        if blobs.size(part.digest) != part.size:
            raise Refused(
                "MANIFEST_INVALID", "manifest invalid",
                detail=f"{part.digest} has {blobs.size(part.digest)} bytes, not {part.size}",
            )  # fmt: skip


def _record(repository: Repository, found: _Any, own: Descriptor, what: str) -> None:
    repository.add(own.digest, own.media_type)
    if found.subject is not None:
        more = {}
        if found.artifact_type:
            more["artifactType"] = found.artifact_type
        if isinstance(found.document.get("annotations"), dict):
            more["annotations"] = found.document["annotations"]
        referrer = Descriptor(own.media_type, own.digest, own.size, more)
        repository.refer(found.subject.digest, referrer)
    if ":" not in what:
        repository.tag(what, own.digest)


async def _delete(exchange: Exchange, repository: Repository) -> web.StreamResponse:
    what = exchange.route.what
    async with exchange.shelf.settled:
        if ":" not in what:
            if not repository.untag(what):
                raise _unknown(exchange)
            return answer(202)
        digest = checked_digest(what)
        if not repository.drop(digest):
            raise _unknown(exchange)
        try:
            found = reading.parse(exchange.shelf.blobs.read(digest, reading.MAX_MANIFEST))
        except faults.Fault:
            return answer(202)
        if found.subject is not None:
            repository.unrefer(found.subject.digest, digest)
        return answer(202)


def _unknown(exchange: Exchange) -> Refused:
    what = exchange.route.what
    detail = {"digest" if ":" in what else "tag": what[:200], "name": exchange.route.name}
    return Refused("MANIFEST_UNKNOWN", "manifest unknown", detail=detail)
