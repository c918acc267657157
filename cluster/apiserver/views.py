"""Stored objects as a served version of their resource shows them.

Nearly every request is for the version that is stored: then nothing is done. Where a conversion
webhook has to be asked, reads await it, and planning raises `outside.Ask`.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from cluster.api import conversion, errors
from cluster.api.objects import Object
from cluster.api.resources import Resource, Table
from cluster.apiserver import codec
from cluster.apiserver.outside import Answers
from cluster.apiserver.pages import Page
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.events import Batch, Event
from cluster.apiserver.watchcache.watch import Watch

Converter = Callable[[Resource, Sequence[Object]], Awaitable[Sequence[Object]]]
"""Gives custom objects in the version of a row, in order. errors.StatusError."""

_OBJECT = b'{"apiVersion":"'


class Views:
    """Gives objects in the version of a row. Who serves custom resources sets `webhooks`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.webhooks: Converter | None = None

    @property
    def table(self) -> Table:
        """What is served."""
        return self._table

    def stored(self, row: Resource) -> Resource:
        """The row in whose form the objects of `row` are stored. errors.NotFound: it is gone."""
        try:
            return self._table.stored(row)
        except KeyError:
            raise errors.NotFound("the server could not find the requested resource") from None

    def plain(self, row: Resource) -> bool:
        """Whether stored objects are always in the form of `row` already."""
        return row.custom is None and not row.stored_as and self._table.get(row.id) is row

    def row(self, plural: str, api_version: str, stored: Resource) -> Resource | None:
        """The served version of the resource stored as `stored` that an apiVersion names."""
        group, _, version = api_version.rpartition("/")
        row = self._table.get(f"{plural}.{group}" if group else plural, version)
        return row if row is not None and self.stored(row) is stored else None

    async def entry(self, row: Resource, entry: Entry) -> Entry:
        """An entry as `row` shows it. What is no object of the resource stays as it is.

        A conversion webhook is asked anew, as by kube-apiserver, whose lists alone are kept: it may
        be another one by now, with the same address.
        """
        if self.plain(row):
            return entry
        (found,) = await self.entries(row, (entry,), anew=True)
        return found

    async def entries(
        self, row: Resource, entries: Sequence[Entry], *, anew: bool = False
    ) -> Sequence[Entry]:
        """Entries as `row` shows them, in order. `anew`: whatever webhooks have said before.
        errors.StatusError.
        """
        if self.plain(row):
            return entries
        anew = anew and row.custom is not None and row.custom.webhook
        same = _OBJECT + row.api_version.encode() + b'"'
        since = row.custom.since if row.custom is not None else 0
        found = [
            entry
            if _is(entry.json, same) and (entry.revision >= since or _other(entry.json))
            else (None if anew else entry.view(row))
            for entry in entries
        ]
        missing = [index for index, entry in enumerate(found) if entry is None]
        if missing:
            documents = [entries[index].document() for index in missing]
            shown = await self._converted(row, documents)
            for index, obj in zip(missing, shown, strict=True):
                found[index] = entries[index].keep_view(row, _json(obj, entries[index].revision))
        return [entry for entry in found if entry is not None]

    async def page(self, row: Resource, page: Page) -> Page:
        """A page as `row` shows it."""
        if self.plain(row):
            return page
        return Page(await self.entries(row, page.items), page.revision, page.token, page.remaining)

    def watch(self, row: Resource, watch: Watch) -> "Watch | ConvertedWatch":
        """A watch as `row` shows it."""
        return watch if self.plain(row) else ConvertedWatch(self, row, watch)

    async def batch(self, row: Resource, batch: Batch) -> Batch:
        """A batch of events as `row` shows them."""
        same = _OBJECT + row.api_version.encode() + b'"'
        wanted = [event for event in batch.events if event.json and not _is(event.json, same)]
        if not wanted:
            return batch
        shown = iter(await self._converted(row, [codec.decode(event.json) for event in wanted]))
        events = [
            event if not event.json or _is(event.json, same) else _event(event, next(shown))
            for event in batch.events
        ]
        return Batch(events)

    def document(self, row: Resource, obj: Object, answers: Answers) -> Object:
        """A stored object as `row` shows it, while planning. outside.Ask, errors.StatusError."""
        try:
            return conversion.converted(obj, row, self.stored(row))
        except conversion.Unconvertible:
            return self._asked(row, obj, answers)

    def storable(self, row: Resource, obj: Object, answers: Answers) -> Object:
        """An object of `row` as it is stored, while planning. outside.Ask, errors.StatusError."""
        stored = self.stored(row)
        try:
            return conversion.restored(obj, row, stored)
        except conversion.Unconvertible:
            return self._asked(stored, obj, answers)

    def _asked(self, row: Resource, obj: Object, answers: Answers) -> Object:
        async def question() -> Object | errors.StatusError:
            try:
                (found,) = await self._by_webhook(row, (obj,))
            except errors.StatusError as error:
                return error  # an answer like others: planning may go on without it
            return found

        digest = hashlib.sha256(codec.document(obj)).digest()
        found: Object | errors.StatusError = answers.of(
            ("convert", row.id, row.version, digest), question
        )
        if isinstance(found, errors.StatusError):
            raise found
        return found

    async def _converted(self, row: Resource, documents: Sequence[Object]) -> Sequence[Object]:
        stored = self.stored(row)
        try:
            return [conversion.converted(obj, row, stored) for obj in documents]
        except conversion.Unconvertible:
            return await self._by_webhook(row, documents)

    async def _by_webhook(self, row: Resource, documents: Sequence[Object]) -> Sequence[Object]:
        if self.webhooks is None:
            raise errors.InternalError(f"Internal error occurred: nothing converts {row.id}")
        return await self.webhooks(row, documents)


class ConvertedWatch:
    """A watch whose batches are converted as they are read. Used like `Watch`."""

    def __init__(self, views: Views, row: Resource, watch: Watch) -> None:
        self._views = views
        self._row = row
        self._watch = watch

    @property
    def revision(self) -> int:
        """Everything up to this revision has been given to the reader."""
        return self._watch.revision

    def __aiter__(self) -> "ConvertedWatch":
        return self

    async def __anext__(self) -> Batch:
        return await self._views.batch(self._row, await anext(self._watch))

    def remind(self, revision: int) -> None:
        """Bookmark the cache's revision of now, once the reader has seen everything up to it."""
        self._watch.remind(revision)

    def close(self) -> None:
        """Stop. A reader that waits sees the end."""
        self._watch.close()

    async def __aenter__(self) -> "ConvertedWatch":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


def _is(json: bytes, same: bytes) -> bool:
    """Whether JSON text begins as objects of a version do, or is no stored object (a Status)."""
    return json.startswith(same) or not json.startswith(_OBJECT)


def _other(json: bytes) -> bool:
    """Whether JSON text is no stored object but an answer about one (a Status, a Scale)."""
    return not json.startswith(_OBJECT)


def _json(obj: Object, revision: int) -> bytes:
    return codec.with_revision(codec.encode(obj), revision)


def _event(event: Event, obj: Object) -> Event:
    json = _json(obj, event.revision)
    return Event(event.type, json, event.revision, event.entry, event.previous)
