"""Service account tokens: issued, and verified for as long as what they are bound to is there.

A signature is checked once for each token; afterwards a call costs the look at the objects that
vouch for it, which the watch cache answers at once. So a token ends in the moment its pod does,
which kube-apiserver, remembering its verdict for ten seconds, does not promise.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from cluster.aio.clock import Clock
from cluster.api import identity, timestamps
from cluster.api.tokens import claims
from cluster.api.tokens.claims import Claims, Reference, Refused
from cluster.api.tokens.jws import Signer
from cluster.api.tokens.keys import PublicKey, SigningKey
from cluster.apiserver import codec
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.resource import ResourceCache

__all__ = ["ISSUER", "Issuer", "Known", "Refused", "ServiceAccounts", "Settings"]

ISSUER = "https://kubernetes.default.svc.cluster.local"
KNOWN = 4096
"""Tokens that are remembered; the oldest makes room for the next."""
_LONGEST = 1 << 15


class _Meta(msgspec.Struct):
    uid: str = ""
    deletionTimestamp: str | None = None


class _Head(msgspec.Struct):
    metadata: _Meta


class _Secret(msgspec.Struct):
    data: dict[str, str] | None = None


_head = msgspec.json.Decoder(_Head).decode
_secret = msgspec.json.Decoder(_Secret).decode


@dataclass(frozen=True, slots=True)
class Settings:
    """How service account tokens are made and checked. Nothing is signed without `signing`.

    The first of `issuers` issues; tokens of all are taken. `audiences` are the API server's own,
    by default its issuers. `extend`: see claims.WARN_ONLY_SECONDS. ValueError.
    """

    signing: SigningKey | None = None
    keys: tuple[PublicKey, ...] = ()
    issuers: tuple[str, ...] = (ISSUER,)
    audiences: tuple[str, ...] = ()
    longest: int = 0
    extend: bool = True

    def __post_init__(self) -> None:
        if not self.issuers or not all(self.issuers):
            raise ValueError("service-account-issuer must not be empty")
        if self.longest and not 3600 <= self.longest <= 1 << 32:
            raise ValueError(
                "service-account-max-token-expiration must be between 1 hour and 2^32 seconds"
            )

    @property
    def own_audiences(self) -> tuple[str, ...]:
        """What tokens for this API server name."""
        return self.audiences or self.issuers

    @property
    def all_keys(self) -> tuple[PublicKey, ...]:
        """Every key whose signature is taken, each once; the signing key's first."""
        own = (self.signing.public,) if self.signing is not None else ()
        return tuple({key.id: key for key in (*own, *self.keys)}.values())


class Issuer:
    """Signs tokens."""

    def __init__(self, settings: Settings, key: SigningKey) -> None:
        self.settings = settings
        self._signer = Signer(key)

    def issue(
        self,
        account: Reference,
        bound: Mapping[str, Reference],
        audiences: Sequence[str],
        seconds: int,
        *,
        now: float,
        random: Random,
    ) -> str:
        """A token for `account` that ends after `seconds`."""
        own = self.settings.own_audiences
        extended = (
            self.settings.extend
            and seconds == claims.WARN_ONLY_SECONDS
            and any(audience in own for audience in audiences)
        )
        payload = claims.bound_payload(
            issuer=self.settings.issuers[0],
            audiences=audiences,
            account=account,
            bound=bound,
            now=now,
            seconds=seconds,
            extended=extended,
            id=str(uuid.UUID(int=random.getrandbits(128), version=4)),
        )
        return self._signer.sign(payload)


@dataclass(frozen=True, slots=True)
class Known:
    """A token that was verified, for some audiences. `until` is when to look at it all anew."""

    user: identity.User
    audiences: tuple[str, ...]
    claims: Claims
    vouching: tuple[tuple[ResourceCache, Entry], ...] = ()
    until: float = 0.0


