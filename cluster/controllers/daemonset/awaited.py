"""What a DaemonSet's controller asked for and the cache of pods does not show yet.

Deciding on such a cache would make a second pod for a node, or take one more away. After a failure
that leaves open what was done, the API itself is asked first.
"""

import asyncio
from collections.abc import Iterable

from cluster.api import objects, selectors
from cluster.client import client, informer
from cluster.controllers import (
    context,
    expectations,
    ownership,
    podcontrol,
    selection,
    staleness,
)


class Awaited:
    """By DaemonSet key. `pods` is the cache."""

    def __init__(self, api: client.Client, pods: informer.Informer) -> None:
        self._client = api
        self._pods = pods
        self._deletions = expectations.Expectations()
        self._writes = staleness.OwnWrites()
        self._unsure: dict[str, None] = {}

    async def ready(self, key: str, daemon_set: objects.Object) -> bool:
        """Whether the cache shows all that was asked for, or it was awaited too long."""
        if key in self._unsure:
            await self._catch_up(key, daemon_set)
        now = asyncio.get_running_loop().time()
        if self._writes.stale(key, lambda _: self._pods.revision, now):
            return False
        return self._deletions.satisfied(key, now)

    def seconds_left(self, key: str) -> float:
        """How long until a deletion that was not seen is given up."""
        return self._deletions.seconds_left(key, asyncio.get_running_loop().time())

    def deleting(self, key: str, pods: Iterable[objects.Object]) -> None:
        """These are about to be deleted."""
        now = asyncio.get_running_loop().time()
        self._deletions.expect_deletions(key, map(objects.uid, pods), now)

    def acted(self, key: str, made: podcontrol.Creations, ended: podcontrol.Deletions) -> None:
        """This came of it."""
        now = asyncio.get_running_loop().time()
        for pod in made.made:
            self._note(key, pod, now)
        seen = [pod for pod in ended.gone if not self._shows(pod)]
        for pod in (*ended.failed, *seen):  # it will not be seen, or was before it was deleted
            self._deletions.deletion_seen(key, objects.uid(pod))
        if made.unsure or ended.unsure:
            self._unsure[key] = None

    def _shows(self, pod: objects.Object) -> bool:
        known = self._pods.store.get(objects.key(pod))
        return known is not None and objects.uid(known) == objects.uid(pod)

    def leaving(self, key: str, pod: objects.Object) -> bool:
        """A pod is seen to be going, or gone. True where nothing else is awaited."""
        return self._deletions.deletion_seen(key, objects.uid(pod))

    def forget(self, key: str) -> None:
        """The DaemonSet is gone."""
        self._deletions.forget(key)
        self._writes.forget(key)
        self._unsure.pop(key, None)

    async def _catch_up(self, key: str, daemon_set: objects.Object) -> None:
        listed = await self._client.list(
            context.PODS,
            objects.namespace(daemon_set),
            labels=selectors.as_text(selection.selector_of(daemon_set)),
        )
        now = asyncio.get_running_loop().time()
        uid = objects.uid(daemon_set)
        there: set[str] = set()
        for pod in ownership.controlled(daemon_set, listed.items):
            there.add(objects.uid(pod))
            self._note(key, pod, now)
        gone = [
            found
            for pod in self._pods.store.by_index(context.CONTROLLER, uid)
            if (found := objects.uid(pod)) not in there
            and objects.revision(pod) <= listed.revision
            and not objects.deleting(pod)
        ]
        self._deletions.expect_deletions(key, gone, now)
        self._unsure.pop(key, None)

    def _note(self, key: str, pod: objects.Object, now: float) -> None:
        known = self._pods.store.get(objects.key(pod))
        if known is None or objects.revision(known) < objects.revision(pod):
            self._writes.note(key, objects.key(pod), pod, now)
