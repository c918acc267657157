"""What became of writes whose answer never came: the API is asked before anything more is done.

A server may have done what it could not say it did. Whoever then decides by a cache that shows
nothing of it makes a pod too many, or deletes others than before.
"""

from collections.abc import Iterable

from cluster.api import objects
from cluster.client import informer
from cluster.client.client import Client
from cluster.controllers import context, ownership, podstate

AGAIN = 0.5
"""Seconds after which the cache is compared again."""


class Doubts:
    """The owners whose pods may be others than the cache shows."""

    def __init__(self, api: Client, pods: informer.Informer) -> None:
        self._client = api
        self._pods = pods
        self._open: dict[str, dict[str, None]] = {}

    def note(self, key: str, leaving: Iterable[str] = ()) -> None:
        """A write for this owner may or may not have been done: to delete these uids, say."""
        self._open[key] = dict.fromkeys(leaving)

    def leaving(self, key: str) -> Iterable[str]:
        """The uids of pods that may be on their way out."""
        return self._open.get(key, ())

    def forget(self, key: str) -> None:
        """The owner is gone."""
        self._open.pop(key, None)

    async def settled(self, key: str, owner: objects.Object) -> bool:
        """Whether the cache shows the owner's active pods as the API has them. errors.StatusError.

        A request that is still on its way is not known of: nobody can tell.
        """
        if key not in self._open:
            return True
        selector = (objects.spec(owner).get("selector") or {}).get("matchLabels") or {}
        labels = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
        listing = await self._client.list(context.PODS, objects.namespace(owner), labels=labels)
        there = _active(ownership.controlled(owner, listing.items))
        known = self._pods.store.by_index(context.CONTROLLER, objects.uid(owner))
        if there != _active(known):
            return False
        self._open.pop(key, None)
        return True


def _active(pods: Iterable[objects.Object]) -> set[str]:
    return {objects.uid(pod) for pod in pods if podstate.is_active(pod)}
