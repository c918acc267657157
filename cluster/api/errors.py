"""The error tree of the API: each error is a metav1.Status with Kubernetes' reason and code.

Raised by pure rules, by the registry and by clients alike, so that an error crosses gRPC and REST
without changing. Messages are worded as k8s.io/apimachinery/pkg/api/errors words them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One StatusCause: reason (`FieldValueInvalid`…), message, and the JSON path of the field."""

    reason: str
    message: str
    field: str


class StatusError(Exception):
    """A failure that the API reports as a Status. Subclasses fix reason and code, but for those
    that admission webhooks choose.
    """

    reason: str = "InternalError"
    code: int = 500
    warnings: tuple[str, ...] = ()
    """What the user should be told besides, as Warning headers."""

    def __init__(
        self,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: dict[str, Any] = {}
        """The ListMeta of the Status: where a list that cannot go on consistently can go on."""
        self.details = details or {}
        if retry_after is not None:
            self.details["retryAfterSeconds"] = retry_after

    def status(self) -> dict[str, Any]:
        """The metav1.Status document of this error."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            body["details"] = self.details
        return body


class BadRequest(StatusError):
    """400: the request itself is malformed."""

    reason, code = "BadRequest", 400


class Unauthorized(StatusError):
    """401: nobody is known by these credentials."""

    reason, code = "Unauthorized", 401


class Forbidden(StatusError):
    """403: the user, or admission, does not allow it."""

    reason, code = "Forbidden", 403


class NotFound(StatusError):
    """404: no such object or resource."""

    reason, code = "NotFound", 404


class MethodNotAllowed(StatusError):
    """405: the resource does not have this verb."""

    reason, code = "MethodNotAllowed", 405


class NotAcceptable(StatusError):
    """406: none of the accepted media types can be given."""

    reason, code = "NotAcceptable", 406


class AlreadyExists(StatusError):
    """409: an object of that name exists."""

    reason, code = "AlreadyExists", 409


class Conflict(StatusError):
    """409: the object changed meanwhile, or a precondition failed."""

    reason, code = "Conflict", 409


class Expired(StatusError):
    """410: the revision asked for is no longer kept."""

    reason, code = "Expired", 410


class RequestEntityTooLarge(StatusError):
    """413: the body is larger than the server takes."""

    reason, code = "RequestEntityTooLarge", 413


class UnsupportedMediaType(StatusError):
    """415: the body's media type is not understood."""

    reason, code = "UnsupportedMediaType", 415


class Invalid(StatusError):
    """422: the object breaks the rules of its kind; details.causes names each field."""

    reason, code = "Invalid", 422


class TooManyRequests(StatusError):
    """429: ask again after details.retryAfterSeconds."""

    reason, code = "TooManyRequests", 429


class InternalError(StatusError):
    """500: a fault of the server."""


class NotImplementedYet(StatusError):
    """501: Kubernetes has it and kubemu does not, yet. Says so instead of pretending."""

    reason, code = "NotImplemented", 501


class ServiceUnavailable(StatusError):
    """503: not ready; try again."""

    reason, code = "ServiceUnavailable", 503


class Timeout(StatusError):
    """504: it was not done within the time allowed."""

    reason, code = "Timeout", 504


_BY_REASON: dict[str, type[StatusError]] = {
    kind.reason: kind
    for kind in (
        BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable,
        AlreadyExists, Conflict, Expired, RequestEntityTooLarge, UnsupportedMediaType, Invalid,
        TooManyRequests, InternalError, NotImplementedYet, ServiceUnavailable, Timeout,
    )
}  # fmt: skip


def from_status(body: dict[str, Any]) -> StatusError:
    """The error that a Status document tells of; an unknown reason becomes InternalError."""
    kind = _BY_REASON.get(body.get("reason", ""), InternalError)
    return kind(body.get("message", ""), details=body.get("details"))


def not_found(resource: str, name: str) -> NotFound:
    """`pods "web" not found`; `resource` is `plural[.group]`."""
    return NotFound(f'{resource} "{name}" not found', details=_details(resource, name))


def already_exists(resource: str, name: str) -> AlreadyExists:
    """`pods "web" already exists`."""
    return AlreadyExists(f'{resource} "{name}" already exists', details=_details(resource, name))


def conflict(resource: str, name: str, why: str) -> Conflict:
    """`Operation cannot be fulfilled on pods "web": <why>`."""
    return Conflict(
        f'Operation cannot be fulfilled on {resource} "{name}": {why}',
        details=_details(resource, name),
    )


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def forbidden(resource: str, name: str, why: str) -> Forbidden:
    """`pods "web" is forbidden: <why>`."""
    return Forbidden(f'{resource} "{name}" is forbidden: {why}', details=_details(resource, name))


def invalid(kind: str, group: str, name: str, causes: Iterable[Cause]) -> Invalid:
    """`Pod "web" is invalid: <field: message>`, several in brackets.

    Of kind, group and name, details have those that are not empty.
    """
    found = list(causes)
    texts = [f"{cause.field}: {cause.message}" for cause in found]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    shown = f"{kind}.{group}" if group else kind
    named = {"name": name, "group": group, "kind": kind}
    details: dict[str, Any] = {field: value for field, value in named.items() if value}
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in found
    ]
    return Invalid(f'{shown} "{name}" is invalid: {joined}', details=details)


def expired(message: str = "The resourceVersion for the provided watch is too old.") -> Expired:
    """A watch or a list at a revision that was compacted."""
    return Expired(message)


def _details(resource: str, name: str) -> dict[str, Any]:
    plural, _, group = resource.partition(".")
    details: dict[str, Any] = {"name": name, "kind": plural}
    if group:
        details["group"] = group
    return details
