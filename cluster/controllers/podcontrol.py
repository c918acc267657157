"""Making and ending the pods of a workload, with the events that tell of it.

What ReplicaSets, DaemonSets and Jobs share; what they then wait for is their own business.
Source: slowStartBatch and RealPodControl of kube-controller-manager (pkg/controller).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.operations import Operation
from cluster.client import client, recorder
from cluster.controllers import podwrites, reporting

SLOW_START: Final = 1
"""Size of the first batch of creations; each that succeeds is followed by one twice as large."""
_SERVER_FAULT: Final = 500


@dataclass(slots=True)
class Creations:
    """The pods that were made, and the first failure that is worth another try.

    `unsure`: the server may have made a pod and not have been able to say so.
    """

    made: list[Object] = field(default_factory=list)
    failure: errors.StatusError | None = None
    unsure: bool = False


@dataclass(slots=True)
class Deletions:
    """Pods by what the server said to their deletion, and the first failure.

    `deleted` are on their way; `gone` were gone before, or another has their name by now; `failed`
    are there as they were, or nobody knows (`unsure`).
    """

    deleted: list[Object] = field(default_factory=list)
    gone: list[Object] = field(default_factory=list)
    failed: list[Object] = field(default_factory=list)
    failure: errors.StatusError | None = None
    unsure: bool = False

    @property
    def going(self) -> list[Object]:
        """The pods that are no more, or soon will not be."""
        return [*self.deleted, *self.gone]


class PodControl:
    """Acts for any number of owners; the events are about them."""

    def __init__(self, api: client.Client, events: recorder.Recorder) -> None:
        self._client = api
        self._recorder = events

    async def create(
        self,
        owner: Object,
        operations: Sequence[Operation],
        on_made: Callable[[Sequence[Object]], None] = lambda _: None,
    ) -> Creations:
        """Create pods in batches that double; one in which a creation fails is the last.

        A quota, say, is so hit by one call and not by 500. Nothing is wrong with a namespace that
        is going: there it is no use to try again. `on_made` hears of each batch at once.
        """
        result = Creations()
        size, at, failed = SLOW_START, 0, False
        while at < len(operations) and not failed:
            outcomes = await self._client.submit_all(operations[at : at + size])
            at, size = at + size, size * 2
            made = [found for found in outcomes if not isinstance(found, errors.StatusError)]
            self._tell_made(owner, made)
            on_made(made)
            result.made += made
            for failure in outcomes:
                if isinstance(failure, errors.StatusError):
                    failed = True
                    self._not_made(owner, failure, result)
        return result

    def _tell_made(self, owner: Object, made: Sequence[Object]) -> None:
        for pod in made:
            text = f"Created pod: {objects.name(pod)}"
            self._recorder.event(owner, recorder.NORMAL, "SuccessfulCreate", text)

    def _not_made(self, owner: Object, failure: errors.StatusError, result: Creations) -> None:
        result.unsure = result.unsure or failure.code >= _SERVER_FAULT
        if not reporting.namespace_terminating(failure):
            result.failure = result.failure or failure
            text = f"Error creating: {failure}"
            self._recorder.event(owner, recorder.WARNING, "FailedCreate", text)

    async def delete(self, owner: Object, doomed: Sequence[Object]) -> Deletions:
        """Delete pods: these very ones, not others of their names."""
        outcomes = await self._client.submit_all([podwrites.deletion(pod) for pod in doomed])
        result = Deletions()
        for pod, outcome in zip(doomed, outcomes, strict=True):
            if not isinstance(outcome, errors.StatusError):
                result.deleted.append(pod)
                text = f"Deleted pod: {objects.name(pod)}"
                self._recorder.event(owner, recorder.NORMAL, "SuccessfulDelete", text)
            elif isinstance(outcome, errors.NotFound | errors.Conflict):
                result.gone.append(pod)
            else:
                result.failed.append(pod)
                result.failure = result.failure or outcome
                result.unsure = result.unsure or outcome.code >= _SERVER_FAULT
                text = f"Error deleting: {outcome}"
                self._recorder.event(owner, recorder.WARNING, "FailedDelete", text)
        return result
