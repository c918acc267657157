"""Placements of all DaemonSets, each worked out once for every change of its spec."""

from cluster.api import objects
from cluster.controllers.daemonset import placement


class Placements:
    """By uid, as of a generation."""

    def __init__(self) -> None:
        self._by_uid: dict[str, tuple[int, placement.Placement]] = {}

    def of(self, daemon_set: objects.Object) -> placement.Placement:
        """Where its pods belong."""
        generation = objects.meta(daemon_set).get("generation") or 0
        known = self._by_uid.get(objects.uid(daemon_set))
        if known is not None and known[0] == generation:
            return known[1]
        found = placement.of(daemon_set)
        self._by_uid[objects.uid(daemon_set)] = (generation, found)
        return found

    def forget(self, uid: str) -> None:
        """The DaemonSet is gone."""
        self._by_uid.pop(uid, None)
