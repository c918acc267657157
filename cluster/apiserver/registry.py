"""The registry: carries out operations on objects. Every face of the API server is thin over it."""

from collections.abc import Sequence
from random import Random

import structlog

from cluster.aio.clock import Clock
from cluster.api import errors, identity
from cluster.api.operations import Operation, Verb
from cluster.api.resources import Resource, Table
from cluster.apiserver import bodies, bootstrap, deletion, outside, planner
from cluster.apiserver.admission import defaults
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.authn.serviceaccounts import Issuer
from cluster.apiserver.authz import gate, modes
from cluster.apiserver.chaos.table import Faults, Followers
from cluster.apiserver.chaos.watching import AnyWatch, SufferingWatch
from cluster.apiserver.connections import Connections
from cluster.apiserver.freshness import Freshness
from cluster.apiserver.ledger import Ledger
from cluster.apiserver.limits import WatchBounds, unbounded
from cluster.apiserver.pages import Page
from cluster.apiserver.pathreads import PathReads
from cluster.apiserver.presence import Presence
from cluster.apiserver.reader import Reader
from cluster.apiserver.tenure import Tenures
from cluster.apiserver.usage import metrics
from cluster.apiserver.usage.collector import Nobody
from cluster.apiserver.views import ConvertedWatch, Views
from cluster.apiserver.virtual import access, components, who
from cluster.apiserver.virtual.computed import Source
from cluster.apiserver.virtual.table import Handler
from cluster.apiserver.watchcache.cache import Limits, WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.watch import Watch
from cluster.apiserver.writer import Writer
from cluster.apiserver.writeround import Note, Results, Warn
from cluster.storage import interface as storage

_DELETE_TOGETHER = 200


