"""What a change of a pod means for jobs: which to look at, and what was awaited and is there."""

from collections.abc import Callable

from cluster.api import objects
from cluster.api.objects import Object
from cluster.client import informer
from cluster.controllers import ownership, selection
from cluster.controllers.job import awaited, fields, orphans


class PodEvents:
    """`look` has a job looked at; `unclaim` has it adopt and release pods when it is."""

    def __init__(
        self,
        jobs: informer.Informer,
        waiting: awaited.Awaited,
        left: orphans.Orphans,
        look: Callable[[str, int], None],
        unclaim: Callable[[str], None],
    ) -> None:
        self._jobs = jobs
        self._waiting = waiting
        self._orphans = left
        self._look = look
        self._unclaim = unclaim

    def changed(self, change: informer.Change) -> None:
        """Take a change of a pod."""
        old, new = change.old, change.new
        if new is None:
            self._gone(change.object, change.revision)
            return
        if old is not None:
            before = _owner_uid(old)
            if before is not None and before != _owner_uid(new):
                self._gone(old, change.revision)
        relabelled = old is None or _identity(old) != _identity(new)
        if objects.controller_of(new) is None:
            self._orphan(new, change.revision, relabelled)
        else:
            self._owned(new, change.revision, relabelled and old is not None)

    def _gone(self, pod: Object, revision: int) -> None:
        key = ownership.owner_key(pod, "Job", self._jobs.store)
        if key is not None:
            self._waiting.gone(key, objects.uid(pod))
            self._look(key, revision)

    def _orphan(self, pod: Object, revision: int, relabelled: bool) -> None:
        if fields.tracked(pod):
            self._orphans.add(pod)
        if not relabelled or objects.deleting(pod):
            return
        space, labels = objects.namespace(pod), objects.labels(pod)
        for job in selection.selecting(self._jobs.store, space, labels):
            self._unclaim(objects.key(job))
            self._look(objects.key(job), revision)

    def _owned(self, pod: Object, revision: int, relabelled: bool) -> None:
        owner = objects.controller_of(pod)
        if owner is None or owner.get("kind") != "Job":
            return
        key = ownership.owner_key(pod, "Job", self._jobs.store)
        job = self._jobs.store.get(key) if key is not None else None
        deleting = objects.deleting(pod)
        if key is None or job is None or fields.finished(job):
            if fields.tracked(pod) and (deleting or job is not None):
                self._orphans.add(pod)
            return
        untracked = not fields.tracked(pod)
        self._waiting.seen(key, objects.uid(pod), deleting=deleting, untracked=untracked)
        if relabelled:
            self._unclaim(key)
        self._look(key, revision)


def _owner_uid(pod: Object) -> str | None:
    owner = objects.controller_of(pod)
    return owner["uid"] if owner is not None else None


def _identity(pod: Object) -> tuple[dict[str, str], str | None]:
    return objects.labels(pod), _owner_uid(pod)
