"""Pages of lists, and the tokens that continue them at the revision of the first."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cluster.api import errors
from cluster.apiserver.watchcache.entry import Entry


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a part of it, as of `revision`.

    `token` asks for the next part, "" at the end; `remaining` tells how many objects are left, None
    where that is not known (with selectors) or nothing is.
    """

    items: Sequence[Entry]
    revision: int
    token: str = ""
    remaining: int | None = None


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: str


_decode = msgspec.json.Decoder(_Token).decode
_encode = msgspec.json.Encoder().encode


def token(revision: int, after: str, prefix: str) -> str:
    """The token that continues after the key `after` of a list under `prefix`."""
    found = _Token("meta.k8s.io/v1", revision, after.removeprefix(prefix))
    return base64.urlsafe_b64encode(_encode(found)).decode().rstrip("=")


def parse(text: str, prefix: str) -> tuple[int, str]:
    """The revision and the key of a token. errors.BadRequest."""
    try:
        padded = text + "=" * (-len(text) % 4)
        found = _decode(base64.b64decode(padded, altchars="-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise errors.BadRequest(f"continue key is not valid: {error}") from None
    if found.v != "meta.k8s.io/v1" or found.rv < INCONSISTENT or not found.start:
        raise errors.BadRequest("continue key is not valid: incorrect encoded start key")
    if found.rv == 0:
        why = "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
        raise errors.BadRequest(f"continue key is not valid: {why}")
    return found.rv, prefix + found.start


INCONSISTENT = -1
"""The revision of a token that goes on with what is there now."""
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


def too_old(after: str, prefix: str) -> errors.Expired:
    """What the first page showed is no longer kept; the Status has a token to go on all the same.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
    """
    error = errors.expired(_TOO_OLD)
    error.metadata = {"continue": token(INCONSISTENT, after, prefix)}
    return error
