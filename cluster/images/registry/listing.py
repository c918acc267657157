"""Lists: repositories, tags, and what refers to a manifest."""

import asyncio
import json

from aiohttp import web

from cluster.images import media
from cluster.images.registry import repositories
from cluster.images.registry.errors import Refused
from cluster.images.registry.exchange import Exchange, answer, in_json, page


async def catalog(exchange: Exchange) -> web.StreamResponse:
    """The repositories. Refused."""
    names = await asyncio.to_thread(repositories.all_names, exchange.shelf.root)
    found, headers = page(exchange, names)
    return in_json({"repositories": found}, headers)


async def tags(exchange: Exchange) -> web.StreamResponse:
    """The tags of a repository. Refused."""
    repository = exchange.repository
    if not repository.exists():
        raise Refused(
            "NAME_UNKNOWN", "repository name not known to registry",
            detail={"name": repository.name},
        )  # fmt: skip
    found, headers = page(exchange, repository.tags())
    return in_json({"name": repository.name, "tags": found}, headers)


async def referrers(exchange: Exchange) -> web.StreamResponse:
    """The manifests whose subject is this one; none is an answer too. Refused."""
    found = exchange.repository.referrers(exchange.digest())
    headers = {}
    wanted = exchange.parameter("artifactType")
    if wanted:
        found = [one for one in found if one.get("artifactType") == wanted]
        headers["OCI-Filters-Applied"] = "artifactType"
    index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": found}
    return answer(200, headers, json.dumps(index).encode(), media.OCI_INDEX)
