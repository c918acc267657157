"""Carries an experiment out: steady state, faults in order, rollback, recovery; and watches.

Whatever happens, what was done is undone before `run` returns: at its time, at the end, when it is
interrupted, and by `journal` after a crash.

One class in one file past 450 lines: its parts share the state of one run, and what could be told
apart from that is told elsewhere (`doing`, `standing`, `marks`, `probing`, `observing`, `report`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Final, TypeVar

from cluster.aio import tasks
from cluster.aio.clock import Clock
from cluster.api import durations, errors
from cluster.chaos import acts, clearing, loading, manifests, marks, observing, report
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act
from cluster.chaos.doing import END_WITHIN, Doer
from cluster.chaos.journal import Journal, Nowhere
from cluster.chaos.observing import Event, Observer
from cluster.chaos.probing import Prober
from cluster.chaos.standing import Deed, Standing
from cluster.chaos.targets import Chance, Chosen, NoTarget, View, choose
from cluster.chaos.world import Unable, World, insist
from cluster.client.informer import Change, Informer

T = TypeVar("T")

_LOOK_EVERY: Final = 0.1
_SYNC_WITHIN: Final = 30.0
_IDLE: Final = "it was done to no request (of its users, verbs and resources, and its share)"

Tell = Callable[[str], None]


def _silent(_text: str) -> None:
    """Nobody listens."""


class _Abort(Exception):
    """It cannot go on; the message says why."""


class Run:
    """One run of an experiment on a world. `tell` hears what happens, in words."""

    def __init__(
        self, made: ex.Experiment, world: World, *, clock: Clock, journal: Journal | None = None,
        tell: Tell = _silent, keep: bool = False,
    ) -> None:  # fmt: skip
        self._made = made
        self._world = world
        self._clock = clock
        self._journal = journal or Nowhere()
        self._tell = tell
        self._keep = keep
        self._random = Random(f"{made.seed}/{made.name}")  # noqa: S311  (repeats)
        self._chance = Chance(Random(self._random.random()))  # noqa: S311  (repeats)
        self._workload = manifests.read(made.workload) if made.workload else []
        self._observer = Observer(self._namespaces())
        self._probers = [
            Prober(probe, world, self._observer, self._now) for probe in made.probes if probe.asks
        ]
        self._zero = 0.0
        self._standing = Standing()
        self._leavings: list[Act] = []
        """What takes away what was made of the workload, the oldest first."""
        self._cut_short: list[marks.Span] = []
        self._nothing: list[marks.Span] = []
        """Of faults that could not be done."""
        self._held: list[Event] = []
        self._states: dict[str, bool] = {}
        self._doer = Doer(world, self._opened)
        self._body: asyncio.Task[None] | None = None
        self._probing: list[asyncio.Task[None]] = []
        self._group: tasks.Group | None = None
        self._seen = report.Outcome(made, world.name, world.kind, clock.now())

    def interrupt(self, why: str = "interrupted") -> None:
        """End it now: undo everything, and report what was seen."""
        self._seen.aborted = why
        if self._body is not None:
            self._body.cancel()

    async def run(self) -> report.Outcome:
        """Carry it out."""
        async with tasks.Group("chaos") as group:
            self._group = group
            self._zero = self._loop_time()
            try:
                if not self._seen.aborted:
                    async with tasks.Group("experiment") as story:  # till nothing new is begun
                        self._body = story.spawn(self._guarded(), "story")
            finally:
                await self._come_to_rest()
                await self._roll_back()
                for task in self._probing:
                    task.cancel()
                self._conclude()
                if not self._keep:
                    await self._clear()
                group.cancel()
        return self._seen

    async def _guarded(self) -> None:
        try:
            await self._story()
        except _Abort as error:
            self._seen.aborted = str(error)
        except errors.StatusError as error:
            self._seen.aborted = f"the API server refused: {error.message}"
        except (Unable, ValueError) as error:
            self._seen.aborted = str(error)

    async def _story(self) -> None:
        await self._follow()
        self._check_needs()
        await self._apply()
        for prober in self._probers:
            task = self._opened().spawn(prober.run(), f"probe {prober.probe.name}")
            self._probing.append(task)
        self._opened().spawn(self._look(), "states")
        await self._until_steady()
        await self._check_targets()
        self._tell("steady state holds; the faults begin")
        self._opened().spawn(self._mind(), "journal")
        async with tasks.Group("faults") as group:
            for number, fault in enumerate(self._made.faults, 1):
                group.spawn(self._fault(number, fault), f"fault {number}")
        undone = "not all faults are undone" if self._standing else "all faults are undone"
        self._tell(f"{undone}; waiting until all is well")
        await self._until_well()

    # ---- before ------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Begin to watch the cluster."""
        client, observer = self._world.client, self._observer
        seeds = Random(self._random.random())  # noqa: S311  (jitter of retries)
        heard: list[tuple[str, str, Callable[[Change, float], None]]] = [
            ("nodes", "", observer.node),
            ("pods", "", observer.pod),
            ("deployments.apps", "", observer.deployment),
            ("leases.coordination.k8s.io", "kube-system", observer.lease),
        ]
        if any(probe.kind == ex.HTTP for probe in self._made.probes):
            heard.append(("services", "", observer.service))
        informers = []
        for resource, namespace, hear in heard:
            informer = Informer(
                client,
                resource,
                namespace=namespace,
                generator=Random(seeds.random()),  # noqa: S311
            )
            informer.on_change(lambda change, hear=hear: hear(change, self._now()))  # type: ignore[misc]
            self._opened().spawn(informer.run(), f"informer {resource}")
            informers.append(informer)
        try:
            async with asyncio.timeout(_SYNC_WITHIN):
                for informer in informers:
                    await informer.synced()
        except TimeoutError:
            raise _Abort(f"the API server did not answer within {_SYNC_WITHIN:g} s") from None

    def _check_needs(self) -> None:
        needs, observer = self._made.needs, self._observer
        found = {
            "nodes": len(observer.nodes),
            "zones": observer.different(ex.ZONE_LABEL),
            "racks": observer.different(ex.RACK_LABEL),
        }
        for what, count in found.items():
            if count < getattr(needs, what):
                label = {"zones": ex.ZONE_LABEL, "racks": ex.RACK_LABEL}.get(what)
                hint = f" (nodes say theirs by the label {label})" if label else ""
                raise _Abort(f"needs {getattr(needs, what)} {what}; the cluster has {count}{hint}")

    async def _check_targets(self) -> None:
        """Nothing is done where something of it could not be done to anybody."""
        view = await self._view()
        for number, fault in enumerate(self._made.faults, 1):
            try:
                chosen = choose(fault, view, self._chance)
            except NoTarget as error:
                raise _Abort(f"fault {number} ({fault.action}): {error}") from error
            for act in acts.of(fault, chosen, ""):
                if act.op != acts.LOAD and (lacks := self._world.lacks(act)):
                    raise _Abort(f"fault {number} ({fault.action}): {lacks}")

    async def _apply(self) -> None:
        """Make the workload. What is there already is used, and stays."""
        for made in self._workload:
            if not self._keep:
                self._leavings.append(clearing.removal(made))
                self._write_down()
            try:
                await self._world.client.create(made.resource, made.object)
            except errors.AlreadyExists:
                if not self._keep:
                    self._leavings.pop()
                    self._write_down()

    async def _until_steady(self) -> None:
        """Wait until all probes hold for long enough; times count from the end of that."""
        made = self._made
        deadline = self._loop_time() + made.steady_within
        self._begin_anew()
        while self._now() < 0:
            await asyncio.sleep(min(_LOOK_EVERY, max(-self._now(), 0.001)))
            ill = self._ill()
            if not ill:
                continue
            if self._loop_time() > deadline:
                within = durations.format(made.steady_within)
                raise _Abort(f"no steady state within {within}: {'; '.join(ill)}")
            self._begin_anew()

    def _begin_anew(self) -> None:
        """The steady state begins now, as far as is known."""
        self._zero = self._loop_time() + self._made.steady_for
        self._observer.events.clear()
        self._held.clear()
        del self._observer.ready_pods[:-1]
        self._observer.ready_pods[:] = [(self._now(), one) for _, one in self._observer.ready_pods]
        for prober in self._probers:
            prober.begin_anew()
        self._seen.started = self._clock.now() + self._made.steady_for

    # ---- faults ------------------------------------------------------------------------------

    async def _fault(self, number: int, fault: ex.Fault) -> None:
        await asyncio.sleep(max(fault.at - self._now(), 0.0))
        span = marks.Span(number, fault.action, fault.whom, (), self._now())
        self._seen.spans.append(span)
        deeds: list[Deed] = []
        carried_out = False
        try:
            chosen = choose(fault, await self._view(), self._chance)
            span.targets = _shown(fault, chosen)
            span.began = self._now()
            self._note(observing.BEGUN, number, f"{span}")
            for position, together in enumerate(
                _together(acts.of(fault, chosen, f"chaos/{self._made.name}/{number}"), fault)
            ):
                if position and fault.spacing:
                    await asyncio.sleep(fault.spacing)
                deeds += self._standing.begin(number, together)
                self._write_down()
                await _all(self._doer.do(act) for act in together)
                carried_out = True
            await asyncio.sleep(max(span.began + fault.seconds - self._now(), 0.0))
        except (NoTarget, Unable) as error:
            self._fail(span, str(error))
            if not carried_out:
                self._nothing.append(span)
        for ending in _together(deeds, fault):
            await _all(self._end(deed, span) for deed in ending)
        span.ended = self._now()
        if deeds and fault.action not in ex.MOMENTARY and not self._standing.has(number):
            self._note(observing.UNDONE, number, f"{span}")

    async def _view(self) -> View:
        observer = self._observer
        return View(await self._world.members(), observer.labels, observer.load(), observer.holders)

    def _write_down(self) -> None:
        self._journal.write([*self._standing.undoings(), *self._leavings[::-1]])

    async def _end(self, deed: Deed, span: marks.Span) -> None:
        """Undo a deed; what does not let itself be undone stays in the journal."""
        done: Act | None = None
        if deed.act.op == acts.FAULTS:
            span.struck.append(await self._world.struck(deed.act))
        while (act := self._standing.ending(deed)) not in (None, done):
            if error := await insist(self._doer.do, act):
                self._fail(span, _stays(act, error))
                return
            done = act  # meanwhile another may have ended, which left the rest to this one
        self._standing.end(deed)
        self._write_down()

    def _fail(self, span: marks.Span, error: str) -> None:
        if error not in span.error:
            span.error = "; ".join(filter(None, (span.error, error)))
        self._note(observing.FAILED, span.number, error)

    def _note(self, kind: str, number: int, text: str) -> None:
        self._observer.note(self._now(), kind, f"fault {number}", text)
        self._tell(f"{self._now():+7.1f}s  {kind} {text}")

    # ---- after -------------------------------------------------------------------------------

    async def _until_well(self) -> None:
        well = now = self._loop_time()
        end = now + self._made.recovery_within
        while now - well < ex.WELL_FOR:
            if now > end:
                self._seen.recovered = False
                self._seen.failing = self._failing()
                return
            await asyncio.sleep(min(_LOOK_EVERY, max(well + ex.WELL_FOR - now, 0.001)))
            now = self._loop_time()
            if self._not_held() or not all(prober.answered for prober in self._probers):
                well = now
            well = max([well, *(prober.last_failure for prober in self._probers)])

    async def _come_to_rest(self) -> None:
        """What is being done comes to its end, lest it be carried out after its undoing."""
        for act in await self._doer.come_to_rest():
            self._seen.notes.append(
                f"{act} was not done within {END_WITHIN:g} s, and then undone: it may be done yet"
            )

    async def _roll_back(self) -> None:
        """Undo what is still done, the newest first."""
        self._forget_what_others_undid()
        for undo in self._standing.undoings():
            if error := await insist(self._doer.do, undo):
                self._seen.notes.append(_stays(undo, error))
            else:
                self._standing.ended_by(undo)
                self._write_down()
        for span in self._seen.spans:
            if span.ended is None:
                span.ended = self._now()
                self._cut_short.append(span)
                if span.action not in ex.MOMENTARY and not self._standing.has(span.number):
                    self._note(observing.UNDONE, span.number, f"{span}")

    def _forget_what_others_undid(self) -> None:
        left = self._journal.taken_over()
        if left is not None:
            self._standing.keep(left)
            self._leavings = [act for act in self._leavings if act in left]
            self._write_down()

    def _conclude(self) -> None:
        seen, observer = self._seen, self._observer
        seen.seconds = max(self._now(), 0.0)
        seen.tallies = {prober.probe.name: prober.tally for prober in self._probers}
        seen.states = {
            probe.name: observer.holds(probe) for probe in self._made.probes if not probe.asks
        }
        seen.nodes, seen.ready_pods = dict(observer.nodes), tuple(observer.ready_pods)
        faults = self._made.faults
        seen.spans.sort(key=lambda span: (faults[span.number - 1].at, span.number))
        done = [span for span in seen.spans if span not in self._nothing]
        asked = marks.of_requests(seen.spans, seen.tallies)
        seen.events = tuple(sorted([*observer.events, *asked], key=lambda event: event.at))
        marks.measure(done, seen.events, [*self._held, *asked])
        seen.notes += [f"fault {span.number} (api): {_IDLE}" for span in done if span.requests == 0]
        for span in self._cut_short:
            span.marks.pop(ex.RECOVERED, None)  # nobody waited for it

    async def _clear(self) -> None:
        """Delete the workload, the last made first; its namespaces take the rest with them."""
        client = self._world.client
        if any(fault.action == ex.LOAD for fault in self._made.faults):
            await loading.clear(client)
        for act in self._leavings[::-1]:
            try:
                await clearing.remove(client, act)
            except Unable as error:
                self._seen.notes.append(
                    f"{act.id} {act.member} is left behind: {error}; try kubemu chaos heal"
                )
            else:
                self._leavings.remove(act)
                self._write_down()

    # ---- looking -----------------------------------------------------------------------------

    async def _mind(self) -> None:
        """End when somebody else has undone it, for the faults would be shorter than was told."""
        while self._journal.taken_over() is None:  # noqa: ASYNC110 - another process does that
            await asyncio.sleep(_LOOK_EVERY)
        self.interrupt("the cluster was taken down meanwhile, and with it what was done to it")

    async def _look(self) -> None:
        """Tell when states are lost, and held again."""
        states = [probe for probe in self._made.probes if not probe.asks]
        self._states = {probe.name: True for probe in states}
        well = True
        while True:
            for probe in states:
                held, how = self._observer.holds(probe)
                if held != self._states[probe.name]:
                    self._states[probe.name] = held
                    kind = observing.HELD if held else observing.LOST
                    self._observer.note(self._now(), kind, probe.name, how)
            if all(self._states.values()) != well:
                well = not well
                kind = observing.HELD if well else observing.LOST
                self._held.append(Event(self._now(), kind, ""))
            await asyncio.sleep(_LOOK_EVERY)

    def _ill(self) -> list[str]:
        """What does not hold now, in words."""
        return [f"{name}: {how}" for name, how in (self._not_held() | self._failing()).items()]

    def _not_held(self) -> dict[str, str]:
        """How it is with states that do not hold, by probe."""
        states = {
            probe.name: self._observer.holds(probe) for probe in self._made.probes if not probe.asks
        }
        return {name: how for name, (held, how) in states.items() if not held}

    def _failing(self) -> dict[str, str]:
        """Why requests fail, or are not answered yet, by probe."""
        soon = self._now() > -self._made.steady_for / 2
        found = {
            prober.probe.name: prober.failing()
            or (prober.waits_for if soon and not prober.answered else "")
            for prober in self._probers
        }
        return {name: how for name, how in found.items() if how}

    def _namespaces(self) -> list[str]:
        """Where the workload and the probes are."""
        found = [made.object["metadata"].get("namespace", "") for made in self._workload]
        found += [one.namespace for one in self._made.probes if one.subject]
        return sorted({one for one in found if one})

    def _opened(self) -> tasks.Group:
        if self._group is None:
            raise RuntimeError("the run has not begun")
        return self._group

    def _now(self) -> float:
        return self._loop_time() - self._zero

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()


def _together(found: Sequence[T], fault: ex.Fault) -> list[Sequence[T]]:
    """What is done one after the other; links of all nodes at once, for each may take a while."""
    if found and not fault.spacing and fault.action in (ex.PARTITION, ex.IMPAIR):
        return [found]
    return [(one,) for one in found]


def _stays(act: Act, error: str) -> str:
    return f"could not {act}: {error}; try kubemu chaos heal"


async def _all(calls: Iterable[Awaitable[None]]) -> None:
    """Wait for the end of all; the first failure is raised then."""
    for failure in await asyncio.gather(*calls, return_exceptions=True):
        if failure is not None:
            raise failure


def _shown(fault: ex.Fault, chosen: Chosen) -> tuple[str, ...]:
    """To whom a fault is done, for people."""
    if chosen.sides:
        return tuple(",".join(side) for side in chosen.sides)
    return chosen.members or (chosen.nodes if fault.target is not None else ())
