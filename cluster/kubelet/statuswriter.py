"""Writes pod statuses, all that have changed in one batch, and deletes pods that have ended.

A status is a merge patch of the whole, so it carries the revision that it was made from: where
somebody else wrote meanwhile, it is made anew from the newer pod.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from cluster.aio import backoff
from cluster.api import errors, objects
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client import draining
from cluster.client.client import Client
from cluster.kubelet.pods import Pod

_BATCH: Final = 1024
_CONFLICT_RETRY: Final = 1.0
_SYNC_PERIOD: Final = 10.0
"""Seconds after which a write that failed for no known reason is tried again, as the kubelet's
status manager does.
"""
_encode = msgspec.json.Encoder().encode


class StatusWriter:
    """`put` says that a pod's status is to be written; `run` writes.

    It holds each pod once, however often its status changes before it is written.
    """

    def __init__(self, client: Client, generator: random.Random) -> None:
        self._client = client
        self._random = generator
        self._dirty: dict[str, Pod] = {}
        self._wake = asyncio.Event()
        self._log = structlog.get_logger().bind(component="kubelet")
        self.on_gone: Callable[[Pod], None] = _ignore
        """Told when the API has no such pod any more."""

    def put(self, pod: Pod) -> None:
        """Write the pod's status, or delete it where it is to be finalized."""
        self._dirty[pod.uid] = pod
        self._wake.set()

    def drop(self, pod: Pod) -> None:
        """Forget what was put: the pod is gone."""
        self._dirty.pop(pod.uid, None)

    @property
    def idle(self) -> bool:
        """Whether everything that was put has been written."""
        return not self._wake.is_set()

    async def run(self) -> None:
        """Write until cancelled."""
        pause = backoff.Backoff(self._random, initial=0.1, maximum=5.0)
        await draining.drain(self._dirty, self._wake, self._write, pause)

    async def _write(self) -> bool:
        """Write a batch of what waits; False where the API should be left alone a while."""
        taken: list[tuple[Pod, objects.Object | None]] = []
        operations: list[Operation] = []
        for uid in list(self._dirty)[:_BATCH]:
            pod = self._dirty.pop(uid)
            operation = _operation(pod)
            if operation is not None:
                status = pod.status if operation.verb is Verb.PATCH else None
                taken.append((pod, status))
                operations.append(operation)
        if not operations:
            return True
        outcomes = await self._client.submit_all(operations)
        welcome = True
        for (pod, status), outcome in zip(taken, outcomes, strict=True):
            welcome &= self._settle(pod, status, outcome)
        return welcome

    def _settle(
        self,
        pod: Pod,
        status: objects.Object | None,
        outcome: objects.Object | errors.StatusError,
    ) -> bool:
        """Note what became of a write; False where the API should be left alone a while."""
        if not isinstance(outcome, errors.StatusError):
            if status is None:
                return True  # the informer tells when it is gone
            pod.written = status
            if pod.told is not None:
                pod.told.set()
            if pod.finalize or pod.status is not status:
                self.put(pod)
            return True
        if isinstance(outcome, errors.NotFound):
            self.on_gone(pod)
            return True
        if isinstance(outcome, errors.Conflict):
            # The newer pod comes by the informer, which puts it again; this is the net under it.
            self._later(_CONFLICT_RETRY, pod)
            return True
        if isinstance(outcome, draining.AWAY):
            self.put(pod)
            return False
        self._log.warning("status not written", pod=pod.key, error=str(outcome))
        self._later(_SYNC_PERIOD, pod)
        return True

    def _later(self, seconds: float, pod: Pod) -> None:
        asyncio.get_running_loop().call_later(seconds, self._retry, pod)

    def _retry(self, pod: Pod) -> None:
        if not pod.memory.removed and (pod.finalize or pod.status is not pod.written):
            self.put(pod)


def _operation(pod: Pod) -> Operation | None:
    """The status, if it is not written yet; then, where all has stopped, the deletion."""
    shown = pod.mirror if pod.static else pod.object
    if pod.memory.removed or shown is None:
        return None
    meta = objects.meta(shown)
    space, name = meta.get("namespace", ""), meta["name"]
    if pod.status is not None and pod.status != pod.written:
        patch = {
            "metadata": {"uid": meta.get("uid"), "resourceVersion": meta.get("resourceVersion")},
            "status": pod.status,
        }
        return Operation(
            Verb.PATCH, "pods", space, name, "status", _encode(patch), MERGE_PATCH,
            cause=pod.cause, want_object=False,
        )  # fmt: skip
    if not pod.finalize:
        return None
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": pod.uid},
    }
    return Operation(
        Verb.DELETE, "pods", space, name, body=_encode(options), cause=pod.cause, want_object=False
    )


def _ignore(_pod: Pod) -> None:
    return
