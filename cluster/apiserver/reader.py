"""Gets, lists and watches: from the watch cache, and from the store where the past is asked for.

What resourceVersion means: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from cluster.api import errors, selectors
from cluster.api.resources import Resource, Table
from cluster.apiserver import codec, pages, planner
from cluster.apiserver.freshness import SECONDS, Freshness, behind
from cluster.apiserver.pages import Page
from cluster.apiserver.subresources.table import SUBRESOURCES
from cluster.apiserver.views import ConvertedWatch, Views
from cluster.apiserver.virtual import computed
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.selection import Selection
from cluster.apiserver.watchcache.watch import Watch
from cluster.storage import interface as storage

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"
_CHUNK = 1000


class Reader:
    """Reads for all faces. Every method raises errors.StatusError."""

    def __init__(
        self,
        table: Table,
        store: storage.Storage,
        cache: WatchCache,
        views: Views,
        sources: computed.Sources,
        *,
        freshness: Freshness,
    ) -> None:
        """`sources` give the objects of resources that are not stored; they may grow."""
        self._table = table
        self._computed = sources
        self._views = views
        self._freshness = freshness
        self._store = store
        self._cache = cache

    async def get(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        subresource: str = "",
        revision: str = "",
        version: str = "",
    ) -> Entry:
        """One object, or a subresource of it, not older than `revision`."""
        row = await self._served(resource, "get", version)
        source = self._computed.get(row.id)
        if source is not None:
            return await computed.got(source, row, namespace if row.namespaced else "", name)
        stored = self._views.stored(row)
        view = None
        if subresource:
            served = SUBRESOURCES.get(subresource) if subresource in row.subresources else None
            if served is None:
                raise planner.unknown()
            view = served.get
            if view is None:
                raise planner.not_allowed(row, "get")
        await self._recent(revision)
        entry = self._cache.get(stored.id, namespace if row.namespaced else "", name)
        if entry is None:
            raise errors.not_found(row.id, name)
        return await self._views.entry(row, view(entry) if view is not None else entry)

    async def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        token: str = "",
        revision: str = "",
        match: str = "",
        version: str = "",
    ) -> Page:
        """Objects in key order, as `version` shows them. `revision` and `match` are resourceVersion
        and resourceVersionMatch; `token` is `continue`.
        """
        served = await self._served(resource, "list", version)
        selection = _selection(served, namespace, labels, fields)
        source = self._computed.get(served.id)
        if source is not None:
            return await computed.listed(source, served, selection)
        _check_match(revision, match, token)
        row = self._views.stored(served)
        selection = _as_stored(selection, served, row)
        page = await self._listed(row, selection, limit, token, revision, match=match)
        return await self._views.page(served, page)

    async def _listed(
        self,
        row: Resource,
        selection: Selection,
        limit: int,
        token: str,
        revision: str,
        *,
        match: str,
    ) -> Page:
        if limit < 0:
            raise errors.BadRequest("limit must not be negative")
        prefix = codec.prefix(row.id, selection.namespace)
        self._cache.of(row.id).check(prefix)
        if token:
            as_of, after = pages.parse(token, prefix)
            if as_of == pages.INCONSISTENT:
                await self._recent("")
                return self._present(row, selection, after, limit)
            return await self._past(row, selection, as_of, after, limit, continued=True)
        asked = await self._recent(revision)
        if asked and (match == EXACT or (limit and not match)):
            return await self._past(row, selection, asked, "", limit, continued=False)
        return self._present(row, selection, "", limit)

    async def watch(
        self,
        resource: str,
        namespace: str = "",
        *,
        revision: str = "",
        labels: str = "",
        fields: str = "",
        initial: bool = False,
        version: str = "",
    ) -> Watch | ConvertedWatch:
        """Events after `revision`. With "" or "0", or where `initial` asks for it, the present
        objects come first as ADDED, and then a bookmark whose event says `initial_end`.
        """
        row = await self._served(resource, "watch", version)
        selection = _selection(row, namespace, labels, fields)
        asked = await self._recent(revision)
        after = None if initial or not asked else asked
        stored = self._views.stored(row)
        selection = _as_stored(selection, row, stored)
        self._cache.of(stored.id).check(codec.prefix(stored.id, selection.namespace))
        watch = self._cache.of(stored.id).watch(selection, after, self._cache.revision)
        return self._views.watch(row, watch)

    def row(self, resource: str, verb: str, version: str = "") -> Resource:
        """The row of a resource that has this verb. errors.NotFound, errors.MethodNotAllowed."""
        row = self._table.get(resource, version)
        if row is None:
            raise planner.unknown()
        if verb not in row.verbs:
            raise planner.not_allowed(row, verb)
        return row

    async def _served(self, resource: str, verb: str, version: str) -> Resource:
        """As `row`, of what was defined by way of another server, too."""
        return await self._freshness.sought(
            lambda: self.row(resource, verb, version), errors.NotFound
        )

    def _present(self, row: Resource, selection: Selection, after: str, limit: int) -> Page:
        cache = self._cache.of(row.id)
        now = self._cache.revision
        found = cache.select(selection, after)
        items = list(islice(found, limit + 1) if limit else found)
        if not limit or len(items) <= limit:
            return Page(items, now)
        del items[limit:]
        prefix = codec.prefix(row.id, selection.namespace)
        last = items[-1].key
        remaining = None if selection.selective else cache.count(prefix, last)
        return Page(items, now, pages.token(now, last, prefix), remaining)

    async def _past(
        self,
        row: Resource,
        selection: Selection,
        as_of: int,
        after: str,
        limit: int,
        *,
        continued: bool,
    ) -> Page:
        """A page at a revision; from the cache as long as nothing has changed since."""
        cache = self._cache.of(row.id)
        if cache.changed <= as_of <= self._cache.revision:
            page = self._present(row, selection, after, limit)
            prefix = codec.prefix(row.id, selection.namespace)
            further = pages.token(as_of, page.items[-1].key, prefix) if page.token else ""
            return Page(page.items, as_of, further, page.remaining)
        try:
            return await self._from_store(row, selection, as_of, after, limit)
        except storage.Compacted:
            if continued:
                raise pages.too_old(after, codec.prefix(row.id, selection.namespace)) from None
            raise errors.expired(f"too old resource version: {as_of}") from None
        except storage.FutureRevision:
            raise errors.BadRequest(f"revision {as_of} has not happened yet") from None

    async def _from_store(
        self, row: Resource, selection: Selection, as_of: int, after: str, limit: int
    ) -> Page:
        prefix = codec.prefix(row.id, selection.namespace)
        cache = self._cache.of(row.id)
        items: list[Entry] = []
        while True:
            wanted = 0 if not limit else (_CHUNK if selection.selective else limit)
            found = await self._store.range(prefix, revision=as_of, after=after, limit=wanted)
            entries = map(cache.entry, found.records)
            items += filter(selection.matches, entries) if selection.selective else entries
            if limit and (len(items) > limit or (len(items) == limit and found.more)):
                del items[limit:]
                last = items[-1].key
                remaining = None if selection.selective else found.more
                return Page(items, as_of, pages.token(as_of, last, prefix), remaining)
            if not found.more or not found.records:
                return Page(items, as_of)
            after = found.records[-1].key

    async def _recent(self, text: str) -> int:
        """The revision of a resourceVersion, once the cache has it: what is read is not older than
        that, and without one not older than any write before. errors.Timeout, BadRequest.
        """
        asked = _revision(text)
        if not asked:
            if not text and self._freshness.shared:
                await self._freshness.fresh()
        elif not await self._cache.reached(asked, SECONDS):
            raise behind(asked, self._cache.revision)
        return asked


def _selection(row: Resource, namespace: str, labels: str, fields: str) -> Selection:
    by_field = selectors.parse_fields(fields, row) if fields else selectors.EVERYTHING
    by_label = selectors.parse_labels(labels) if labels else selectors.EVERYTHING
    if not row.namespaced:
        return Selection("", by_label, by_field)
    return Selection(namespace or by_field.exact("metadata.namespace") or "", by_label, by_field)


def _as_stored(selection: Selection, row: Resource, stored: Resource) -> Selection:
    """A selection by the field labels of `row`, by those of the row that holds its objects."""
    if not row.stored_as or selection.fields.empty:
        return selection
    labels = {path: label for label, path in stored.fields.items()}
    known = {label: labels[path] for label, path in row.fields.items() if path in labels}
    return replace(selection, fields=selection.fields.renamed(known))


def _revision(text: str) -> int:
    """The number of a resourceVersion; 0 for "" and "0". errors.BadRequest."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        why = f'Invalid value: "{text}": must be a non-negative integer'
        raise errors.BadRequest(f"resourceVersion: {why}")
    return int(text)


def _check_match(revision: str, match: str, token: str) -> None:
    """ValidateListOptions of k8s.io/apimachinery. errors.Invalid."""
    complaints: Iterable[str] = ()
    if match and token:
        complaints = ("resourceVersionMatch is forbidden when continue is provided",)
    elif match and not revision:
        complaints = ("resourceVersionMatch is forbidden unless resourceVersion is provided",)
    elif match == EXACT and revision == "0":
        complaints = ('resourceVersionMatch "exact" is forbidden for resourceVersion "0"',)
    if complaints:
        raise _invalid(*(("FieldValueForbidden", f"Forbidden: {text}") for text in complaints))
    if match and match not in (EXACT, NOT_OLDER_THAN):
        known = f'supported values: "{EXACT}", "{NOT_OLDER_THAN}", ""'
        raise _invalid(("FieldValueNotSupported", f'Unsupported value: "{match}": {known}'))
    if token and revision not in ("", "0"):
        raise errors.BadRequest("specifying resource version is not allowed when using continue")


def _invalid(*complaints: tuple[str, str]) -> errors.Invalid:
    causes = [errors.Cause(reason, text, "resourceVersionMatch") for reason, text in complaints]
    return errors.invalid("ListOptions", "meta.k8s.io", "", causes)
