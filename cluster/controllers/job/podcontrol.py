"""Making, releasing and ending a job's pods, and noting what is to be waited for then."""

import asyncio
from collections.abc import Sequence
from typing import Final

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.operations import Operation
from cluster.client import client, indexer, recorder
from cluster.controllers import ownership, podcontrol
from cluster.controllers.job import awaited, fields, pods

_UNFINISHED: Final = "status.phase!=Succeeded,status.phase!=Failed"


class PodControl:
    """What it asks for is noted in `waiting` until the cache (`store`) shows it."""

    def __init__(
        self,
        api: client.Client,
        events: recorder.Recorder,
        waiting: awaited.Awaited,
        store: indexer.Indexer,
    ) -> None:
        self._client = api
        self._control = podcontrol.PodControl(api, events)
        self._waiting = waiting
        self._store = store
        self._unsure: dict[str, None] = {}

    async def catch_up(self, key: str, job: Object) -> None:
        """Await the pods that were made although the answer was that something went wrong.

        What a server that fell over had done is not in its answer, and may not be in the cache:
        the same pods would be made again.
        """
        if key not in self._unsure:
            return
        listing = await self._client.list("pods", objects.namespace(job), fields=_UNFINISHED)
        self._await(key, list(ownership.controlled(job, listing.items)))
        self._unsure.pop(key, None)

    def forget(self, key: str) -> None:
        """The job is finished or gone."""
        self._unsure.pop(key, None)

    async def create(
        self, key: str, job: Object, operations: Sequence[Operation]
    ) -> tuple[int, errors.StatusError | None]:
        """Create pods; how many were made, and what went wrong."""
        outcome = await self._control.create(job, operations, lambda made: self._await(key, made))
        if outcome.unsure:
            self._unsure[key] = None
        return len(outcome.made), outcome.failure

    def _await(self, key: str, made: Sequence[Object]) -> None:
        """Wait for those that the cache does not show."""
        unseen = [objects.uid(pod) for pod in made if not self._shows(pod)]
        self._waiting.created(key, unseen, asyncio.get_running_loop().time())

    def _shows(self, pod: Object) -> bool:
        known = self._store.get(objects.key(pod))
        return known is not None and objects.uid(known) == objects.uid(pod)

    async def end(
        self, key: str, job: Object, doomed: Sequence[Object]
    ) -> tuple[list[Object], errors.StatusError | None]:
        """Delete pods; those that are going now, and what went wrong with another."""
        now = asyncio.get_running_loop().time()
        self._waiting.leaving(key, [objects.uid(pod) for pod in doomed], now)
        outcome = await self._control.delete(job, doomed)
        for pod in outcome.failed:
            self._waiting.not_left(key, objects.uid(pod))
        for pod in outcome.gone:
            if not self._shows(pod):  # the end of it was seen before it was waited for
                self._waiting.not_left(key, objects.uid(pod))
        return outcome.going, outcome.failure

    async def discard(
        self, key: str, job: Object, doomed: Sequence[Object]
    ) -> tuple[list[Object], errors.StatusError | None]:
        """Delete pods that are not to be counted: their finalizers go first."""
        freed, wrong = await self.release(key, [pod for pod in doomed if fields.tracked(pod)])
        ready = [pod for pod in doomed if not fields.tracked(pod) or objects.uid(pod) in freed]
        going, also = await self.end(key, job, ready)
        return going, wrong or also

    async def release(
        self, key: str, chosen: Sequence[Object]
    ) -> tuple[set[str], errors.StatusError | None]:
        """Remove the tracking finalizer; the uids of pods that have it no more, and what failed."""
        uids = [objects.uid(pod) for pod in chosen]
        self._waiting.removing(key, uids, asyncio.get_running_loop().time())
        outcomes = await self._client.submit_all([pods.untracking(pod) for pod in chosen])
        freed: set[str] = set()
        wrong: errors.StatusError | None = None
        for uid, outcome in zip(uids, outcomes, strict=True):
            if isinstance(outcome, errors.StatusError) and not isinstance(outcome, errors.NotFound):
                self._waiting.not_removed(key, uid)
                wrong = wrong or outcome
            else:
                freed.add(uid)
        return freed, wrong
