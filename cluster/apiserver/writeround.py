"""One pass of `apiserver.writer` over a batch: what is planned, what is put off, what is said."""

from collections.abc import Callable

import msgspec

from cluster.api import errors
from cluster.apiserver import outside
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.planner import Job
from cluster.apiserver.watchcache.entry import Entry

Result = Entry | errors.StatusError | outside.Deferred | None
Results = list[Result]
Warn = Callable[[int, str], None]
Note = Callable[[int, str, str], None]
"""Hears annotations for the audit of an operation: its index, a key and a value."""


class Attempt(msgspec.Struct, eq=False):
    """A planned operation of a round: its place in the batch, its call and its plan."""

    index: int
    job: Job
    call: Call
    plan: Plan


class Round:
    """What one pass over the open operations found; answers go to the whole batch's `results`.

    `deferred` are the keys of operations that were put off, and keep others behind them. `asking`
    are the operations that need an answer from outside before they can be planned. `pause`: what
    another server decides is left to it for so many seconds.
    """

    def __init__(
        self,
        results: list[Result],
        warn: Warn | None,
        note: Note | None,
        deferred: dict[str, None],
        *,
        prompt: bool,
    ) -> None:
        self.prompt = prompt
        self.note = note
        self.deferred = deferred
        self.results = results
        self.warn = warn
        self.attempts: list[Attempt] = []
        self.later: list[tuple[int, Job]] = []
        self.asking: list[tuple[int, Job, outside.Ask]] = []
        self.keys: dict[str, None] = {}
        self.pause = 0.0

    def tell(self, index: int, job: Job, call: Call) -> None:
        """What the first planning of an operation that came to an end has to say."""
        if job.attempts:
            return
        if self.warn is not None:
            for text in call.warnings:
                self.warn(index, text)
        if self.note is not None and call.notes is not None:
            for key, value in call.notes.items():
                self.note(index, key, value)
