"""Ends containers as killContainer of the kubelet does (pkg/kubelet/kuberuntime).

The grace is shared: the preStop hook takes from it, then the wait for the containers of an earlier
turn; what is left, two seconds at least, is the container's after its stop signal.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.api import objects
from cluster.kubelet import events
from cluster.kubelet.cri import Cri
from cluster.kubelet.hooks import PRE_STOP, Hooks
from cluster.kubelet.lifecycle import podspec
from cluster.kubelet.lifecycle.actions import Kill
from cluster.kubelet.pods import Pod
from cluster.pb.cri.v1 import api_pb2 as pb

MINIMUM: Final = 2
"""minimumGracePeriodInSeconds of pkg/kubelet/kuberuntime."""


class Killer:
    """Ends the containers of one node."""

    def __init__(
        self, cri: Cri, clock: clocks.Clock, speaker: events.Speaker, hooks: Hooks
    ) -> None:
        self._cri = cri
        self._clock = clock
        self._speaker = speaker
        self._hooks = hooks

    async def kill(self, pod: Pod, kills: Sequence[Kill]) -> None:
        """End these together, each in its turn; returns when all have ended. rpc.Failure.

        It may be cancelled, and begun anew with another grace.
        """
        if len(kills) == 1:
            await self._kill(pod, kills[0], None)
            return
        ended = {kill.id: asyncio.Event() for kill in kills}
        async with tasks.Group("kill") as group:
            for kill in kills:
                before = [ended[other.id] for other in kills if other.turn < kill.turn]
                group.spawn(self._in_turn(pod, kill, before, ended[kill.id]), kill.name)

    async def _in_turn(
        self, pod: Pod, kill: Kill, before: Sequence[asyncio.Event], ended: asyncio.Event
    ) -> None:
        await self._kill(pod, kill, before)
        ended.set()

    async def _kill(self, pod: Pod, kill: Kill, before: Sequence[asyncio.Event] | None) -> None:
        spec = podspec.find(pod.object, kill.name)
        begun = self._clock.now()
        if kill.id not in pod.killing:
            pod.killing[kill.id] = False
            init = podspec.is_init(pod.object, kill.name)
            self._speaker.killing(pod.object, kill.name, kill.message, init=init)
        if spec is not None and kill.grace > 0 and not pod.killing[kill.id]:
            await self._pre_stop(pod, spec, kill)
            pod.killing[kill.id] = True
        if before and kill.grace > 0:
            await _all(before, kill.grace - (self._clock.now() - begun))
        left = kill.grace
        if kill.grace > 0:
            left = max(kill.grace - int(self._clock.now() - begun), MINIMUM)
        await self._cri.stop_container(pb.StopContainerRequest(container_id=kill.id, timeout=left))
        pod.killing.pop(kill.id, None)

    async def _pre_stop(self, pod: Pod, spec: objects.Object, kill: Kill) -> None:
        if not (spec.get("lifecycle") or {}).get(PRE_STOP):
            return
        failure = await self._hooks.run(pod, spec, kill.id, PRE_STOP, kill.grace)
        if failure:
            init = podspec.is_init(pod.object, kill.name)
            self._speaker.hook_failed(pod.object, kill.name, "FailedPreStopHook", init=init)


async def _all(events: Sequence[asyncio.Event], seconds: float) -> None:
    """Wait for all of them, but no longer than that."""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            for event in events:
                await event.wait()
    except TimeoutError:
        return
