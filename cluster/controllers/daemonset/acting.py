"""Carrying a step out: pods made in batches that double, pods deleted, and the events of both."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.api import errors, objects
from cluster.api.operations import Operation
from cluster.client import client, recorder
from cluster.controllers import podwrites, reporting

BURST: Final = 250
"""Pods that one step makes, and deletes, at most."""
SLOW_START: Final = 1
"""Size of the first batch of creations; each that succeeds is followed by one twice as large."""
_SERVER_FAULT: Final = 500


@dataclass(slots=True)
class Outcome:
    """The pods that were made; the uids of those that are going; the first failure. `unsure`: the
    server may have done what it said it could not.
    """

    made: list[objects.Object] = field(default_factory=list)
    going: set[str] = field(default_factory=set)
    failure: errors.StatusError | None = None
    unsure: bool = False

    def failed(self, failure: errors.StatusError) -> None:
        """Note a failure."""
        self.failure = self.failure or failure


class Actor:
    """Acts for one DaemonSet, once."""

    def __init__(
        self, api: client.Client, events: recorder.Recorder, daemon_set: objects.Object
    ) -> None:
        self._client = api
        self._recorder = events
        self._set = daemon_set
        self.outcome = Outcome()

    async def create(self, operations: Sequence[Operation]) -> None:
        """Create pods; a batch in which one fails is the last."""
        size, rest = SLOW_START, [*operations]
        failures: list[errors.StatusError] = []
        while rest and not failures:
            batch, rest = rest[:size], rest[size:]
            size *= 2
            for made in await self._client.submit_all(batch):
                if isinstance(made, errors.StatusError):
                    failures.append(made)
                    continue
                self.outcome.made.append(made)
                self._say(recorder.NORMAL, "SuccessfulCreate", f"Created pod: {objects.name(made)}")
        for failure in failures:
            self._judge(failure)
            if not reporting.namespace_terminating(failure):
                self.outcome.failed(failure)
                self._say(recorder.WARNING, "FailedCreate", f"Error creating: {failure}")

    async def delete(self, doomed: Sequence[objects.Object]) -> None:
        """Delete pods."""
        outcomes = await self._client.submit_all([podwrites.deletion(pod) for pod in doomed])
        for pod, outcome in zip(doomed, outcomes, strict=True):
            if not isinstance(outcome, errors.StatusError):
                self.outcome.going.add(objects.uid(pod))
                self._say(recorder.NORMAL, "SuccessfulDelete", f"Deleted pod: {objects.name(pod)}")
            elif isinstance(outcome, errors.NotFound | errors.Conflict):
                # Gone, or another pod of that name by now: either way this one is deleted.
                self.outcome.going.add(objects.uid(pod))
            else:
                self._judge(outcome)
                self.outcome.failed(outcome)
                self._say(recorder.WARNING, "FailedDelete", f"Error deleting: {outcome}")

    def _judge(self, failure: errors.StatusError) -> None:
        self.outcome.unsure = self.outcome.unsure or failure.code >= _SERVER_FAULT

    def _say(self, kind: str, reason: str, text: str) -> None:
        self._recorder.event(self._set, kind, reason, text)
