"""What was asked for and is not in the cache yet, by the uids of the pods.

A job's next step waits until it sees the pods that it made and no longer sees those that it ended;
pods whose finalizer is being removed are counted already, whatever the cache says of them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from cluster.controllers.expectations import TIMEOUT


@dataclass(slots=True)
class _Awaited:
    until: float = 0.0
    created: dict[str, None] = field(default_factory=dict)
    leaving: dict[str, None] = field(default_factory=dict)
    removing: dict[str, None] = field(default_factory=dict)


class Awaited:
    """By job key. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        self._by_key: dict[str, _Awaited] = {}

    def created(self, key: str, uids: Iterable[str], now: float) -> None:
        """Pods that were made, or adopted."""
        self._add(key, now).created.update(dict.fromkeys(uids))

    def leaving(self, key: str, uids: Iterable[str], now: float) -> None:
        """Pods whose deletion is asked for."""
        self._add(key, now).leaving.update(dict.fromkeys(uids))

    def removing(self, key: str, uids: Iterable[str], now: float) -> None:
        """Pods whose finalizer is being removed."""
        self._add(key, now).removing.update(dict.fromkeys(uids))

    def seen(self, key: str, uid: str, *, deleting: bool = False, untracked: bool = False) -> None:
        """The cache shows the pod, perhaps as being deleted, perhaps without its finalizer."""
        found = self._by_key.get(key)
        if found is None:
            return
        found.created.pop(uid, None)
        if deleting:
            found.leaving.pop(uid, None)
        if untracked:
            found.removing.pop(uid, None)

    def gone(self, key: str, uid: str) -> None:
        """The pod is the job's no more."""
        self.seen(key, uid, deleting=True, untracked=True)

    def not_left(self, key: str, uid: str) -> None:
        """The deletion failed."""
        found = self._by_key.get(key)
        if found is not None:
            found.leaving.pop(uid, None)

    def not_removed(self, key: str, uid: str) -> None:
        """The removal of the finalizer failed."""
        found = self._by_key.get(key)
        if found is not None:
            found.removing.pop(uid, None)

    def satisfied(self, key: str, now: float) -> bool:
        """Whether the cache shows all that was made and ended, or that was awaited too long."""
        found = self._by_key.get(key)
        if found is None or not (found.created or found.leaving):
            return True
        if now < found.until:
            return False
        found.created.clear()
        found.leaving.clear()
        return True

    def seconds_left(self, key: str, now: float) -> float:
        """How long until what is awaited is given up."""
        found = self._by_key.get(key)
        return 0.0 if found is None else max(0.0, found.until - now)

    def being_left(self, key: str) -> Collection[str]:
        """Uids of pods whose deletion is asked for."""
        found = self._by_key.get(key)
        return () if found is None else found.leaving

    def being_removed(self, key: str) -> Collection[str]:
        """Uids of pods whose finalizer is being removed."""
        found = self._by_key.get(key)
        return () if found is None else found.removing

    def forget(self, key: str) -> None:
        """The job is finished or gone."""
        self._by_key.pop(key, None)

    def _add(self, key: str, now: float) -> _Awaited:
        found = self._by_key.setdefault(key, _Awaited())
        found.until = now + TIMEOUT
        return found
