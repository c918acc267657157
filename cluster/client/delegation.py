"""Who may see a component's pages, decided by the API server: Kubernetes' delegated authentication
and authorization (kube-scheduler, kube-controller-manager, kubelet).

A client certificate that TLS has verified says who it is by its subject; a bearer token is shown to
the API server (TokenReview). What he may is asked by a SubjectAccessReview for the path. Health is
for everybody (`--authorization-always-allow-paths`).
"""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from cluster.aio import clock as clocks
from cluster.aio.pages import Asked
from cluster.api import errors, identity
from cluster.client.client import Client

ALWAYS: Final = ("/healthz", "/readyz", "/livez")
REMEMBERED_SECONDS: Final = 10.0
"""How long an answer counts: --authentication-token-webhook-cache-ttl and its like."""
_MOST: Final = 256
_TOKENS: Final = "tokenreviews.authentication.k8s.io"
_REVIEWS: Final = "subjectaccessreviews.authorization.k8s.io"


class Delegation:
    """Asks the API server, and remembers its answers for a moment."""

    def __init__(self, client: Client, clock: clocks.Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[tuple[str, ...], tuple[float, Any]] = {}

    async def refusal(self, asked: Asked) -> HTTPStatus | None:
        """None: he may see the page; else why not: 401, 403, or 500 where nobody could say."""
        path = asked.path.rstrip("/") or "/"
        if path in ALWAYS or path.startswith(tuple(f"{each}/" for each in ALWAYS)):
            return None
        try:
            user = await self._user(asked)
            if user is None:
                return HTTPStatus.UNAUTHORIZED
            return None if await self._may(user, path) else HTTPStatus.FORBIDDEN
        except errors.StatusError:
            return HTTPStatus.INTERNAL_SERVER_ERROR

    async def _user(self, asked: Asked) -> identity.User | None:
        if asked.certificate:
            return subject(asked.certificate)
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not token:
            return identity.ANONYMOUS
        # The token itself is not kept.
        key = ("token", hashlib.sha256(token.encode()).hexdigest())
        found = self._remembered(key)
        if found is None:
            review = {"spec": {"token": token}}
            status = (await self._client.create(_TOKENS, review)).get("status") or {}
            told = status.get("user") or {}
            groups = tuple(str(group) for group in told.get("groups") or ())
            known = bool(status.get("authenticated"))
            found = (identity.User(str(told.get("username", "")), groups) if known else None,)
            self._remember(key, found)
        user: identity.User | None = found[0]
        return user

    async def _may(self, user: identity.User, path: str) -> bool:
        key = ("may", user.name, *user.groups, path)
        found = self._remembered(key)
        if found is None:
            attributes = {"path": path, "verb": "get"}
            spec = {
                "user": user.name,
                "groups": [*user.groups],
                "nonResourceAttributes": attributes,
            }
            answer = await self._client.create(_REVIEWS, {"spec": spec})
            found = bool((answer.get("status") or {}).get("allowed"))
            self._remember(key, found)
        return bool(found)

    def _remembered(self, key: tuple[str, ...]) -> Any:
        until, value = self._known.get(key, (0.0, None))
        return value if until > self._clock.now() else None

    def _remember(self, key: tuple[str, ...], value: Any) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (self._clock.now() + REMEMBERED_SECONDS, value)


def subject(certificate: Mapping[str, Any]) -> identity.User:
    """Whom a certificate (as `ssl.getpeercert` tells it) speaks for."""
    pairs = [pair for names in certificate.get("subject", ()) for pair in names]
    name = next((value for kind, value in pairs if kind == "commonName"), "")
    groups = tuple(value for kind, value in pairs if kind == "organizationName")
    return identity.authenticated(identity.User(name, groups))
