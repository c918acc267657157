"""Who may do what: htpasswd users, by Basic or by a bearer token, and those without a name.

Where nobody gets in without a name, or everybody may push, requests are challenged with Basic.
Where pulls are free and pushes are not, clients have to be told *before* they push, at `/v2/`; only
a token service can do that and still let them pull, so there is one (`/token`, the Docker
registry's token authentication).
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cluster.aio.clock import Clock
from cluster.images.registry.config import Config
from cluster.images.registry.errors import Refused

REALM: Final = "kubemu registry"
TOKEN_SECONDS: Final = 300
_REMEMBERED: Final = 256
_WAITING: Final = 32
# What is compared where there is no such user: it takes as long. The hash of no password.
_NOBODY: Final = "$2b$10$b0QtEmQqLKzkmjfaLX2wCOCZcMV0fIzKzKFxBZkointKQ78kjUXAm"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request needs. No repository: only to be let in."""

    repository: str = ""
    action: str = "pull"

    @property
    def scope(self) -> str:
        """As a token's scope."""
        return f"repository:{self.repository}:{self.action}" if self.repository else ""


class Access:
    """Decides. `secret` signs tokens."""

    def __init__(self, config: Config, clock: Clock, secret: bytes) -> None:
        self._users: Mapping[str, str] = config.users
        self._anonymous = config.anonymous
        self._clock = clock
        self._secret = secret
        self._known: dict[bytes, str] = {}
        self._checking = asyncio.Semaphore(2)
        self._waiting = 0
        self.tokens = bool(config.users) and config.anonymous == "pull"

    async def check(self, header: str, wanted: Wanted, base: str) -> None:
        """Let a request in. Refused UNAUTHORIZED with a challenge, DENIED."""
        kind, _, rest = header.partition(" ")
        if kind.lower() == "bearer" and self.tokens:
            self._check_token(rest.strip(), wanted, base)
        elif header and self._users:
            if not await self._user(header):
                raise self._challenge(wanted, base, "authentication required")
        elif not self._free(wanted):
            raise self._challenge(wanted, base, "authentication required")

    async def token(self, header: str, scopes: Sequence[str]) -> dict[str, object]:
        """What the token service answers. Refused."""
        user = ""
        if header:
            user = await self._user(header)
            if not user:
                raise self._basic("incorrect username or password")
        granted = " ".join(self._granted(user, scope) for scope in scopes[:16])
        expires = int(self._clock.now()) + TOKEN_SECONDS
        body = base64.urlsafe_b64encode(f"{expires}\n{user}\n{granted}".encode()).decode()
        token = f"{body}.{self._signature(body)}"
        return {"token": token, "access_token": token, "expires_in": TOKEN_SECONDS}

    def _granted(self, user: str, scope: str) -> str:
        kind, _, rest = scope[:1000].partition(":")
        name, _, actions = rest.rpartition(":")
        if kind != "repository" or not name:
            return ""
        allowed = [one for one in actions.split(",") if user or one == "pull"]
        return f"repository:{name}:{','.join(allowed)}"

    def _free(self, wanted: Wanted) -> bool:
        """Whether no name is needed."""
        if not self._users or self._anonymous == "push":
            return not self._users or self._anonymous == "push"
        # At /v2/ clients learn whom to ask.
        return self._anonymous == "pull" and wanted.action == "pull" and bool(wanted.repository)

    def _check_token(self, token: str, wanted: Wanted, base: str) -> None:
        body, _, signature = token.partition(".")
        # Only ASCII has a signature: headers may carry whatever bytes.
        if not token.isascii() or not hmac.compare_digest(signature, self._signature(body)):
            raise self._challenge(wanted, base, "invalid token")
        expires, _user, granted = base64.urlsafe_b64decode(body).decode().split("\n", 2)
        if float(expires) < self._clock.now():
            raise self._challenge(wanted, base, "token expired")
        if wanted.repository and not _covers(granted, wanted):
            raise self._challenge(
                wanted, base, "requested access to the resource is denied", "insufficient_scope"
            )

    async def _user(self, header: str) -> str:
        """Who Basic credentials are of; "" where they are nobody's. Refused."""
        kind, _, rest = header.partition(" ")
        try:
            said = base64.b64decode(rest.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return ""
        name, colon, password = said.partition(":")
        if kind.lower() != "basic" or not colon or len(password) > 1024:
            return ""
        key = hmac.digest(self._secret, said.encode(), "sha256")
        if key in self._known:
            return self._known[key]
        if not await self._matches(self._users.get(name, _NOBODY), password):
            return ""
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = name
        return name

    async def _matches(self, hashed: str, password: str) -> bool:
        # bcrypt takes a tenth of a second of a core: in a thread, two at a time.
        if self._waiting >= _WAITING:
            raise Refused("TOOMANYREQUESTS", "too many logins", headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            async with self._checking:
                return await asyncio.to_thread(_bcrypt, hashed, password)
        finally:
            self._waiting -= 1

    def _signature(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()

    def _challenge(self, wanted: Wanted, base: str, why: str, error: str = "") -> Refused:
        if not self.tokens:
            return self._basic(why)
        said = f'Bearer realm="{base}/token",service="{REALM}"'
        if wanted.scope:
            action = "pull,push" if wanted.action == "push" else wanted.action
            said += f',scope="repository:{wanted.repository}:{action}"'
        if error:
            said += f',error="{error}"'
        return Refused("UNAUTHORIZED", why, headers={"WWW-Authenticate": said})

    @staticmethod
    def _basic(why: str) -> Refused:
        challenge = {"WWW-Authenticate": f'Basic realm="{REALM}"'}
        return Refused("UNAUTHORIZED", why, headers=challenge)


def _covers(granted: str, wanted: Wanted) -> bool:
    for scope in granted.split(" "):
        name, _, actions = scope.removeprefix("repository:").rpartition(":")
        if name == wanted.repository and wanted.action in actions.split(","):
            return True
    return False


def _bcrypt(hashed: str, password: str) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:  # a zero byte, or a hash that is none
        return False
