"""Authentication by bootstrap tokens: secrets of kube-system by which machines join a cluster."""

import hmac
import re
from typing import Final

from cluster.aio.clock import Clock
from cluster.api import bootstraptokens, identity
from cluster.apiserver.watchcache.cache import WatchCache

_FORM: Final = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")


class BootstrapTokens:
    """Knows users by the bootstrap tokens in `cache`."""

    def __init__(self, cache: WatchCache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    def user(self, token: str) -> identity.User | None:
        """The user of a token; None for one that is unknown, wrong, expired or of other use."""
        form = _FORM.fullmatch(token)
        if form is None:
            return None
        name = bootstraptokens.PREFIX + form[1]
        entry = self._cache.get("secrets", bootstraptokens.NAMESPACE, name)
        if entry is None:
            return None
        found = bootstraptokens.usable(
            entry.document(), bootstraptokens.AUTHENTICATION, self._clock.now()
        )
        if found is None or found.groups is None:
            return None
        if not hmac.compare_digest(found.secret.encode(), form[2].encode()):
            return None
        return identity.authenticated(identity.User(f"system:bootstrap:{found.id}", found.groups))
