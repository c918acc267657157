"""Which pods a rolling update replaces now: they are deleted, and made anew by the next step.

From the highest ordinal down to the partition. At most maxUnavailable pods of the whole set may be
unavailable; in parallel, those that are unavailable already and of an old revision are replaced
first, and do not wait for others (KEP-961 as of Kubernetes 1.36).
"""

from collections.abc import Iterator

from cluster.api import objects
from cluster.controllers.statefulset.observed import Observed, Replica
from cluster.controllers.statefulset.settings import Settings
from cluster.controllers.statefulset.tasks import Task, Verb


def tasks(settings: Settings, observed: Observed, revision: str, *, one_by_one: bool) -> list[Task]:
    """The deletions that bring the set nearer to `revision`, highest ordinal first."""
    if one_by_one:
        return [_deletion(found) for found in _the_next(settings, observed, revision)]
    serving = sum(not found.unavailable for found in observed.wanted.values())
    budget = settings.max_unavailable - (settings.replicas - serving)
    lowest = settings.start + settings.partition
    targets = [
        found
        for ordinal, found in sorted(observed.wanted.items(), reverse=True)
        if ordinal >= lowest and _is_old(found, revision)
    ]
    if settings.ordered:
        return [_deletion(found) for found in targets[: max(0, budget)]]
    broken = [found for found in targets if not found.available]
    sound = [found for found in targets if found.available]
    # What has ended is deleted as such, in the same step.
    broken = [found for found in broken if not found.finished]
    return [_deletion(found) for found in [*broken, *sound[: max(0, budget)]]]


def _the_next(settings: Settings, observed: Observed, revision: str) -> Iterator[Replica]:
    """The highest that is old, if all above it are updated and available."""
    for ordinal in _ordinals(settings):
        found = observed.wanted.get(ordinal)
        if found is None:
            return
        if _is_old(found, revision):
            if not found.finished:
                yield found
            return
        if found.unavailable:
            return


def _ordinals(settings: Settings) -> range:
    """From the highest down to the partition."""
    last = settings.start + settings.replicas - 1
    return range(last, settings.start + settings.partition - 1, -1)


def _is_old(found: Replica, revision: str) -> bool:
    return found.revision != revision and not found.terminating


def _deletion(found: Replica) -> Task:
    return Task(Verb.DELETE, objects.name(found.pod), found.ordinal, pod=found.pod)
