"""What the pods of a node have set aside for them, and which wait for room to grow."""

from collections.abc import Callable

from cluster.api import objects, quantity
from cluster.kubelet import events
from cluster.kubelet.config import Config
from cluster.kubelet.eviction import admission as pressures
from cluster.kubelet.figures import Figures
from cluster.kubelet.lifecycle import admission, resizing
from cluster.kubelet.lifecycle.model import State
from cluster.kubelet.pods import Pod


class Allotments:
    """Admits pods and their growth. `wake` has a pod worked on that waited for room."""

    def __init__(
        self,
        config: Config,
        speaker: events.Speaker,
        figures: Figures,
        wake: Callable[[str], None],
    ) -> None:
        allocatable = config.allocatable
        self._capacity = admission.Amounts(
            quantity.milli(allocatable["cpu"]),
            quantity.value(allocatable["memory"]),
            quantity.value(allocatable["ephemeral-storage"]),
            config.pod_limit,
        )
        self._resizes = config.version.resizes
        self._speaker = speaker
        self._figures = figures
        self._wake = wake
        self._used = admission.Amounts()
        self._admitted: dict[str, admission.Amounts] = {}
        self._deferred: dict[str, Pod] = {}
        """Pods that wait for room to grow."""
        self.pressures: tuple[str, ...] = ()
        """What the node is short of: conditions of the Node."""

    def admit(self, pod: Pod, *, known: bool) -> None:
        """Set aside what a pod asks for, or reject it; one that was admitted before (`known`) is
        not judged again.
        """
        asked = admission.requests(pod.object)
        if not known and not objects.deleting(pod.object):
            verdict = pressures.judge(pod.object, self.pressures, static=pod.static)
            verdict = verdict or admission.judge(asked, self._used, self._capacity)
            if verdict is not None:
                pod.memory.rejection = verdict
                self._figures.count("kubelet_admission_rejections_total", verdict.reason)
                self._speaker.rejected(pod.object, verdict.reason, verdict.message)
                return
        self._admitted[pod.uid] = asked
        self._used = self._used + asked

    def recall(self, pod: Pod) -> None:
        """Take up a resize that another kubelet began."""
        if self._resizes:
            pod.memory.resizing = resizing.recall(pod.object)
            self._allot(pod)

    def release(self, uid: str) -> None:
        """A pod needs nothing any more: others may grow."""
        asked = self._admitted.pop(uid, None)
        self._deferred.pop(uid, None)
        if asked is not None:
            self._used = self._used - asked
            for pod in list(self._deferred.values()):
                self._allot(pod)
                self._wake(pod.uid)

    def resize(self, pod: Pod, old: objects.Object) -> None:
        """A pod changed: its containers may ask for other resources."""
        if not self._resizes or pod.uid not in self._admitted:
            return
        if resizing.resources(old) != resizing.resources(pod.object):
            if pod.memory.resizing is None:
                running = {one.id: one.name for one in pod.seen.containers}
                pod.memory.resizing = resizing.begin(old, running)
            self._allot(pod)

    def settled(self, pod: Pod) -> None:
        """All was done for a pod that can be done now: a resize may be complete."""
        found = pod.memory.resizing
        if found is None or not found.untold or found.pending is not None:
            return
        running = {one.id: one.name for one in pod.seen.containers if one.state is State.RUNNING}
        if running and found.finished(running):
            found.untold = False
            self._speaker.resized(pod.object, "completed")

    def _allot(self, pod: Pod) -> None:
        """Set aside what a pod asks for, where the node has it."""
        found, held = pod.memory.resizing, self._admitted.get(pod.uid)
        if found is None or held is None:
            return
        asked, others = admission.requests(pod.object), self._used - held
        before, found.pending = found.pending, resizing.judge(asked, others, self._capacity)
        self._deferred.pop(pod.uid, None)
        if found.pending is not None and found.pending != before:
            self._speaker.resized(pod.object, *found.pending)
        if found.pending is None:
            wanted = resizing.resources(pod.object)
            if wanted != found.allotment:
                found.untold = True
                self._speaker.resized(pod.object, "started")
            found.allotment = wanted
            self._admitted[pod.uid], self._used = asked, others + asked
        elif found.pending[0] == "Deferred":
            self._deferred[pod.uid] = pod
