"""Carries out batches of operations: plans them, commits them together, answers in order.

A batch goes in rounds. A round plans the first operations, leaving out those whose object an
earlier one of the round writes to, and commits all plans by one write of the store. Those that were
overtaken by somebody else are planned again, on what is there now, in the next round.
"""

import asyncio
from collections.abc import Sequence
from random import Random

import structlog

from cluster.aio import tasks
from cluster.aio.clock import Clock
from cluster.api import errors, identity, schema
from cluster.api.operations import Operation
from cluster.api.resources import Resource, Table
from cluster.apiserver import bodies, codec, fencing, outside, planner, tenure
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.authn.serviceaccounts import Issuer
from cluster.apiserver.authz.modes import Built
from cluster.apiserver.freshness import Freshness, unavailable
from cluster.apiserver.ledger import Fact, Ledger
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.planner import Job, Outside
from cluster.apiserver.views import Views
from cluster.apiserver.virtual.table import Handlers
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.writeround import Attempt, Note, Result, Round, Warn
from cluster.storage import interface as storage

ATTEMPTS = 32
"""How often an operation is planned before it gives up on a contended object."""
TOGETHER = 512
"""Operations of one round: planning them keeps everybody else waiting."""
GENERATED_NAMES = 8
"""How many generated names are tried; maxNameGenerationCreateAttempts of kube-apiserver."""
_FRESH_SECONDS = 10.0


