"""Whether an object behaved as if operations on it took effect one by one, each between its
beginning and its end.

The search is Wing and Gong's, with Lowe's memory of configurations that led nowhere ("Testing for
linearizability", 2017): take an operation that no other one has ended before, let it take effect,
go on; where an operation ended that has not taken effect, go back. An operation without an answer
may take effect at any later time, or never. Two things keep the search short where much overlaps:
what only looks takes effect at once, for that takes no other order away; and what told
of a revision waits for all that told of earlier ones.

Objects are independent of each other, so a history is linearizable when that of each object is
(Herlihy and Wing's locality).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from operator import itemgetter
from typing import Final

from cluster.chaos.checking import register
from cluster.chaos.checking.history import READS, Call, Outcome, Seen, by_key, resolved

BUDGET: Final = 200_000
"""Steps of the search for one object: some tenths of a second."""


class Verdict(Enum):
    """UNDECIDED: the budget was used up."""

    LINEARIZABLE = "linearizable"
    BROKEN = "not linearizable"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of an object, in how many steps."""

    key: str
    verdict: Verdict
    steps: int
    calls: Sequence[Call]


def check(
    calls: Iterable[Call], *, seen: dict[str, list[Seen]] | None = None, budget: int = BUDGET
) -> list[Judgement]:
    """Judge every object of a history. `seen` is what watches showed of objects, by key."""
    found = []
    for key, own in by_key(calls).items():
        known = resolved(own, (seen or {}).get(key, ()))
        verdict, steps = judge(known, budget)
        found.append(Judgement(key, verdict, steps, known))
    return found


def judge(calls: Sequence[Call], budget: int = BUDGET) -> tuple[Verdict, int]:
    """Judge the history of one object; with how many steps."""
    search = _Search(calls)
    steps = 0
    while True:
        steps += 1
        done = search.step()
        if done is not None:
            return (Verdict.LINEARIZABLE if done else Verdict.BROKEN), steps
        if steps >= budget:
            return Verdict.UNDECIDED, steps


class _Search:
    """Beginnings and ends of answered calls in order, as a linked list: of what took effect both
    are taken out. Entry 0 is the head; an end's entry has `_call` -1 - index.

    Calls without an answer stand beside it, and are tried where all others have been: mostly they
    explain nothing.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = [
            *(call for call in calls if call.outcome is not Outcome.UNKNOWN),
            *(call for call in calls if call.outcome is Outcome.UNKNOWN and call.writes),
        ]
        self._open = sum(call.outcome is not Outcome.UNKNOWN for call in self._calls)
        self._doubtful = range(self._open, len(self._calls))
        self._counts = 0
        """A bit for each call that a configuration has to remember. A doubtful one of known
        revision is none: whether it can still take effect, the state's revision tells.
        """
        for index, call in enumerate(self._calls):
            self._counts |= (index < self._open or not call.revision) << index
        self._first = _earlier(self._calls, self._open)
        marks: list[tuple[float, int]] = []
        for index, call in enumerate(self._calls[: self._open]):
            marks += [(call.begin, index), (call.end, -1 - index)]
        marks.sort()
        self._hopeless = _goes_back(self._calls, marks)
        self._tick = [0.0, *(tick for tick, _ in marks)]
        self._call = [-1, *(index for _, index in marks)]
        size = len(self._call)
        self._next = [*range(1, size), 0]
        self._before = [size - 1, *range(size - 1)]
        self._entry = {index: entry for entry, index in enumerate(self._call) if entry}
        self._state = register.State()
        self._done = 0
        self._stack: list[tuple[int, register.State, Iterator[int]]] = []
        self._known: set[tuple[int, register.State]] = set()
        self._choices = self._candidates()

    def step(self) -> bool | None:
        """Try one call: True, there is an order; False, there is none; None, go on."""
        if self._hopeless:
            return False
        if not self._open:
            return True
        index = next(self._choices, None)
        if index is None:
            return None if self._back() else False
        state = self._after(index)
        if state is not None:
            configuration = ((self._done | 1 << index) & self._counts, state)
            if configuration not in self._known:
                self._known.add(configuration)
                self._take(index, state)
        return None

    def _after(self, index: int) -> register.State | None:
        if self._first[index] & ~self._done:
            return None
        return register.after(self._state, self._calls[index])

    def _candidates(self) -> Iterator[int]:
        """The calls that may take effect next: those that began before any open one ended."""
        entry = self._next[0]
        while self._call[entry] >= 0:
            if self._looks(self._call[entry]):
                return iter((self._call[entry],))
            entry = self._next[entry]
        return self._choosable()

    def _looks(self, index: int) -> bool:
        """Whether a call changes nothing, nor what is known. A write of the same value does: it may
        have a revision of which nobody was told.
        """
        call = self._calls[index]
        pure = call.verb in READS or call.outcome is Outcome.FAIL
        return pure and self._after(index) == self._state

    def _choosable(self) -> Iterator[int]:
        entry = self._next[0]
        while self._call[entry] >= 0:
            yield self._call[entry]
            entry = self._next[entry]
        for index in self._doubtful:
            if not self._done >> index & 1 and self._calls[index].begin < self._tick[entry]:
                yield index

    def _take(self, index: int, state: register.State) -> None:
        self._stack.append((index, self._state, self._choices))
        self._state = state
        self._done |= 1 << index
        if index not in self._doubtful:
            self._unlink(self._entry[index])
            self._unlink(self._entry[-1 - index])
            self._open -= 1
        self._choices = self._candidates()

    def _back(self) -> bool:
        if not self._stack:
            return False
        index, self._state, self._choices = self._stack.pop()
        self._done &= ~(1 << index)
        if index not in self._doubtful:
            self._link(self._entry[-1 - index])
            self._link(self._entry[index])
            self._open += 1
        return True

    def _unlink(self, entry: int) -> None:
        before, later = self._before[entry], self._next[entry]
        self._next[before], self._before[later] = later, before

    def _link(self, entry: int) -> None:
        self._next[self._before[entry]] = self._before[self._next[entry]] = entry


def _told(call: Call) -> int:
    """The revision of the object that is known to be newest when the call takes effect, or 0."""
    return call.seen.revision if call.seen else call.revision


def _goes_back(calls: Sequence[Call], marks: Sequence[tuple[float, int]]) -> bool:
    """Whether a call told of an earlier revision than one that had ended before it began."""
    newest = 0
    for _, index in marks:
        if index < 0:
            newest = max(newest, _told(calls[-1 - index]))
        elif 0 < _told(calls[index]) < newest:
            return True
    return False


def _earlier(calls: Sequence[Call], answered: int) -> list[int]:
    """For each call the answered ones, as bits, that told of an earlier revision than it did."""
    told = sorted((_told(call), index) for index, call in enumerate(calls) if _told(call))
    masks = [0] * len(calls)
    before = 0
    for _, alike in groupby(told, key=itemgetter(0)):
        same = 0
        for _, index in alike:
            masks[index] = before
            same |= (index < answered) << index
        before |= same
    return masks
