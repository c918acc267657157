"""AdmissionReviews: what a webhook is sent, and what of its answer can be believed. Pure.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/request/admissionreview.go and
pkg/admission/plugin/webhook/errors/statuserror.go; for answers that are no 200, client-go's rest.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.api import errors, json_text
from cluster.api.objects import Object
from cluster.apiserver import codec
from cluster.apiserver.outbound.protocol import Answer

_GROUP: Final = "admission.k8s.io"
_KIND: Final = "AdmissionReview"
_LEAST, _MOST = 400, 599
"""The codes that a refusal may have."""
_SHOWN: Final = 2048
_WARNINGS: Final = 4096
"""Characters of all warnings of one answer together."""
_SUCCESSES: Final = (200, 201, 202)
_STATUSES: Final[Mapping[int, str]] = {
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    410: "the server rejected our request because it expired",
    415: "the body of the request was in an unknown format - accepted media types include: ",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be "
    "processing the request",
}


class Unusable(Exception):
    """No answer that can be used came from the webhook; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook says. `patch` is JSON text, empty for none. `failure`: it was not to be had.

    `result` is the Status that goes with a refusal.
    """

    allowed: bool = False
    patch: bytes = b""
    result: Object = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    failure: str = ""


def review(version: str, uid: str, request: Object) -> bytes:
    """The body to send."""
    return codec.document(
        {
            "kind": _KIND,
            "apiVersion": f"{_GROUP}/{version}",
            "request": {"uid": uid} | request,
        }
    )


def verdict(version: str, uid: str, answer: Answer, *, mutating: bool) -> Verdict:
    """What an answer to the review of this uid says. Unusable."""
    if answer.status not in _SUCCESSES:
        raise Unusable(f"failed to call webhook: {_refused(answer)}")
    found = _decoded(answer.body)
    response = found.get("response")
    if not isinstance(response, dict):
        raise _invalid("webhook response was absent")
    if version == "v1":
        _check_v1(found, response, uid, mutating=mutating)
    patch = _patch(response) if mutating else b""
    result = response.get("status")  # the field is called so in JSON, Result in Go
    return Verdict(
        response.get("allowed") is True,
        patch,
        result if isinstance(result, dict) else {},
        _warnings(response.get("warnings")),
        _annotations(response.get("auditAnnotations")),
    )


def _decoded(body: bytes) -> Object:
    try:
        found = json_text.decoded(body)
    except json_text.Malformed as error:
        why = f"couldn't get version/kind; json parse error: {error}"
        raise Unusable(f"failed to call webhook: {why}") from None
    if not isinstance(found, dict):
        why = "couldn't get version/kind; json parse error: the answer is no object"
        raise Unusable(f"failed to call webhook: {why}")
    return found


def _invalid(why: str) -> Unusable:
    return Unusable(f"received invalid webhook response: {why}")


def _check_v1(found: Object, response: Object, uid: str, *, mutating: bool) -> None:
    said = response.get("uid")
    if said != uid:
        raise _invalid(f'expected response.uid="{uid}", got "{said or ""}"')
    api_version, kind = found.get("apiVersion") or "", found.get("kind") or ""
    if (api_version, kind) != (f"{_GROUP}/v1", _KIND):
        shown = f"{api_version if '/' in str(api_version) else f'/{api_version}'}, Kind={kind}"
        wanted = f"{_GROUP}/v1, Kind={_KIND}"
        raise _invalid(f"expected webhook response of {wanted}, got {shown}")
    patch, patch_type = response.get("patch"), response.get("patchType")
    if not mutating:
        if patch:
            raise _invalid("validating webhook may not return response.patch")
        if patch_type is not None:
            raise _invalid("validating webhook may not return response.patchType")
    elif patch and patch_type is None:
        raise _invalid("webhook returned response.patch but not response.patchType")
    elif not patch and patch_type is not None:
        raise _invalid("webhook returned response.patchType but not response.patch")
    elif patch_type == "":
        raise _invalid('webhook returned invalid response.patchType of ""')
    elif patch_type not in (None, "JSONPatch"):
        raise Unusable(f'unsupported patch type "{patch_type}"')


def _patch(response: Object) -> bytes:
    patch = response.get("patch")
    if not patch:
        return b""
    try:
        return base64.b64decode(patch, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Unusable("failed to call webhook: response.patch is no base64") from None


def _warnings(found: Any) -> tuple[str, ...]:
    told: list[str] = []
    left = _WARNINGS
    for text in found if isinstance(found, list) else ():
        if isinstance(text, str) and left > 0:
            told.append(text[:left])
            left -= len(text)
    return tuple(told)


def _annotations(found: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(found, dict):
        return ()
    return tuple((key, text) for key, text in found.items() if isinstance(text, str))


def _refused(answer: Answer) -> str:
    """What client-go makes of an answer that is no success."""
    status = _status(answer.body)
    if status:
        return status
    text = answer.body[:_SHOWN].decode(errors="replace").strip() or "unknown"
    if answer.status in _STATUSES:
        return _STATUSES[answer.status]
    if answer.status == 403:
        return text
    if answer.status >= 500:
        shown = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'an error on the server ("{shown}") has prevented the request from succeeding'
    return f"the server rejected our request for an unknown reason (HTTP {answer.status})"


def _status(body: bytes) -> str:
    try:
        found = json_text.decoded(body)
    except json_text.Malformed:
        return ""
    if not isinstance(found, dict) or found.get("kind") != "Status":
        return ""
    message = found.get("message")
    return message if isinstance(message, str) else ""


def refusal(name: str, result: Object) -> errors.StatusError:
    """The error of a request that the webhook refused with this Status (ToStatusErr)."""
    message, reason = _text(result, "message"), _text(result, "reason")
    denied = f'admission webhook "{name}" denied the request'
    if message or reason:
        told = f"{denied}: {message or reason}"
    else:
        told = f"{denied} without explanation"
    details = result.get("details")
    error = errors.StatusError(told, details=dict(details) if isinstance(details, dict) else None)
    error.reason = reason
    code = result.get("code")
    error.code = _LEAST
    if isinstance(code, int) and not isinstance(code, bool) and code > _LEAST:
        error.code = code if code <= _MOST else 500
    retry = error.details.get("retryAfterSeconds")
    if retry is not None and (not isinstance(retry, int) or isinstance(retry, bool)):
        del error.details["retryAfterSeconds"]
    return error


def _text(result: Object, field: str) -> str:
    found = result.get(field)
    return found if isinstance(found, str) else ""