class Writer:
    """Carries out writes. Any number of batches may be under way at once."""

    def __init__(
        self,
        table: Table,
        store: storage.Storage,
        cache: WatchCache,
        views: Views,
        chain: Chain,
        *,
        clock: Clock,
        random: Random,
        ledger: Ledger,
        version: str = "",
        issuer: Issuer | None = None,
        authz: Built | None = None,
        virtual: Handlers | None = None,
        freshness: Freshness,
        tenures: tenure.Tenures | None = None,
    ) -> None:
        """`tenures` is there where other servers write to the store, too."""
        self._freshness = freshness
        self._tenures = tenures
        self._authz = authz
        self._virtual = virtual if virtual is not None else {}
        self._table = table
        self._store = store
        self._cache = cache
        self._views = views
        self._chain = chain
        self._clock = clock
        self._random = random
        self._ledger = ledger
        self._version = version or schema.NEWEST
        self._issuer = issuer
        self._log = structlog.get_logger().bind(component="apiserver")

    async def write(
        self,
        batch: Sequence[Operation],
        user: identity.User,
        warn: Warn | None = None,
        note: Note | None = None,
        *,
        prompt: bool = False,
    ) -> list[Result]:
        """The answers to a batch, in order; never raises for what an operation did wrong.

        With `prompt`, what has to ask outside is answered DEFERRED and not carried out.
        """
        results: list[Result] = [None] * len(batch)
        open_jobs = self._jobs(batch, results)
        viewed = [(index, job.row) for index, job in open_jobs if not self._views.plain(job.row)]
        deferred: dict[str, None] = {}
        while open_jobs:
            now = Round(results, warn, note, deferred, prompt=prompt)
            self._plan_all(now, open_jobs, user)
            again = await self._commit(now.attempts, user, results) if now.attempts else []
            if now.asking:
                again += await self._ask(now.asking, results)
            if now.pause:
                await asyncio.sleep(now.pause * (1 + self._random.random()))
            open_jobs = sorted(again + now.later, key=_place)
        for index, row in viewed:
            results[index] = await self._shown(row, results[index])
        return results

    async def _shown(self, row: Resource, result: Result) -> Result:
        """An answer in the version that was asked for."""
        if not isinstance(result, Entry):
            return result
        try:
            return await self._views.entry(row, result)
        except errors.StatusError as error:
            return error

    def _jobs(self, batch: Sequence[Operation], results: list[Result]) -> list[tuple[int, Job]]:
        found: list[tuple[int, Job]] = []
        for index, operation in enumerate(batch):
            try:
                job = planner.job(operation, self._table, self._chain, self._virtual)
                found.append((index, job))
            except errors.StatusError as error:
                results[index] = _bare(error)
            except Exception as error:  # noqa: BLE001  (a fault must not end the server)
                results[index] = self._fault(operation, error)
        return found

    def _plan_all(
        self, now: Round, open_jobs: Sequence[tuple[int, Job]], user: identity.User
    ) -> None:
        now.later += open_jobs[TOGETHER:]
        for index, job in open_jobs[:TOGETHER]:
            if job.key in now.deferred:
                now.results[index] = outside.DEFERRED
                continue
            if job.key in now.keys:
                now.later.append((index, job))
                continue
            call = self._call(job, user)
            try:
                self._plan(now, index, job, call)
            except outside.Ask as ask:
                call.settle()
                self._defer(now, index, job, ask)
            except errors.StatusError as error:
                call.settle()
                now.tell(index, job, call)
                now.results[index] = _bare(error)
            except Exception as error:  # noqa: BLE001  (a fault must not end the server)
                call.settle()
                now.results[index] = self._fault(job.operation, error)

    def _defer(self, now: Round, index: int, job: Job, ask: outside.Ask) -> None:
        """Put off an operation that asks outside, and those on its object behind it."""
        if now.prompt:
            now.results[index] = outside.DEFERRED
            if job.key:
                now.deferred[job.key] = None
            return
        if job.key:
            now.keys[job.key] = None
        if job.outside is None:
            # What was drawn for this question cannot be drawn again: ask it anew with a seed.
            job.outside = Outside(self._clock.now(), self._random.random())
            now.later.append((index, job))
        elif len(job.outside.answers) >= outside.ROUNDS:
            why = f"{job.row.id} asks too many questions of webhooks: the object keeps changing"
            now.results[index] = errors.InternalError(f"Internal error occurred: {why}")
        else:
            now.asking.append((index, job, ask))

    async def _ask(
        self, asking: Sequence[tuple[int, Job, outside.Ask]], results: list[Result]
    ) -> list[tuple[int, Job]]:
        """Await all answers at once; the operations that can be planned further."""
        answered: list[tuple[int, Job]] = []
        async with tasks.Group("outside questions") as group:
            for index, job, ask in asking:
                group.spawn(self._await(index, job, ask, answered, results), f"question {index}")
        return answered

    async def _await(
        self,
        index: int,
        job: Job,
        ask: outside.Ask,
        answered: list[tuple[int, Job]],
        results: list[Result],
    ) -> None:
        assert job.outside is not None
        try:
            job.outside.answers.put(ask.key, await ask.question())
        except errors.StatusError as error:
            results[index] = _bare(error)
        except Exception as error:  # noqa: BLE001  (a fault must not end the server)
            results[index] = self._fault(job.operation, error)
        else:
            answered.append((index, job))

    def _plan(self, now: Round, index: int, job: Job, call: Call) -> None:
        fencing.check(job, call)
        try:
            plan = self._try_names(job, call, now)
        except tenure.Needed as needed:
            call.settle()
            if needed.pause or needed.key in now.keys:
                now.pause = max(now.pause, needed.pause)
                now.later.append((index, job))
                return
            plan = Plan(needed.key, needed.value, needed.expected, then=_taken)
        if isinstance(plan, Plan):
            bodies.check_stored(plan.value)
        now.tell(index, job, call)
        job.attempts += 1
        if isinstance(plan, Entry):
            call.settle()
            now.results[index] = _answer(job, plan)
        elif job.operation.dry_run:
            call.settle()
            now.results[index] = _answer(job, self._imagined(job, plan))
        else:
            now.attempts.append(Attempt(index, job, call, plan))
            now.keys[plan.key] = None
            if job.key:
                now.keys[job.key] = None

    def _try_names(self, job: Job, call: Call, now: Round) -> Plan | Entry:
        """The plan; where the server names the object, one whose name is free."""
        if job.key:
            return job.plan(call)
        for last in range(GENERATED_NAMES):
            try:
                plan = job.plan(call)
            except errors.AlreadyExists:
                call.settle()
                if last == GENERATED_NAMES - 1:
                    raise
                continue
            if isinstance(plan, Entry) or plan.key not in now.keys:
                return plan
            call.settle()
        raise errors.AlreadyExists("the server was not able to generate a unique name")

    async def _commit(
        self, attempts: Sequence[Attempt], user: identity.User, results: list[Result]
    ) -> list[tuple[int, Job]]:
        """Make the changes of a round; the operations that have to be planned again."""
        changes = [
            storage.Change(
                attempt.plan.key,
                attempt.plan.value,
                attempt.plan.expected,
                guards=attempt.call.guards,
            )
            for attempt in attempts
        ]
        try:
            made = await self._store.write(changes)
            await self._catch_up(attempts, made)
        except (storage.Unavailable, errors.StatusError) as error:
            refusal = unavailable(error)
            for attempt in attempts:
                results[attempt.index] = refusal
            return []
        finally:
            for attempt in attempts:
                attempt.call.settle()
        again: list[tuple[int, Job]] = []
        for attempt, outcome in zip(attempts, made, strict=True):
            if isinstance(outcome, storage.Unavailable):
                results[attempt.index] = errors.ServiceUnavailable(str(outcome))
            elif isinstance(outcome, storage.Mismatch):
                results[attempt.index] = self._overtaken(attempt, again, guarded=outcome.guard)
            elif attempt.plan.then is not None:
                if attempt.plan.then is not _taken:
                    self._record(attempt, outcome.revision, user)
                attempt.plan.then()
                again.append((attempt.index, attempt.job))
            else:
                results[attempt.index] = self._made(attempt, outcome, user)
        return again

    async def _catch_up(
        self,
        attempts: Sequence[Attempt],
        made: Sequence[storage.Outcome],
    ) -> None:
        """Wait until the cache knows what was made, and what was in the way. Unavailable."""
        wanted, guarded = 0, False
        for attempt, outcome in zip(attempts, made, strict=True):
            if isinstance(outcome, storage.Unavailable):
                continue
            if not isinstance(outcome, storage.Mismatch):
                wanted = max(wanted, outcome.revision)
            elif outcome.guard:
                guarded = True
            elif outcome.current is not None:
                wanted = max(wanted, outcome.current.revision)
            else:
                await self._hear_of_end(attempt)
        await self._hear_of(wanted)
        if guarded:
            await self._freshness.fresh()

    async def _hear_of(self, revision: int) -> None:
        if not await self._cache.reached(revision, _FRESH_SECONDS):
            raise storage.Unavailable(f"revision {revision} was not heard of in time")

    async def _hear_of_end(self, attempt: Attempt) -> None:
        """An object gone from the store may still be in the cache: its end is on its way."""
        plan = attempt.plan
        cache = self._cache.of(codec.split(plan.key)[0])
        while (entry := cache.get(plan.key)) is not None and entry.revision == plan.expected:
            await self._hear_of(self._cache.revision + 1)

    def _overtaken(
        self, attempt: Attempt, again: list[tuple[int, Job]], *, guarded: bool
    ) -> errors.StatusError | None:
        """Somebody else wrote to the object since it was read, or to what guards the write."""
        job = attempt.job
        held = self._cache.of(codec.split(attempt.plan.key)[0])
        unreadable = held.unreadable.get(attempt.plan.key)
        if unreadable is not None:
            return held.fault(unreadable)
        # Of what is gone meanwhile nothing has another revision: planned again, it is not found.
        firm = attempt.plan.firm and not guarded and held.get(attempt.plan.key) is not None
        if firm or job.attempts >= ATTEMPTS:
            return errors.conflict(job.row.id, job.operation.name, errors.MODIFIED)
        again.append((attempt.index, job))
        return None

    def _made(
        self, attempt: Attempt, outcome: storage.Record | storage.Deleted, user: identity.User
    ) -> Result:
        job, plan = attempt.job, attempt.plan
        self._record(attempt, outcome.revision, user)
        if not job.operation.want_object:
            return None
        if isinstance(outcome, storage.Record):
            entry = self._cache.of(job.stored.id).entry(outcome)
        else:
            entry = _last(plan, outcome.revision)
        return plan.render(entry) if plan.render is not None else entry

    def _record(self, attempt: Attempt, revision: int, user: identity.User) -> None:
        operation = attempt.job.operation
        resource, namespace, name = codec.split(attempt.plan.key)
        verb = operation.verb.name.lower()
        if operation.subresource:
            verb = f"{verb}/{operation.subresource}"
        self._ledger.add(
            Fact(
                revision,
                attempt.call.now,
                user.name,
                verb,
                attempt.job.row.id if attempt.plan.then is None else resource,
                f"{namespace}/{name}" if namespace else name,
                operation.cause,
            )
        )

    def _imagined(self, job: Job, plan: Plan) -> Entry:
        """What a dry run answers: the state that would be, with the revision that there is."""
        if plan.value is None:
            entry = _last(plan, plan.expected)
        else:
            revision = plan.expected
            json = codec.with_revision(plan.value, revision) if revision else plan.value
            created = 0 if plan.old is not None else revision
            shape = self._cache.of(job.stored.id).shape
            entry = Entry(shape, plan.key, json, revision, created)
        return plan.render(entry) if plan.render is not None else entry

    def _call(self, job: Job, user: identity.User) -> Call:
        asked = job.outside
        call = Call(
            job.operation,
            job.row,
            job.stored,
            user,
            self._clock.now() if asked is None else asked.now,
            self._random if asked is None else Random(asked.seed),  # noqa: S311  (repeats)
            self._cache,
            self._views,
            self._version,
            issuer=self._issuer,
            authz=self._authz,
            tenures=self._tenures,
        )
        if asked is not None:
            call.answers = asked.answers
        return call

    def _fault(self, operation: Operation, error: Exception) -> errors.StatusError:
        if isinstance(error, RecursionError):  # a document that nobody means: no fault of ours
            return errors.BadRequest("the object is nested too deeply")
        self._log.error(
            "operation failed unexpectedly",
            verb=operation.verb.name,
            resource=operation.resource,
            namespace=operation.namespace,
            name=operation.name,
            exc_info=error,
        )
        return errors.InternalError(f"Internal error occurred: {type(error).__name__}: {error}")


def _taken() -> None:
    """The step of taking a tenure is made: nobody asked for it, and nobody is told."""


def _place(item: tuple[int, Job]) -> int:
    return item[0]


def _bare(error: errors.StatusError) -> errors.StatusError:
    """Without its traceback, whose frames hold the operation and what is answered: with it, each
    refused write would lie about until the collector comes by.
    """
    return error.with_traceback(None)


def _answer(job: Job, entry: Entry) -> Entry | None:
    return entry if job.operation.want_object else None


def _last(plan: Plan, revision: int) -> Entry:
    """The last state of an object that is gone."""
    old = plan.old
    if old is None:
        raise RuntimeError(f"a deletion of {plan.key} without an object")
    json = codec.at_revision(old.json, revision)
    return Entry(old.shape, old.key, json, revision, old.created)