class Registry:
    """Gets, lists, watches and writes. Between `open` and `close`; on one event loop.

    `version` is the Kubernetes version emulated (`1.37`), "" for the newest. `issuer` signs service
    account tokens. `authorization` names the modes; the registry itself refuses nobody: whoever
    gives it work asks `authz` first. `virtual` holds the handlers of resources that are not stored,
    `computed` the sources of those that can be read nevertheless.
    The store is the caller's, to open before and to close after.
    """

    def __init__(
        self,
        table: Table,
        store: storage.Storage,
        *,
        clock: Clock,
        random: Random,
        admission: Chain | None = None,
        ledger: Ledger | None = None,
        limits: Limits | None = None,
        version: str = "",
        initial: bootstrap.Initial | None = None,
        issuer: Issuer | None = None,
        authorization: Sequence[str] = (modes.ALWAYS_ALLOW,),
    ) -> None:
        self.table = table
        self.cache = WatchCache(table, store, limits)
        self.ledger = ledger if ledger is not None else Ledger()
        self.clock = clock
        self.authz = modes.build(authorization, self.cache, version)
        self.virtual: dict[str, Handler] = access.handlers(self.authz.authorizer)
        self.virtual[who.SELF] = who.own
        self._chain = admission if admission is not None else defaults.chain()
        self.views = Views(table)
        self.presence = Presence()
        self.bounds: WatchBounds = unbounded()
        self.followers = Followers()
        self.faults: Faults | None = None
        """What requests suffer on purpose; None as long as they suffer nothing."""
        self.computed: dict[str, Source] = metrics.sources(self.cache, Nobody(), clock)
        self.computed[components.RESOURCE] = components.ComponentStatuses(
            self.cache, store, self.presence, clock
        )
        self.freshness = Freshness(store, self.cache)
        self.identity = f"{random.getrandbits(128):032x}" if store.shared else ""
        """What tells this server from others on the same store."""
        self._tenures = Tenures(self.identity, self.cache) if store.shared else None
        self._reader = Reader(
            table, store, self.cache, self.views, self.computed, freshness=self.freshness
        )
        self.paths = PathReads(self)
        self._initial = initial if initial is not None else bootstrap.Initial()
        self._writer = Writer(
            table,
            store,
            self.cache,
            self.views,
            self._chain,
            clock=clock,
            random=random,
            ledger=self.ledger,
            version=version,
            issuer=issuer,
            authz=self.authz,
            virtual=self.virtual,
            freshness=self.freshness,
            tenures=self._tenures,
        )
        self.connections = Connections(
            self._chain,
            self.cache,
            self.views,
            clock=clock,
            random=random,
            version=version,
            authz=self.authz,
        )
        self._log = structlog.get_logger().bind(component="apiserver")

    async def open(self) -> None:
        """Load the cache and make what a cluster has from its birth."""
        await self.cache.open()
        if self._tenures is not None:
            self._tenures.open()
        self.authz.open(self.cache)
        self._chain.open(self.cache)
        await bootstrap.ensure(self, self._initial)

    async def close(self) -> None:
        """Follow the store no longer."""
        self.cache.close()

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self.cache.revision

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
        """See `reader.Reader.get`. errors.NotFound."""
        return await self._reader.get(
            resource, namespace, name, subresource=subresource, revision=revision, version=version
        )

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
        """See `reader.Reader.list`. errors.Expired, errors.BadRequest."""
        return await self._reader.list(
            resource,
            namespace,
            labels=labels,
            fields=fields,
            limit=limit,
            token=token,
            revision=revision,
            match=match,
            version=version,
        )

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
        """See `reader.Reader.watch`. Close the watch when done. errors.Expired."""
        return await self._reader.watch(
            resource,
            namespace,
            revision=revision,
            labels=labels,
            fields=fields,
            initial=initial,
            version=version,
        )

    async def write(
        self,
        batch: Sequence[Operation],
        user: identity.User,
        warn: Warn | None = None,
        note: Note | None = None,
        *,
        prompt: bool = False,
    ) -> Results:
        """Carry out a batch; the answers are in its order.

        An answer is the object (or the Status or Scale that the operation answers with), None
        where the object was not wanted, or the error. `warn(index, text)` hears what a user should
        be warned of, `note(index, key, value)` what its audit is to say. With `prompt`, operations
        that have to ask a webhook are not carried out, and answered `outside.DEFERRED`. Whoever
        reads after this returns sees what was written.
        """
        if self.freshness.shared:
            try:
                await self.freshness.fresh()
            except errors.StatusError as error:
                return [error] * len(batch)
        return await self._writer.write(batch, user, warn, note, prompt=prompt)

    async def one(
        self,
        operation: Operation,
        user: identity.User,
        warn: Warn | None = None,
        note: Note | None = None,
    ) -> Entry | None:
        """Carry out one operation. errors.StatusError."""
        (result,) = await self.write([operation], user, warn, note)
        try:
            if isinstance(result, errors.StatusError):
                raise result
            assert not isinstance(result, outside.Deferred)
            return result
        finally:
            del result  # its traceback holds this frame: both would wait for the collector

    def suffering(
        self, watch: Watch | ConvertedWatch, user: identity.User, resource: str
    ) -> AnyWatch:
        """A watch that was just opened, as faults leave it."""
        drop, delay = self.faults.on_watch(user.name, resource) if self.faults else (0.0, 0.0)
        if not drop and not delay:
            return watch
        return SufferingWatch(watch, drop, delay)

    def plain(self, operation: Operation) -> bool:
        """Whether an operation is about objects that are stored as its version shows them."""
        row = self.table.get(operation.resource, operation.version)
        return row is None or self.views.plain(row)

    def check_read(
        self,
        user: identity.User,
        verb: str,
        resource: str,
        place: tuple[str, str],
        fields: str = "",
    ) -> None:
        """errors.Forbidden where the user may not get, list or watch at a place (namespace, name).

        A resource that there is not is nobody's to refuse.
        """
        row = self.table.get(resource)
        if row is not None:
            gate.check(self.authz.authorizer, gate.of_read(user, verb, row, place, fields))

    async def write_allowed(
        self, batch: Sequence[Operation], user: identity.User, *, prompt: bool = False
    ) -> Results:
        """Carry out what of a batch the user may do; the rest is answered errors.Forbidden."""
        refused = gate.refusals(self.authz.authorizer, user, batch, self.table)
        if refused and self.freshness.shared:
            await self.freshness.fresh()
            refused = gate.refusals(self.authz.authorizer, user, batch, self.table)
        if self.faults is not None:
            refused |= await self.faults.refusals(user, batch)
        if not refused:
            return await self.write(batch, user, prompt=prompt)
        allowed = [index for index in range(len(batch)) if index not in refused]
        made = await self.write([batch[index] for index in allowed], user, prompt=prompt)
        results: Results = [refused.get(index) for index in range(len(batch))]
        for index, result in zip(allowed, made, strict=True):
            results[index] = result
        return results

    async def delete_collection(
        self,
        resource: str,
        namespace: str,
        user: identity.User,
        *,
        labels: str = "",
        fields: str = "",
        body: bytes = b"",
        dry_run: bool = False,
        version: str = "",
    ) -> Page:
        """Delete every selected object; the page holds them as they were. errors.StatusError.

        `body` is the DeleteOptions for each. Objects that somebody else deletes meanwhile are
        no failure; the first other failure is raised.
        """
        row = self._reader.row(resource, "deletecollection", version)
        if body:  # wrong options are wrong even where nothing is selected
            deletion.options(bodies.decoded(body, "DeleteOptions"))
        page = await self._reader.list(
            resource, namespace, labels=labels, fields=fields, version=version
        )
        for start in range(0, len(page.items), _DELETE_TOGETHER):
            batch = [
                Operation(
                    Verb.DELETE,
                    row.id,
                    entry.namespace,
                    entry.name,
                    body=body,
                    dry_run=dry_run,
                    want_object=False,
                    version=version,
                )
                for entry in page.items[start : start + _DELETE_TOGETHER]
            ]
            for result in await self.write(batch, user):
                if isinstance(result, errors.StatusError) and not isinstance(
                    result, errors.NotFound
                ):
                    raise result
        return page

    def row(self, resource: str) -> Resource:
        """The row of a resource. errors.NotFound."""
        row = self.table.get(resource)
        if row is None:
            raise planner.unknown()
        return row
