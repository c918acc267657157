"""Requests passed on to extension servers, and their answers back.

Who asks is told in the X-Remote headers, by a proxy whose certificate the extension server trusts
(--proxy-client-cert-file); the client's own credentials stay here.
"""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from aiohttp import ClientResponse, web
from multidict import CIMultiDict

from cluster.api import errors, identity, json_text
from cluster.apiserver import hopbyhop
from cluster.apiserver.aggregation.services import Remote
from cluster.apiserver.outbound.caller import HttpCaller
from cluster.apiserver.outbound.protocol import Answer, Unreachable
from cluster.apiserver.rest import requests

_OURS = frozenset(("authorization", "host", "content-length", "accept-encoding"))
_OURS_BEGIN = ("x-remote-", "impersonate-")
_SAID: Final = 512
"""Bytes that are told of an answer that is no Status."""
_REASONS: Final = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
    429: "TooManyRequests", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
ANSWER_SECONDS = 60.0
"""How long an extension server may take to begin its answer."""


async def forwarded(
    caller: HttpCaller, found: Remote, user: identity.User, http: web.BaseRequest
) -> web.StreamResponse:
    """The answer of the extension server, as it comes. errors.ServiceUnavailable."""
    if not found.available:
        raise errors.ServiceUnavailable("service unavailable")
    if "upgrade" in http.headers.get("Connection", "").lower():
        raise errors.NotImplementedYet(
            "upgraded connections to extension servers are not built yet in this version of kubemu"
        )
    body = await requests.raw_body(http) if http.can_read_body else b""
    request = found.asked(http.method, http.raw_path, headers=_headers(http, user), body=body)
    try:
        async with caller.opened(request, ANSWER_SECONDS) as answer:
            return await _passed_back(http, answer)
    except Unreachable as error:
        raise errors.ServiceUnavailable(f"error trying to reach service: {error}") from None


async def fetched(caller: HttpCaller, found: Remote, user: identity.User, path: str) -> bytes:
    """What the extension server answers to a GET. errors.StatusError, its own among them."""
    if not found.available:
        raise errors.ServiceUnavailable("service unavailable")
    headers: CIMultiDict[str] = CIMultiDict({"Accept": "application/json"})
    _tell_who(headers, user)
    try:
        answer = await caller.call(found.asked("GET", path, headers=headers), ANSWER_SECONDS)
    except Unreachable as error:
        raise errors.ServiceUnavailable(f"error trying to reach service: {error}") from None
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _failure(answer)
    return answer.body


def _failure(answer: Answer) -> errors.StatusError:
    """The Status that an extension server sent, or what its code says."""
    try:
        status = json_text.decoded(answer.body)
    except json_text.Malformed:
        status = None
    said = status if isinstance(status, dict) else {}
    text, reason, details = said.get("message"), said.get("reason"), said.get("details")
    if not isinstance(text, str):
        text = answer.body[:_SAID].decode("utf-8", "replace").strip() or "unknown"
    if not isinstance(reason, str):
        reason = _REASONS.get(answer.status, "")
    known = details if isinstance(details, dict) else {}
    return errors.from_status({"message": text, "reason": reason, "details": known})


async def _passed_back(http: web.BaseRequest, answer: ClientResponse) -> web.StreamResponse:
    kept = hopbyhop.passed(tuple(answer.headers.items()))
    headers = CIMultiDict((name, value) for name, _, value in kept)
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(http)
    async for part in answer.content.iter_any():
        await response.write(part)
    await response.write_eof()
    return response


def _headers(http: web.BaseRequest, user: identity.User) -> "CIMultiDict[str]":
    """The client's headers without what is for this server alone, and who asks."""
    sent: CIMultiDict[str] = CIMultiDict(
        (name, value)
        for name, low, value in hopbyhop.passed(tuple(http.headers.items()))
        if low not in _OURS and not low.startswith(_OURS_BEGIN)
    )
    _tell_who(sent, user)
    return sent


def _tell_who(headers: "CIMultiDict[str]", user: identity.User) -> None:
    headers.add("X-Remote-User", user.name)
    if user.uid:
        headers.add("X-Remote-Uid", user.uid)
    for group in user.groups:
        headers.add("X-Remote-Group", group)
    for key, values in user.extra:
        for value in values:
            headers.add(f"X-Remote-Extra-{quote(key, safe='')}", value)
