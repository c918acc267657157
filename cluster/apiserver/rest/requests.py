"""A request, taken apart: who asks for what, how, and in which form the answer shall be."""

import asyncio
from typing import NamedTuple

from aiohttp import web

from cluster.api import errors, identity, operations
from cluster.api.protobuf import decoder as protobuf
from cluster.apiserver import bodies, codec
from cluster.apiserver.rest import negotiation
from cluster.apiserver.rest.negotiation import Form
from cluster.apiserver.rest.paths import Target
from cluster.apiserver.rest.query import Query

BODY_SECONDS = 60.0
"""How long a body may take to come: request-timeout of kube-apiserver."""
_UNKNOWN_FORMAT = (
    "the body of the request was in an unknown format - accepted media types include: "
)
_BODIES = (negotiation.JSON, negotiation.YAML, protobuf.MEDIA_TYPE)
_PATCHES = (
    operations.JSON_PATCH, operations.MERGE_PATCH, operations.APPLY_PATCH,
    operations.STRATEGIC_PATCH,
)  # fmt: skip
_YAML_TYPES = (negotiation.YAML, "application/x-yaml", "text/yaml")


class Call(NamedTuple):
    """One call of the API. `http` is the request it came by."""

    http: web.BaseRequest
    user: identity.User
    target: Target
    query: Query
    form: Form
    past: int = 0
    """The revision as of which it is answered, where faults want that (`apiserver.chaos`)."""

    @property
    def user_agent(self) -> str:
        """What the client calls itself."""
        return self.http.headers.get("User-Agent", "")

    def about(self, target: Target) -> "Call":
        """The same call, of another target."""
        return self._replace(target=target)


async def body(call: Call) -> bytes:
    """The body as JSON text. errors.UnsupportedMediaType, errors.RequestEntityTooLarge."""
    _unpacked(call.http)
    raw = await _read(call.http)
    media = _media(call.http)
    if media in (negotiation.JSON, "") or not raw:
        return raw
    if media in _YAML_TYPES:
        return _from_yaml(raw)
    if media == protobuf.MEDIA_TYPE and not _without_protobuf(call):
        return codec.document(protobuf.decode(raw))
    known = _BODIES[:-1] if _without_protobuf(call) else _BODIES
    raise errors.UnsupportedMediaType(_UNKNOWN_FORMAT + ", ".join(known))


def _without_protobuf(call: Call) -> bool:
    """Whether a body is a custom object, for which no protobuf message exists."""
    own = call.target.subresource in ("", "status") and call.http.method in ("POST", "PUT")
    return own and call.target.resource.custom is not None


async def raw(call: Call) -> bytes:
    """The body as it came. errors.RequestEntityTooLarge, errors.Timeout."""
    return await _read(call.http)


async def raw_body(http: web.BaseRequest) -> bytes:
    """The body of a request that is no call of this API's own. Errors as `raw`."""
    return await _read(http)


async def patch(call: Call) -> tuple[bytes, str]:
    """A patch as JSON text, and its type. errors.UnsupportedMediaType."""
    media = _media(call.http)
    if media not in _PATCHES:
        raise errors.UnsupportedMediaType(_UNKNOWN_FORMAT + ", ".join(_PATCHES))
    _unpacked(call.http)
    raw = await _read(call.http)
    return (_from_yaml(raw) if media == operations.APPLY_PATCH else raw), media


async def taken(http: web.BaseRequest) -> bytes:
    """The body as JSON text where it was read already, whatever it is: for who looks on.

    b"" for one that was not read, or that is nothing.
    """
    if not http.content.is_eof():
        return b""
    raw = await http.read()
    media = _media(http)
    if not raw or media not in (*_YAML_TYPES, protobuf.MEDIA_TYPE, operations.APPLY_PATCH):
        return raw
    try:
        is_message = media == protobuf.MEDIA_TYPE
        return codec.document(protobuf.decode(raw)) if is_message else _from_yaml(raw)
    except errors.StatusError:
        return b""  # who sent it was told what is wrong with it


def too_large() -> errors.RequestEntityTooLarge:
    """The body is larger than the server takes."""
    return errors.RequestEntityTooLarge(f"Request entity too large: limit is {bodies.MAX_BODY}")


async def arrived(http: web.BaseRequest) -> None:
    """Wait until the body is there; it is kept for whoever reads it.

    errors.Timeout, errors.RequestEntityTooLarge, errors.BadRequest.
    """
    _unpacked(http)
    await _read(http)


def _unpacked(http: web.BaseRequest) -> None:
    """errors.BadRequest for a body in any encoding: nobody here unpacks what may be a bomb.

    kube-apiserver packs answers only, and finds no JSON in such a body, which is 400 as well. What
    goes on to pods, services and extension servers is theirs to judge.
    """
    said = http.headers.getall("Content-Encoding", ())
    if all(each.strip().lower() in ("", "identity") for each in said):
        return
    refused = getattr(http.protocol, "refused", None)
    if refused is not None:
        refused("compressed body")
    raise errors.BadRequest("the body of the request is in an unsupported content encoding")


async def _read(http: web.BaseRequest) -> bytes:
    if getattr(http, "garbled", False):
        raise errors.BadRequest("the body of the request is in an unsupported transfer encoding")
    length = http.content_length
    if length is not None and length > bodies.MAX_BODY:
        raise too_large()
    try:
        if http.content.is_eof():
            return await http.read()
        async with asyncio.timeout(getattr(http, "patience", 0.0) or BODY_SECONDS):
            return await http.read()
    except TimeoutError:
        why = "Timeout: request did not complete within the allotted timeout"
        raise errors.Timeout(why) from None
    except web.HTTPRequestEntityTooLarge:
        raise too_large() from None
    except web.RequestPayloadError as error:
        raise errors.BadRequest(f"the body of the request cannot be read: {error}") from None


def _media(http: web.BaseRequest) -> str:
    return http.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _from_yaml(raw: bytes) -> bytes:
    from cluster.apiserver.rest import yaml_text

    return yaml_text.to_json(raw)
