"""Answers: ready bytes with the headers that clients look at.

`web.Response` with a ready dict of headers is the cheapest answer that aiohttp can give.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from cluster.api import errors
from cluster.apiserver.rest import negotiation

_encode = msgspec.json.Encoder().encode
_CACHE = "no-cache, private"
_JSON = {"Content-Type": negotiation.JSON, "Cache-Control": _CACHE}
_YAML = {"Content-Type": negotiation.YAML, "Cache-Control": _CACHE}
_PROTOBUF = {"Content-Type": negotiation.PROTOBUF, "Cache-Control": _CACHE}
_TEXT = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": _CACHE,
    "X-Content-Type-Options": "nosniff",
}
ANSWER_SECONDS = 60.0
"""How long a client may take to read a large answer: request-timeout of kube-apiserver."""
_LARGE = 1 << 20
_CHUNK = 1 << 18
_BROWSERS = ("curl", "Wget", "Mozilla/5.0")


def json(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    """An answer of JSON text."""
    return web.Response(body=body, status=status, headers=_JSON)


async def pieces(http: web.BaseRequest, parts: Sequence[bytes]) -> web.StreamResponse:
    """An answer of JSON text in pieces.

    A large one goes out chunk by chunk, so that the client reads while the server encrypts, and
    nothing as large as the whole is ever copied. ConnectionError where the client does not read.
    """
    length = sum(map(len, parts))
    if length <= _LARGE:
        return json(b"".join(parts))
    response = web.StreamResponse(headers=_JSON)
    response.content_length = length
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await response.prepare(http)
            for chunk in _chunks(parts):
                await response.write(chunk)
            await response.write_eof()
    except TimeoutError:
        refused = getattr(http.protocol, "refused", None)
        if refused is not None:
            refused("slow reader")
        raise ConnectionAbortedError("the client does not read its answer") from None
    return response


def _chunks(parts: Sequence[bytes]) -> Iterator[bytes]:
    """The pieces, joined to chunks of at least _CHUNK bytes."""
    start = size = 0
    for end, part in enumerate(parts, 1):
        size += len(part)
        if size >= _CHUNK:
            yield b"".join(parts[start:end])
            start, size = end, 0
    if start < len(parts):
        yield b"".join(parts[start:])


def text(body: str, status: int = HTTPStatus.OK) -> web.Response:
    """An answer of plain text."""
    return web.Response(body=body.encode(), status=status, headers=_TEXT)


def of_another_version() -> web.Response:
    """The answer to HTTP/0.9 or HTTP/2.0 on a connection of HTTP/1.1, as Go says it."""
    response = text("505 HTTP Version Not Supported: unsupported protocol version", 505)
    response.force_close()
    return response


def yaml(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    """JSON text, given as YAML."""
    from cluster.apiserver.rest import yaml_text

    return web.Response(body=yaml_text.from_json(body), status=status, headers=_YAML)


def protobuf(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    """A protobuf message in its envelope."""
    return web.Response(body=body, status=status, headers=_PROTOBUF)


def indented(body: bytes, status: int = HTTPStatus.OK) -> web.Response:
    """JSON text, given with line breaks for people."""
    return json(msgspec.json.format(body, indent=2) + b"\n", status)


def wants_indent(pretty: str | None, user_agent: str) -> bool:
    """Whether a person is reading: `pretty` says so, or a browser or curl asks without it."""
    if pretty is not None:
        return pretty.lower() not in ("false", "0")
    return user_agent.startswith(_BROWSERS)


def failure(error: errors.StatusError, accept: str = "") -> web.Response:
    """The Status of an error, as protobuf where the client wants that before JSON."""
    status = error.status()
    wanted = negotiation.media_of_status(accept) if "protobuf" in accept else negotiation.JSON
    if wanted == negotiation.PROTOBUF:
        from cluster.api.protobuf import encoder

        response = protobuf(encoder.encode(status), error.code)
    else:
        response = web.Response(body=_encode(status), status=error.code, headers=_JSON)
    retry = error.details.get("retryAfterSeconds")
    if retry is not None:
        response.headers["Retry-After"] = str(retry)
    return response


def warned(response: web.Response, warnings: Iterable[str]) -> web.Response:
    """The answer with a Warning header for each text, said once."""
    for warning in dict.fromkeys(warnings):
        response.headers.add("Warning", f'299 - "{_quoted(warning)}"')
    return response


def document(
    body: bytes, media: str, etag: str, headers: Sequence[tuple[str, str]] = ()
) -> web.Response:
    """A document that clients may keep and ask after by its ETag."""
    shown = CIMultiDict({"Content-Type": media, "ETag": etag, "Vary": "Accept"})
    shown.extend(headers)
    if "Cache-Control" not in shown:
        shown["Cache-Control"] = "public"
    return web.Response(body=body, headers=shown)


def unchanged(etag: str) -> web.Response:
    """304: what the client has is current."""
    headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": "public"}
    return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)


GONE = web.Response(status=499)
"""Stands for the answer of a request that was cut off, which nobody hears."""


def _quoted(warning: str) -> str:
    """The text inside a quoted-string (RFC 7230): one line, with escapes."""
    plain = "".join(letter if letter.isprintable() else " " for letter in warning)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