class ServiceAccounts:
    """Verifies tokens against `cache`."""

    def __init__(self, settings: Settings, cache: WatchCache, clock: Clock) -> None:
        self._settings = settings
        self._cache = cache
        self._clock = clock
        self._keys = settings.all_keys
        self._known: dict[str, Known] = {}

    def verify(self, token: str, audiences: Sequence[str] = ()) -> Known:
        """The account of a token for one of `audiences` (none: the server's own). Refused."""
        now = self._clock.now()
        known = self._known.get(token) if not audiences else None
        if known is not None and now < known.until and self._unchanged(known):
            return known
        try:
            found = self._checked(token, known, audiences, now)
        except Refused:
            self._known.pop(token, None)
            raise
        if not audiences:
            if known is None and len(self._known) >= KNOWN:
                del self._known[next(iter(self._known))]
            self._known[token] = found
        return found

    def _unchanged(self, known: Known) -> bool:
        return all(cache.get(entry.key) is entry for cache, entry in known.vouching)

    def _checked(
        self, token: str, known: Known | None, audiences: Sequence[str], now: float
    ) -> Known:
        if known is not None and (known.claims.legacy_secret or now < known.claims.expires):
            said = known.claims  # its signature is known to be good
        else:
            payload = _payload(token, self._keys, self._settings.issuers)
            said = claims.read(payload, now, self._settings.issuers[0])
        common = self._common(said, audiences or self._settings.own_audiences)
        vouching, until = [], said.expires or float("inf")
        for reference in (said.account, *said.bound):
            entry, ends = self._vouching(reference, now)
            vouching.append((self._cache.of(reference.resource), entry))
            until = min(until, ends)
        if said.legacy_secret:
            _check_secret(vouching[-1][1], token)
        return Known(said.user(), common, said, tuple(vouching), until)

    def _common(self, said: Claims, wanted: Sequence[str]) -> tuple[str, ...]:
        if said.legacy_secret:  # names no audience: it is for the API server
            return tuple(a for a in wanted if a in self._settings.own_audiences)
        common = tuple(audience for audience in said.audiences if audience in wanted)
        if not common:
            theirs, ours = _quoted(said.audiences), _quoted(wanted)
            raise Refused(f"token audiences {theirs} is invalid for the target audiences {ours}")
        return common

    def _vouching(self, reference: Reference, now: float) -> tuple[Entry, float]:
        """The object that vouches, and until when it does. Refused."""
        cache = self._cache.of(reference.resource)
        entry = cache.get(codec.key(reference.resource, reference.namespace, reference.name))
        if entry is None:
            if reference.resource == "serviceaccounts":
                raise Refused(f'serviceaccounts "{reference.name}" not found')
            raise Refused("service account token has been invalidated")
        meta = _head(entry.json).metadata
        if reference.uid and meta.uid != reference.uid:
            raise Refused(_other(reference, meta.uid))
        if not meta.deletionTimestamp:
            return entry, float("inf")
        until = timestamps.decode(meta.deletionTimestamp) + claims.LEEWAY_SECONDS
        if until <= now:
            raise Refused("service account token has been invalidated")
        return entry, until


def _payload(token: str, keys: Sequence[PublicKey], issuers: Sequence[str]) -> dict[str, Any]:
    """What a token says, if one of the keys signed it. Refused."""
    import jwt  # late: a server whose users have certificates never needs it

    if len(token) > _LONGEST:
        raise Refused("token is too large")
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        fitting = [key for key in keys if key.id == kid] or list(keys)
        for key in fitting:
            try:
                # Times and audiences are ours to check: by our clock, with Kubernetes' words.
                found = jwt.decode(token, key.key, algorithms=[key.algorithm], options=_UNCHECKED)
            except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
                continue
            if found.get("iss") not in (*issuers, claims.LEGACY_ISSUER):
                raise Refused("token was issued by somebody else")
            return dict(found)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Refused(f"token is malformed: {type(error).__name__}") from None
    raise Refused("invalid signature")


_UNCHECKED: Any = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False,
    "verify_iss": False, "verify_sub": False, "verify_jti": False,
}  # fmt: skip


def _check_secret(entry: Entry, token: str) -> None:
    """A secret vouches for the token that it holds, and for no other."""
    import base64
    import hmac

    data = _secret(entry.json).data or {}
    held = base64.b64decode(data.get("token", ""))
    if not hmac.compare_digest(held, token.encode(errors="surrogateescape")):
        raise Refused("token does not match server's copy")


def _other(reference: Reference, uid: str) -> str:
    kinds = {"pods": "pod", "secrets": "secret", "nodes": "node"}
    kind = kinds.get(reference.resource)
    if kind is None:
        return f"service account UID ({uid}) does not match claim ({reference.uid})"
    said = reference.uid
    return f"{kind} UID ({uid}) does not match service account {kind} ref claim ({said})"


def _quoted(audiences: Sequence[str]) -> str:
    return "[" + " ".join(f'"{audience}"' for audience in audiences) + "]"
