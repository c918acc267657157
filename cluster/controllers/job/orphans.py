"""Pods with the tracking finalizer that no job will count: it is removed, so that they can go."""

import asyncio
import random

import structlog

from cluster.aio import backoff
from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.client import client, draining, informer
from cluster.controllers import context
from cluster.controllers.job import fields, pods

_BATCH = 500


class Orphans:
    """Releases pods whose job is gone, finished, or no longer theirs. `run` does the work."""

    def __init__(
        self,
        api: client.Client,
        jobs: informer.Informer,
        source: informer.Informer,
        generator: random.Random,
    ) -> None:
        self._client = api
        self._jobs = jobs
        self._pods = source
        self._random = generator
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._log = structlog.get_logger().bind(controller="job")

    def add(self, pod: Object) -> None:
        """Have a look at this pod, soon. There are no more than there are pods."""
        self._waiting[objects.key(pod)] = None
        self._wake.set()

    async def run(self) -> None:
        """Release pods until cancelled."""
        pause = backoff.Backoff(self._random, initial=1.0, maximum=60.0)
        await draining.drain(self._waiting, self._wake, self._write, pause)

    async def _write(self) -> bool:
        """Release a batch; False where something went wrong and is to be tried again later."""
        taken = [*self._waiting][:_BATCH]
        for key in taken:
            del self._waiting[key]
        try:
            chosen = await self._chosen(taken)
        except errors.StatusError as failure:
            self._log.warning("pods of jobs not released", error=str(failure))
            self._waiting.update(dict.fromkeys(taken))
            return False
        outcomes = await self._client.submit_all([pods.untracking(pod) for pod in chosen])
        welcome = True
        for pod, outcome in zip(chosen, outcomes, strict=True):
            if isinstance(outcome, errors.StatusError) and not isinstance(
                outcome, errors.NotFound | errors.Conflict
            ):
                self._log.warning("pod not released", pod=objects.key(pod), error=str(outcome))
                self.add(pod)
                welcome = False
        return welcome

    async def _chosen(self, keys: list[str]) -> list[Object]:
        """Those of the pods that nobody is going to count."""
        gone: dict[str, bool] = {}
        found = []
        for key in keys:
            pod = self._pods.store.get(key)
            if pod is None or not fields.tracked(pod):
                continue
            owner = objects.controller_of(pod)
            if owner is None:
                found.append(pod)
                continue
            if (owner.get("apiVersion"), owner.get("kind")) != ("batch/v1", "Job"):
                continue
            uid = owner["uid"]
            if uid not in gone:
                gone[uid] = await self._uncaring(objects.namespace(pod), owner)
            if gone[uid]:
                found.append(pod)
        return found

    async def _uncaring(self, namespace: str, owner: Object) -> bool:
        """Whether the owner will not count its pods: it is finished, or is no more."""
        job = self._jobs.store.get(f"{namespace}/{owner['name']}")
        if job is None or objects.uid(job) != owner["uid"]:
            # A cache may be behind, and what is released cannot be counted any more.
            try:
                job = await self._client.get(context.JOBS, owner["name"], namespace)
            except errors.NotFound:
                return True
            if objects.uid(job) != owner["uid"]:
                return True
        return not fields.foreign(job) and fields.finished(job)
