"""Who am I, and whose token is this: SelfSubjectReview and TokenReview.

Answers: k8s.io/kubernetes pkg/registry/authentication.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from cluster.api import errors, identity
from cluster.api.objects import Object
from cluster.apiserver.authn import Review
from cluster.apiserver.plan import Call
from cluster.apiserver.virtual.table import Handler

_GROUP: Final = "authentication.k8s.io"
SELF: Final = f"selfsubjectreviews.{_GROUP}"
TOKENS: Final = f"tokenreviews.{_GROUP}"


class Reviewer(Protocol):
    """What of an authenticator a TokenReview needs."""

    def review(self, token: str, audiences: Sequence[str] = ()) -> Review:
        """Whose token it is."""
        ...


def own(call: Call, review: Object) -> Object:
    """SelfSubjectReview: the user as the API server sees it."""
    return review | {"status": {"userInfo": user_info(call.user)}}


def token_review(reviewer: Reviewer) -> Handler:
    """The handler of TokenReview."""

    def handle(call: Call, review: Object) -> Object:
        spec = review.get("spec") or {}
        if not spec.get("token"):
            raise errors.BadRequest("token is required for TokenReview in authentication")
        found = reviewer.review(spec["token"], tuple(spec.get("audiences") or ()))
        status: dict[str, Any] = {"user": {}}
        if found.user is not None:
            status = {"authenticated": True, "user": user_info(found.user)}
            if found.audiences:
                status["audiences"] = list(found.audiences)
        if found.error:
            status["error"] = found.error
        return review | {"status": status}

    return handle


def user_info(user: identity.User) -> Object:
    """A UserInfo."""
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra}
    return info
