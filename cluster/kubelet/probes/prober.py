"""Asks a node's containers when their probes are due: one timer for each pod that has probes.

What is due and what an answer means is said by `lifecycle.probes`. Pods without probes cost
nothing; at rest there is no task.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from cluster.aio import clock as clocks
from cluster.api import objects
from cluster.kubelet import events
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.probes import NEVER, Watch
from cluster.kubelet.pods import Pod
from cluster.kubelet.probes.asking import Answer, Asker, Place, Result

Spawn = Callable[[Coroutine[Any, Any, None], str], object]
_RESULTS: Final = {
    Result.SUCCESS: "successful", Result.WARNING: "successful", Result.FAILURE: "failed",
}  # fmt: skip
_MARGIN: Final = 5.0
"""Seconds beyond its own timeout after which a question is given up."""


class Prober:
    """The probes of one node. `on_change` hears of each verdict that changed."""

    def __init__(
        self,
        asker: Asker,
        clock: clocks.Clock,
        speaker: events.Speaker,
        spawn: Spawn,
        *,
        addresses: tuple[str, ...],
        on_change: Callable[[Pod], None],
    ) -> None:
        self._asker = asker
        self._clock = clock
        self._speaker = speaker
        self._spawn = spawn
        self._addresses = addresses
        self._on_change = on_change
        self._timers: dict[str, tuple[float, asyncio.TimerHandle]] = {}
        self._results: dict[str, tuple[tuple[str, str], dict[tuple[str, str, str], int]]] = {}
        self._closed = False
        self._log = structlog.get_logger().bind(component="kubelet")

    def follow(self, pod: Pod) -> None:
        """Learn what the runtime has of a pod now, and ask accordingly."""
        probing = pod.memory.probing
        if probing is not None:
            ending = objects.deleting(pod.object) or pod.memory.removed
            probing.observe(pod.seen, self._clock.now(), ending=ending)
            self._arm(pod)

    def drop(self, uid: str) -> None:
        """Ask no more: the pod is gone."""
        self._results.pop(uid, None)
        timer = self._timers.pop(uid, None)
        if timer is not None:
            timer[1].cancel()

    def close(self) -> None:
        """Ask nothing any more: the kubelet ends."""
        self._closed = True
        for uid in list(self._timers):
            self.drop(uid)

    def _arm(self, pod: Pod) -> None:
        if self._closed:
            return
        probing = pod.memory.probing
        due = NEVER if probing is None or pod.memory.removed else probing.next_due()
        held = self._timers.get(pod.uid)
        if held is not None:
            if held[0] == due:
                return
            del self._timers[pod.uid]
            held[1].cancel()
        if due < NEVER:
            loop = asyncio.get_running_loop()
            handle = loop.call_later(max(due - self._clock.now(), 0.0), self._fire, pod)
            self._timers[pod.uid] = (due, handle)

    def _fire(self, pod: Pod) -> None:
        held = self._timers.pop(pod.uid, None)
        probing = pod.memory.probing
        if held is None or probing is None:
            return
        # A timer may be a little early by the wall clock.
        for watch in probing.take(max(self._clock.now(), held[0])):
            self._spawn(self._ask(pod, watch), "probe")
        self._arm(pod)

    async def _ask(self, pod: Pod, watch: Watch) -> None:
        container = watch.container
        answer = await self._answer(pod, watch)
        probing = pod.memory.probing
        if probing is None or pod.memory.removed or watch.container != container:
            return
        if answer.result is not Result.ERROR:
            self._count(pod, watch, answer)
        if not watch.held:
            self._tell(pod, watch, answer)
        changed = probing.heard(watch, container, self._clock.now(), good=answer.counts_as)
        self._arm(pod)
        if changed:
            self._on_change(pod)

    def results(self) -> dict[str, tuple[tuple[str, str], dict[tuple[str, str, str], int]]]:
        """By uid of pod: its namespace and name, and how often a kind of probe of a container had
        which result.
        """
        return self._results

    def _count(self, pod: Pod, watch: Watch, answer: Answer) -> None:
        key = objects.namespace(pod.object), objects.name(pod.object)
        _, found = self._results.setdefault(pod.uid, (key, {}))
        result = _RESULTS.get(answer.result, "unknown")
        row = watch.probe.kind.value.capitalize(), watch.probe.name, result
        found[row] = found.get(row, 0) + 1

    async def _answer(self, pod: Pod, watch: Watch) -> Answer:
        place = self._place(pod, watch)
        if place is None:
            return Answer(Result.ERROR, "container is not running")
        try:
            async with asyncio.timeout(watch.probe.timeout + _MARGIN):
                return await self._asker.ask(place, watch.probe.action, watch.probe.timeout)
        except TimeoutError:
            return Answer(Result.ERROR, "the runtime does not answer")
        except Exception as error:  # noqa: BLE001  (it is logged, and told in an event)
            self._log.exception("a probe failed to be carried out", pod=pod.key)
            return Answer(Result.ERROR, str(error))

    def _place(self, pod: Pod, watch: Watch) -> Place | None:
        return place_of(pod, watch.probe.name, watch.container, self._addresses)

    def _tell(self, pod: Pod, watch: Watch, answer: Answer) -> None:
        probe = watch.probe
        if answer.result is not Result.SUCCESS:
            self._speaker.probed(
                pod.object, probe.name, str(probe.kind), str(answer.result), answer.output,
                init=probe.init,
            )  # fmt: skip


def place_of(pod: Pod, name: str, container: str, addresses: tuple[str, ...]) -> Place | None:
    """Where container `name` of a pod is asked; None where its pod has no sandbox."""
    sandbox = pod.seen.sandbox
    found = podspec.find(pod.object, name)
    if sandbox is None or found is None:
        return None
    own = addresses if podspec.host_network(pod.object) else sandbox.addresses
    return Place(container, sandbox.id, own[0] if own else "127.0.0.1", found)
