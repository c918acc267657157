"""A file of keys that is exchanged while the server runs: looked at, read anew, and told of.

Source: k8s.io/apiserver/pkg/server/options/encryptionconfig/controller. A file that cannot be used
changes nothing: what counted before goes on counting.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cluster.apiserver.encryption import configuration
from cluster.apiserver.encryption.store import Encrypted

SECONDS: Final = 5.0
"""How often the file is looked at; kube-apiserver does once a minute."""

Read = Callable[[], Any]
"""Gives the decoded file. OSError, ValueError."""


class Following:
    """Keeps `store` at what the file says. `counts` are reloads that went well and that did not."""

    def __init__(
        self, store: Encrypted, read: Read, changed: Callable[[], Awaitable[None]], log: Any
    ) -> None:
        """`changed` is called after each exchange."""
        self._store = store
        self._read = read
        self._changed = changed
        self._log = log
        self._seen: bytes | None = None
        self._fault = ""
        self.counts = {"success": 0, "failure": 0}

    async def run(self, seconds: float = SECONDS) -> None:
        """Look again and again, until cancelled."""
        self._seen = self._digest()
        while True:
            await asyncio.sleep(seconds)
            await self.look()

    async def look(self) -> None:
        """Take over what the file says, where that is new."""
        try:
            document = self._read()
            digest = _digest(document)
            if digest == self._seen:
                self._fault = ""
                return
            found = configuration.read(document)
        except (OSError, ValueError) as error:
            if str(error) != self._fault:  # once, not every few seconds
                self._fault = str(error)
                self.counts["failure"] += 1
                self._log.error("the new encryption configuration is not used", error=self._fault)
            return
        self._seen, self._fault = digest, ""
        self._store.replace(found)
        self.counts["success"] += 1
        self._log.info("the encryption configuration was read anew")
        await self._changed()

    def _digest(self) -> bytes | None:
        try:
            return _digest(self._read())
        except (OSError, ValueError):
            return None


def _digest(document: Any) -> bytes:
    return hashlib.sha256(repr(document).encode()).digest()
