"""Making and ending a job's pods, with the events that tell of it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.operations import Operation
from cluster.client import client, indexer, recorder
from cluster.controllers import podwrites, reporting
from cluster.controllers.job import awaited, fields, pods

_SERVER_FAULT: Final = 500
_UNFINISHED: Final = "status.phase!=Succeeded,status.phase!=Failed"
SLOW_START = 1
"""Size of the first batch of creations; each that succeeds is followed by one twice as large."""


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
        self._recorder = events
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
        uid = objects.uid(job)
        made = [
            pod for pod in listing.items if (objects.controller_of(pod) or {}).get("uid") == uid
        ]
        self._await(key, made)
        self._unsure.pop(key, None)

    def forget(self, key: str) -> None:
        """The job is finished or gone."""
        self._unsure.pop(key, None)

    async def create(
        self, key: str, job: Object, operations: Sequence[Operation]
    ) -> tuple[int, errors.StatusError | None]:
        """Create pods in batches that double; how many were made, and what went wrong.

        A quota, say, is so hit by one call and not by 500. Nothing is wrong with a namespace that
        is going: there it is no use to try again.
        """
        made, size, rest = 0, SLOW_START, [*operations]
        while rest:
            batch, rest = rest[:size], rest[size:]
            outcomes = await self._client.submit_all(batch)
            good = [pod for pod in outcomes if not isinstance(pod, errors.StatusError)]
            self._made(key, job, good)
            made += len(good)
            size *= 2
            bad = [pod for pod in outcomes if isinstance(pod, errors.StatusError)]
            if any(failure.code >= _SERVER_FAULT for failure in bad):
                self._unsure[key] = None
            if bad:
                return made, self._not_made(job, bad)
        return made, None

    def _made(self, key: str, job: Object, made: Sequence[Object]) -> None:
        for pod in made:
            text = f"Created pod: {objects.name(pod)}"
            self._recorder.event(job, recorder.NORMAL, "SuccessfulCreate", text)
        self._await(key, made)

    def _await(self, key: str, made: Sequence[Object]) -> None:
        """Wait for those that the cache does not show."""
        unseen = []
        for pod in made:
            known = self._store.get(objects.key(pod))
            if known is None or objects.uid(known) != objects.uid(pod):
                unseen.append(objects.uid(pod))
        self._waiting.created(key, unseen, asyncio.get_running_loop().time())

    def _not_made(
        self, job: Object, failures: Sequence[errors.StatusError]
    ) -> errors.StatusError | None:
        told: errors.StatusError | None = None
        for failure in failures:
            if not reporting.namespace_terminating(failure):
                told = told or failure
                text = f"Error creating: {failure}"
                self._recorder.event(job, recorder.WARNING, "FailedCreate", text)
        return told

    async def end(
        self, key: str, job: Object, doomed: Sequence[Object]
    ) -> tuple[list[Object], errors.StatusError | None]:
        """Delete pods; those that are going now, and what went wrong with another."""
        now = asyncio.get_running_loop().time()
        self._waiting.leaving(key, [objects.uid(pod) for pod in doomed], now)
        outcomes = await self._client.submit_all([podwrites.deletion(pod) for pod in doomed])
        going: list[Object] = []
        wrong: errors.StatusError | None = None
        for pod, outcome in zip(doomed, outcomes, strict=True):
            if not isinstance(outcome, errors.StatusError):
                going.append(pod)
                text = f"Deleted pod: {objects.name(pod)}"
                self._recorder.event(job, recorder.NORMAL, "SuccessfulDelete", text)
            elif isinstance(outcome, errors.NotFound | errors.Conflict):
                going.append(pod)  # gone, or another pod of that name by now
            else:
                self._waiting.not_left(key, objects.uid(pod))
                wrong = wrong or outcome
                text = f"Error deleting: {outcome}"
                self._recorder.event(job, recorder.WARNING, "FailedDelete", text)
        return going, wrong

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
