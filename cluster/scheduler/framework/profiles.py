"""The profiles of one scheduler: each pod is judged by that of its spec.schedulerName."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.scheduler import pods
from cluster.scheduler.framework.events import Event, Hint
from cluster.scheduler.framework.profile import Profile
from cluster.scheduler.framework.status import Status
from cluster.scheduler.pods import PodInfo


class Profiles:
    """Profiles by name, behind the face of one. They share one queue, so one plugin sorts it: that
    of the first (the configuration is held to name the same one in all).
    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._named = {profile.scheduler_name: profile for profile in profiles}
        self._first = profiles[0]

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._named.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the profiles."""
        return tuple(self._named)

    def of(self, pod: PodInfo) -> Profile:
        """The profile of a pod. LookupError where it is another scheduler's."""
        return self._named[pods.scheduler_name(pod.object)]

    def admit(self, pod: PodInfo) -> Status:
        """Whether the pod may enter the queue."""
        return self.of(pod).admit(pod)

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """The pod's place in the queue."""
        return self._first.sort_key(pod, since)

    def hints_of(self, pod: PodInfo) -> Mapping[str, Mapping[Event, Hint]]:
        """The hints of the plugins that judge this pod, by plugin."""
        return self.of(pod).hints
