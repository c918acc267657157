"""A `Storage` whose values are encrypted by a configuration that may be exchanged while it runs.

What cannot be decrypted is handed up as it is stored: the watch cache knows it by its first byte,
and asks `reason` what to tell whoever wants it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cluster.apiserver import codec
from cluster.apiserver.encryption import ciphers
from cluster.apiserver.encryption.configuration import Configuration, Provider
from cluster.storage.interface import (
    Change,
    Deleted,
    Event,
    Kept,
    Outcome,
    Range,
    Record,
    Sink,
    Storage,
    Unavailable,
)

NO_MATCH = "no matching prefix found"
_IDENTITY = (Provider(b"", ciphers.Identity()),)


class Encrypted:
    """Encrypts what is written to `inner`, and decrypts what is read of it."""

    def __init__(self, inner: Storage, configuration: Configuration) -> None:
        self._inner = inner
        self._providers: dict[str, tuple[Provider, ...]] = {}
        self._configuration = configuration
        self._stored_by: dict[str, bytes] = {}
        """Keys whose values are not plain, and the prefix of the key that they are stored by."""

    def replace(self, configuration: Configuration) -> None:
        """From now on `configuration` counts, for what is written and for what is read."""
        self._configuration = configuration
        self._providers.clear()

    def stale(self, key: str) -> bool:
        """Whether the value of `key` would be stored otherwise if it were written now."""
        return self._stored_by.get(key, b"") != self._of(key)[0].prefix

    def reason(self, record: Record) -> str:
        """Why a value cannot be read, in Kubernetes' words; "" where it can."""
        try:
            self._opened(record)
        except ciphers.Undecipherable as error:
            return str(error)
        return ""

    async def open(self) -> None:
        """See `Storage.open`."""
        await self._inner.open()

    async def close(self) -> None:
        """See `Storage.close`."""
        await self._inner.close()

    @property
    def revision(self) -> int:
        """See `Storage.revision`."""
        return self._inner.revision

    @property
    def shared(self) -> bool:
        """See `Storage.shared`."""
        return self._inner.shared

    async def newest(self) -> int:
        """See `Storage.newest`."""
        return await self._inner.newest()

    async def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """See `Storage.write`."""
        made = await self._inner.write([self._sealed(change) for change in changes])
        return [
            self._outcome(change, outcome) for change, outcome in zip(changes, made, strict=True)
        ]

    async def get(self, key: str, revision: int = 0) -> Record | None:
        """See `Storage.get`."""
        found = await self._inner.get(key, revision)
        return None if found is None else self._plain(found)

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> Range:
        """See `Storage.range`."""
        found = await self._inner.range(prefix, revision=revision, after=after, limit=limit)
        records = [self._plain(record) for record in found.records]
        if not revision:
            for stored in found.records:
                self._note(stored)
        return Range(records, found.revision, found.more)

    def subscribe(self, after: int, sink: Sink) -> Callable[[], None]:
        """See `Storage.subscribe`."""

        def take(events: Sequence[Event]) -> None:
            sink([self._event(event) for event in events])

        return self._inner.subscribe(after, take)

    async def check(self) -> None:
        """See `Storage.check`."""
        await self._inner.check()

    async def compact(self, revision: int) -> None:
        """See `Storage.compact`."""
        await self._inner.compact(revision)

    async def turn(self, revision: int) -> bool:
        """See `Storage.turn`."""
        return await self._inner.turn(revision)

    async def defragment(self) -> tuple[int, int]:
        """See `Storage.defragment`."""
        return await self._inner.defragment()

    async def kept(self) -> Kept:
        """See `Storage.kept`."""
        return await self._inner.kept()

    async def revision_at(self, when: float) -> int:
        """See `Storage.revision_at`."""
        return await self._inner.revision_at(when)

    async def lasting(self) -> None:
        """See `Storage.lasting`."""
        await self._inner.lasting()

    def _of(self, key: str) -> tuple[Provider, ...]:
        resource = key[len(codec.PREFIX) :].partition("/")[0]
        found = self._providers.get(resource)
        if found is None:
            found = self._configuration.providers(resource) or _IDENTITY
            self._providers[resource] = found
        return found

    def _sealed(self, change: Change) -> Change:
        if change.value is None:
            return change
        first = self._of(change.key)[0]
        if not first.prefix:
            return change
        sealed = first.cipher.seal(change.value, change.key.encode())
        return change._replace(value=first.prefix + sealed)

    def _outcome(self, change: Change, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Record):
            return outcome if change.value is None else outcome._replace(value=change.value)
        if isinstance(outcome, Deleted):
            return Deleted(outcome.revision, self._plain(outcome.previous))
        if isinstance(outcome, Unavailable) or outcome.current is None:
            return outcome
        return replace(outcome, current=self._plain(outcome.current))

    def _event(self, event: Event) -> Event:
        if event.record is None:
            self._stored_by.pop(event.key, None)
        else:
            self._note(event.record)
        return event._replace(
            record=event.record and self._plain(event.record),
            previous=event.previous and self._plain(event.previous),
        )

    def _note(self, stored: Record) -> None:
        """Remember by which key a value is stored."""
        provider = self._provider(stored)
        if provider is not None and provider.prefix:
            self._stored_by[stored.key] = provider.prefix
        else:
            self._stored_by.pop(stored.key, None)

    def _provider(self, stored: Record) -> Provider | None:
        for provider in self._of(stored.key):
            if provider.prefix and stored.value.startswith(provider.prefix):
                return provider
        return None

    def _opened(self, stored: Record) -> bytes:
        """The plain value. Undecipherable."""
        value, fault = stored.value, NO_MATCH
        for provider in self._of(stored.key):
            if not value.startswith(provider.prefix):
                continue
            try:
                return provider.cipher.open(value[len(provider.prefix) :], stored.key.encode())
            except ciphers.Undecipherable as error:
                fault = str(error)
        raise ciphers.Undecipherable(fault)

    def _plain(self, stored: Record) -> Record:
        try:
            value = self._opened(stored)
        except ciphers.Undecipherable:
            return stored
        return stored if value is stored.value else stored._replace(value=value)
