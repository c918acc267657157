"""When each pod of a lab was first there, on a node, and Ready."""

from typing import Final

from cluster.api import conditions, objects
from cluster.api.objects import Object
from cluster.lab.world import Cluster

STARTING: Final = 300.0
"""Seconds without anything new after which pods that still start are given up: longer than any
usual boot, back-off or probe takes."""
SETTLED: Final = 30.0
"""The same where each pod is Ready or has no node: controllers may be about to make another."""
LONG: Final = 3600.0


class Tracker:
    """Looks at the pods of a cluster whenever `observe` is called. Times are the lab's."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.made: dict[str, float] = {}
        self.placed: dict[str, float] = {}
        self.ready: dict[str, float] = {}
        """When, by uid."""
        self.changed = cluster.now()
        """When something was seen for the first time."""

    def observe(self) -> list[Object]:
        """Take note of what is new; the pods that nobody deletes."""
        now, known = self._cluster.now(), self._known
        pods = list(self._cluster.pods())
        for pod in pods:
            uid = objects.uid(pod)
            self.made.setdefault(uid, now)
            if objects.spec(pod).get("nodeName"):
                self.placed.setdefault(uid, now)
            if done(pod):
                self.ready.setdefault(uid, now)
        if self._known != known:
            self.changed = now
        return pods

    @property
    def _known(self) -> int:
        return len(self.made) + len(self.placed) + len(self.ready)

    async def until_quiet(self) -> list[Object]:
        """Wait until nothing new is to be expected; the pods."""
        begin = self._cluster.now()
        self.changed = begin

        def rests() -> bool:
            starting = any(map(_starts, self.observe()))
            now = self._cluster.now()
            return now - self.changed >= (STARTING if starting else SETTLED) or now - begin >= LONG

        await self._cluster.until(rests, within=LONG + STARTING, what="the workload at rest")
        return self.observe()


def _starts(pod: Object) -> bool:
    """Whether a pod has its node, and has yet to become Ready there."""
    return bool(objects.spec(pod).get("nodeName")) and not done(pod)


def done(pod: Object) -> bool:
    """Whether a pod is Ready, or has done its work."""
    return conditions.is_true(pod, "Ready") or objects.status(pod).get("phase") == "Succeeded"
