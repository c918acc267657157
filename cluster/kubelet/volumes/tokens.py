"""Service account tokens of pods: asked for when they are needed, and again before they expire.

Source: pkg/kubelet/token.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from cluster.aio import clock as clocks
from cluster.api import errors, objects, timestamps
from cluster.api.objects import Object
from cluster.api.operations import Operation, Verb
from cluster.client.client import Client
from cluster.kubelet.volumes.contents import TokenWanted, Unready

_SHARE: Final = 0.8
"""Of a token's life, after which it is replaced."""
_LONGEST: Final = 24 * 3600.0
"""Seconds after which one is replaced however long it lives."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and when it is to be replaced and expires, in seconds since the epoch."""

    data: bytes
    replace_at: float
    expires_at: float


class Tokens:
    """Asks the API server for tokens."""

    def __init__(self, client: Client, clock: clocks.Clock) -> None:
        self._client = client
        self._clock = clock

    async def fetch(self, pod: Object, wanted: TokenWanted) -> Token:
        """A token of the pod's account, bound to the pod. Unready."""
        namespace = objects.namespace(pod)
        account = objects.spec(pod).get("serviceAccountName") or "default"
        bound = {
            "apiVersion": "v1", "kind": "Pod", "name": objects.name(pod), "uid": objects.uid(pod),
        }  # fmt: skip
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [wanted.audience] if wanted.audience else [],
                "expirationSeconds": wanted.seconds,
                "boundObjectRef": bound,
            },
        }
        asked = Operation(
            Verb.CREATE, "serviceaccounts", namespace, account, "token", _encode(body)
        )
        now = self._clock.now()
        try:
            answer = await self._client.submit(asked)
        except errors.StatusError as error:
            raise Unready(f"failed to fetch token: {error}") from error
        status = objects.status(answer)
        expires = timestamps.decode(status["expirationTimestamp"])
        age = min((expires - now) * _SHARE, _LONGEST)
        return Token(str(status["token"]).encode(), now + age, expires)
