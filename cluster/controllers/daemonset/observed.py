"""The nodes there are and the pods of one DaemonSet on each, at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cluster.api import objects
from cluster.controllers import podstate
from cluster.controllers.daemonset import placement, podmaking
from cluster.controllers.daemonset.placement import Verdict


@dataclass(slots=True)
class Daemon:
    """A pod of the DaemonSet. `updated`: made of its present template; `due`: when (wall time, in
    seconds) one that is ready becomes available by age, if it does not change.
    """

    pod: objects.Object
    updated: bool
    terminating: bool
    ready: bool
    available: bool
    due: float | None

    @property
    def phase(self) -> str:
        """status.phase."""
        return objects.status(self.pod).get("phase") or "Pending"

    @property
    def bound(self) -> bool:
        """Whether it is on a node, and not only meant for it."""
        return bool(objects.spec(self.pod).get("nodeName"))

    @property
    def age_order(self) -> tuple[bool, str, str]:
        """Sorts pods: those that are bound first, then the oldest."""
        made = objects.meta(self.pod).get("creationTimestamp") or ""
        return not self.bound, made, objects.name(self.pod)


@dataclass(slots=True)
class Observed:
    """`verdicts` by the name of each node; `pods` by the name of the node that they are for, be it
    there or not, the oldest first.
    """

    verdicts: Mapping[str, Verdict]
    pods: dict[str, list[Daemon]] = field(default_factory=dict)

    def verdict(self, node: str) -> Verdict:
        """What becomes of pods on a node; of one that is gone, too."""
        return self.verdicts.get(node, placement.LEAVE)

    def wanted(self) -> Iterable[str]:
        """The nodes that should have a pod."""
        return (name for name, verdict in self.verdicts.items() if verdict.run)


def of(
    verdicts: Mapping[str, Verdict],
    pods: Sequence[objects.Object],
    hashed: str,
    min_ready: int,
    now: float,
) -> Observed:
    """Sort the DaemonSet's `pods` by node at `now` (wall, seconds).

    Those that are finished and being deleted are left out (somebody's finalizer holds them), and
    those that are for no node.
    """
    found = Observed(verdicts)
    for pod in pods:
        if objects.deleting(pod) and podstate.is_finished(pod):
            continue
        node = podmaking.target(pod)
        if node:
            found.pods.setdefault(node, []).append(_daemon(pod, hashed, min_ready, now))
    for several in found.pods.values():
        if len(several) > 1:
            several.sort(key=lambda daemon: daemon.age_order)
    return found


def _daemon(pod: objects.Object, hashed: str, min_ready: int, now: float) -> Daemon:
    since = podstate.available_at(pod, min_ready)
    available = since is not None and since <= now
    return Daemon(
        pod=pod,
        updated=podmaking.hash_of(pod) == hashed,
        terminating=objects.deleting(pod),
        ready=podstate.is_ready(pod),
        available=available,
        due=None if available else since,
    )
