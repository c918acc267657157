"""In which order pods are evicted. Pure. Source: rankMemoryPressure and its kin (helpers.go)."""

from collections.abc import Iterable

from cluster.kubelet.eviction import signals
from cluster.kubelet.eviction.picture import Candidate, priority


def ranked(candidates: Iterable[Candidate], resource: str) -> list[Candidate]:
    """The pods, the first to go first.

    Those of which nothing is known; those that use more than they request; those of the lowest
    priority; and of equals the one that is furthest beyond its request.
    """

    def place(one: Candidate) -> tuple[bool, bool, int, int]:
        if one.use is None:
            return (False, False, priority(one.pod), 0)
        used = one.use.of(resource)
        if resource == signals.PIDS:
            return (True, False, priority(one.pod), -used)
        asked = one.requested(resource)
        # As in Kubernetes, inodes are compared with what is requested of storage in the end.
        beside = one.requested(signals.STORAGE) if resource == signals.INODES else asked
        return (True, used <= asked, priority(one.pod), beside - used)

    return sorted(candidates, key=place)
