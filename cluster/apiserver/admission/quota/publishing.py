"""Writes what is used into the quotas' status.used, soon after it has changed.

kube-apiserver does that before each write that is charged; here the book in memory decides, and
the status tells of it: at once when it was quiet, at most every tenth of a second when it was not.
A quota whose status does not say yet what it allows is the quota controller's to begin.
"""

import asyncio
from typing import Any, Final

import msgspec
import structlog

from cluster.api import errors, objects
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.api.quota.account import Account
from cluster.apiserver import bootstrap
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.admission.quota.book import QUOTAS, Books
from cluster.apiserver.admission.quota.plugin import ResourceQuota
from cluster.apiserver.registry import Registry

PAUSE_SECONDS: Final = 0.1


def publishers(registry: Registry, chain: Chain) -> list["Publisher"]:
    """A publisher for the quota plugin of `chain`, where it has one."""
    found = [plugin.books for plugin in chain.plugins if isinstance(plugin, ResourceQuota)]
    return [Publisher(registry, books) for books in found]


class Publisher:
    """Looks after the quotas of `registry`, whose admission keeps `books`."""

    def __init__(self, registry: Registry, books: Books) -> None:
        self._registry = registry
        self._books = books
        self._changed = asyncio.Event()
        self._log = structlog.get_logger().bind(component="apiserver")
        books.hear = self._changed.set

    async def run(self) -> None:
        """Write whenever something has changed. Until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._publish()
            except Exception:
                self._doubt()
                raise
            await asyncio.sleep(PAUSE_SECONDS)

    def _doubt(self) -> None:
        """Nobody knows what was written: look at all quotas the next time."""
        for namespace, book in self._books.by_namespace.items():
            self._books.changed |= dict.fromkeys((namespace, name) for name in book.accounts)
        self._changed.set()

    async def _publish(self) -> None:
        taken = list(self._books.take_changed(self._registry.clock.now()))
        wanted = [
            operation
            for namespace, found in taken
            if (operation := self._safely(namespace, found)) is not None
        ]
        for result in await self._registry.write(wanted, bootstrap.USER) if wanted else ():
            if isinstance(result, errors.StatusError) and not isinstance(result, errors.NotFound):
                self._log.warning("cannot tell what of a quota is used", error=result.message)

    def _safely(self, namespace: str, found: Account) -> Operation | None:
        try:
            return self._operation(namespace, found)
        except Exception as error:  # noqa: BLE001  (one quota's fault is not the others')
            what = "cannot tell what of a quota is used"
            self._log.error(what, namespace=namespace, quota=found.name, exc_info=error)
            return None

    def _operation(self, namespace: str, found: Account) -> Operation | None:
        entry = self._registry.cache.get(QUOTAS, namespace, found.name)
        if entry is None:
            return None
        status = objects.status(entry.document())
        said: dict[str, Any] = status.get("used") or {}
        used = {
            name: text
            for name, text in found.status_used().items()
            if name in (status.get("hard") or {}) and said.get(name) != text
        }
        if not used:
            return None
        body = msgspec.json.encode({"status": {"used": used}})
        return Operation(
            Verb.PATCH, QUOTAS, namespace, found.name, "status", body, MERGE_PATCH,
            want_object=False, field_manager="kube-apiserver",
        )  # fmt: skip
