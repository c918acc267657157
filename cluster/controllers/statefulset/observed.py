"""The pods of a StatefulSet as they are seen: by ordinal, each with what decisions ask about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cluster.api import objects
from cluster.controllers import podstate
from cluster.controllers.statefulset import identity
from cluster.controllers.statefulset.settings import Settings


@dataclass(slots=True)
class Replica:
    """A pod of an ordinal. `due` is the wall time from which it is available, where that is later.

    `ready` is what Kubernetes calls running and ready; `available` has been ready long enough.
    """

    ordinal: int
    pod: objects.Object
    revision: str
    phase: str
    terminating: bool
    ready: bool
    available: bool
    due: float | None

    @property
    def unavailable(self) -> bool:
        """Whether it serves nobody, or soon will not."""
        return self.terminating or not self.available

    @property
    def finished(self) -> bool:
        """Whether its phase is Succeeded or Failed: it is made anew either way."""
        return self.phase in ("Failed", "Succeeded")


@dataclass(slots=True)
class Observed:
    """Pods by ordinal: those that there should be, and the others, highest ordinal first."""

    wanted: dict[int, Replica] = field(default_factory=dict)
    condemned: list[Replica] = field(default_factory=list)

    def everyone(self) -> Iterable[Replica]:
        """All of them."""
        yield from self.wanted.values()
        yield from self.condemned


def pods_of(set_name: str, pods: Iterable[objects.Object]) -> Mapping[int, objects.Object]:
    """The pods by the ordinals that their names give them; others are left out."""
    found: dict[int, objects.Object] = {}
    for pod in pods:
        ordinal = identity.ordinal_of(set_name, pod)
        if ordinal is not None:
            found[ordinal] = pod
    return found


def of(pods: Mapping[int, objects.Object], settings: Settings, now: float) -> Observed:
    """Sort pods at `now` (wall, seconds)."""
    result = Observed()
    for ordinal, pod in pods.items():
        replica = _replica(ordinal, pod, settings.min_ready, now)
        if settings.wants(ordinal):
            result.wanted[ordinal] = replica
        else:
            result.condemned.append(replica)
    result.condemned.sort(key=lambda replica: -replica.ordinal)
    return result


def _replica(ordinal: int, pod: objects.Object, min_ready: int, now: float) -> Replica:
    since = podstate.available_at(pod, min_ready)
    phase = objects.status(pod).get("phase") or "Pending"
    available = since is not None and since <= now
    return Replica(
        ordinal=ordinal,
        pod=pod,
        revision=identity.revision_of(pod),
        phase=phase,
        terminating=objects.deleting(pod),
        ready=podstate.is_ready(pod) and phase == "Running",
        available=available,
        due=None if available else since,
    )
