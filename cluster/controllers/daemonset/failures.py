"""How long a failed pod is left lying on its node before it is deleted and made again.

A pod that a kubelet refuses fails at once, and would be made and refused without end. Source: the
back-off of kube-controller-manager's DaemonSet controller (client-go's flowcontrol.Backoff).
"""

from dataclasses import dataclass, field
from typing import Final

INITIAL: Final = 1.0
MAXIMUM: Final = 15 * 60.0
_FORGOTTEN_AFTER: Final = 2 * MAXIMUM


@dataclass(slots=True)
class _Entry:
    delay: float
    since: float


@dataclass(slots=True)
class FailedPods:
    """Back-offs by DaemonSet (uid) and node. Times are the event loop's, in seconds.

    Bounded by the number of nodes: a change of the DaemonSet (its generation) starts anew.
    """

    _by_uid: dict[str, tuple[int, dict[str, _Entry]]] = field(default_factory=dict)

    def wait(self, uid: str, generation: int, node: str, now: float) -> float:
        """Seconds until a failed pod on `node` may be deleted; 0 where it may be now."""
        entry = self._entries(uid, generation).get(node)
        if entry is None or now - entry.since > _FORGOTTEN_AFTER:
            return 0.0
        return max(0.0, entry.since + entry.delay - now)

    def deleted(self, uid: str, generation: int, node: str, now: float) -> None:
        """A failed pod on `node` is deleted now: the next one waits twice as long."""
        entries = self._entries(uid, generation)
        entry = entries.get(node)
        if entry is None or now - entry.since > _FORGOTTEN_AFTER:
            entries[node] = _Entry(INITIAL, now)
        else:
            entry.delay, entry.since = min(2 * entry.delay, MAXIMUM), now

    def forget(self, uid: str) -> None:
        """The DaemonSet is gone."""
        self._by_uid.pop(uid, None)

    def forget_node(self, node: str) -> None:
        """The node is gone."""
        for _, entries in self._by_uid.values():
            entries.pop(node, None)

    def _entries(self, uid: str, generation: int) -> dict[str, _Entry]:
        found = self._by_uid.get(uid)
        if found is None or found[0] != generation:
            found = self._by_uid[uid] = (generation, {})
        return found[1]
