"""Discovery and OpenAPI: documents that are made when first asked for, and then kept.

Clients hold on to them by ETag. `forget` when the table of resources changes.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from cluster.api import discovery, errors
from cluster.api.openapi import v2, v2_protobuf, v3
from cluster.api.resources import Table
from cluster.apiserver.rest import answers, negotiation
from cluster.apiserver.rest.paths import NOT_FOUND
from cluster.apiserver.rest.query import Query

_encode = msgspec.json.Encoder().encode
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_FOR_EVER = ("Cache-Control", "public, immutable")
_FAR_OFF = ("Expires", "Fri, 31 Dec 2100 00:00:00 GMT")

Make = Callable[[], dict[str, Any] | None]
Encode = Callable[[dict[str, Any]], bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """A document's bytes and what identifies them."""

    body: bytes
    digest: str

    @property
    def etag(self) -> str:
        """As the header has it, in quotes."""
        return f'"{self.digest}"'


class Documents:
    """The documents of a table of resources. `release` is the Kubernetes version (`1.37`)."""

    def __init__(self, table: Table, release: str) -> None:
        self._table = table
        self._release = release
        self._kept: dict[str, Kept] = {}
        self.beside: Iterable[str] = ()
        """Paths that are served beside these documents; the root names them too."""
        table.on_change(self.forget)

    def forget(self, resource: str) -> None:
        """A resource (`plural.group`) has changed: make anew what tells of it.

        What tells of other groups alone is kept: definitions come by the dozen, and a client asks
        for everything after each.
        """
        group = resource.partition(".")[2]
        own = (f"/apis/{group}", f"/openapi/v3/apis/{group}/") if group else ("/api/v1",)
        kept = ("/api/", "/apis/", "/openapi/v3/")
        self._kept = {
            path: found
            for path, found in self._kept.items()
            if path.startswith(kept) and not path.startswith(own)
        }

    def answer(self, path: str, query: Query, http: web.BaseRequest) -> web.Response:
        """The document at `path`. errors.NotFound, errors.NotAcceptable."""
        path = path.rstrip("/")
        accept = http.headers.get("Accept", "")
        if path in ("/api", "/apis"):
            return self._groups(path, accept, http)
        if path == "/openapi/v2":
            return self._open_api_v2(accept, http)
        if path.startswith("/openapi/v3/"):
            return self._open_api_v3(path.removeprefix("/openapi/v3/"), query, http)
        make = self._maker(path)
        if make is None:
            raise errors.NotFound(NOT_FOUND)
        return self._negotiated(path, make, accept, http)

    def _negotiated(
        self, path: str, make: Make, accept: str, http: web.BaseRequest
    ) -> web.Response:
        """A document as JSON, or as the message that it is for who wants that."""
        form = negotiation.form(accept, protobuf=path.startswith("/api"))
        if form.protobuf and not form.shape:
            from cluster.api.protobuf import encoder

            kept = self._made(f"{path} {form.media}", make, encoder.encode)
            return _answer(kept, form.media, http)
        return _answer(self._made(path, make), negotiation.JSON, http)

    def _maker(self, path: str) -> Make | None:
        parts = path.split("/")[1:]
        match parts:
            case ["version"]:
                return lambda: discovery.server_version(self._release)
            case ["openapi", "v3"]:
                return self._index
            case ["api", version]:
                return lambda: discovery.resource_list(self._table, "", version)
            case ["apis", group]:
                return lambda: discovery.group(self._table, group)
            case ["apis", group, version]:
                return lambda: discovery.resource_list(self._table, group, version)
            case []:
                return self._root
        return None

    def _made(self, key: str, make: Make, encode: Encode = _encode) -> Kept:
        found = self._kept.get(key)
        if found is None:
            document = make()
            if document is None:
                raise errors.NotFound(NOT_FOUND)
            body = encode(document)
            digest = hashlib.sha256(body).hexdigest().upper()
            found = self._kept[key] = Kept(body, digest)
        return found

    def _groups(self, path: str, accept: str, http: web.BaseRequest) -> web.Response:
        core = path == "/api"
        version = _aggregated(accept)
        if version:
            kept = self._made(
                f"{path} {version}",
                lambda: discovery.aggregated(self._table, core=core, version=version),
            )
            return _answer(kept, _AGGREGATED.format(version), http)
        if not core:
            return self._negotiated(path, lambda: discovery.group_list(self._table), accept, http)
        document = discovery.api_versions(self._table, http.headers.get("Host", ""))
        if negotiation.form(accept, protobuf=True).protobuf:
            from cluster.api.protobuf import encoder

            return answers.protobuf(encoder.encode(document))
        return answers.json(_encode(document))

    def _root(self) -> dict[str, Any]:
        found = [
            "/api",
            "/apis",
            "/apis/",
            "/openapi/v2",
            "/openapi/v3",
            "/openapi/v3/",
            "/version",
        ]
        for path, (group, _) in v3.paths(self._table).items():
            found += [f"/{path}"] + ([f"/apis/{group}"] if group else [])
        return {"paths": sorted({*found, *self.beside})}

    def _index(self) -> dict[str, Any]:
        paths = v3.paths(self._table)
        return v3.index({path: self._group_version(path).digest for path in paths})

    def _group_version(self, path: str) -> Kept:
        known = v3.paths(self._table).get(path)
        if known is None:
            raise errors.NotFound(NOT_FOUND)
        return self._made(
            f"/openapi/v3/{path}", lambda: v3.document(self._table, *known, self._release)
        )

    def _open_api_v3(self, path: str, query: Query, http: web.BaseRequest) -> web.Response:
        kept = self._group_version(path)
        current = query.get("hash") == kept.digest
        headers = (_FOR_EVER, _FAR_OFF) if current else ()
        return _answer(kept, negotiation.JSON, http, headers)

    def _open_api_v2(self, accept: str, http: web.BaseRequest) -> web.Response:
        for clause in negotiation.clauses(accept):
            if clause.media in v2_protobuf.ASKED:
                kept = self._made(
                    "/openapi/v2 protobuf",
                    lambda: v2.document(self._table, self._release),
                    v2_protobuf.encode,
                )
                return _answer(kept, v2_protobuf.MEDIA_TYPE, http)
            if clause.media in (negotiation.JSON, "*/*", "application/*"):
                break
        negotiation.form(accept)
        kept = self._made("/openapi/v2", lambda: v2.document(self._table, self._release))
        return _answer(kept, negotiation.JSON, http)


def _answer(
    kept: Kept, media: str, http: web.BaseRequest, headers: tuple[tuple[str, str], ...] = ()
) -> web.Response:
    known = http.headers.get("If-None-Match", "")
    if kept.digest in known:
        return answers.unchanged(kept.etag)
    return answers.document(kept.body, media, kept.etag, headers)


def _aggregated(accept: str) -> str:
    """The version of APIGroupDiscoveryList that is wanted before a plain list, or ""."""
    for clause in negotiation.clauses(accept):
        said = clause.parameters
        version = said.get("v", "")
        if said.get("as") == "APIGroupDiscoveryList":
            if said.get("g") == "apidiscovery.k8s.io" and version in ("v2", "v2beta1"):
                return version
        elif clause.media in (negotiation.JSON, "*/*", "application/*"):
            return ""
    return ""
