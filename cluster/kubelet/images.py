"""Sees to the image of a container before it is made. Follows pkg/kubelet/images."""

from collections.abc import Awaitable, Callable
from typing import Final

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import objects
from cluster.api.dockerconfig import Credentials
from cluster.kubelet import events, imagegrants
from cluster.kubelet.cri import EMULATED, UNREACHABLE, Cri
from cluster.kubelet.figures import Figures
from cluster.kubelet.lifecycle.model import RETRY_PERIOD, Waiting
from cluster.kubelet.pods import Pod
from cluster.kubelet.pullgate import PullGate
from cluster.pb.cri.v1 import api_pb2 as pb

Keyring = Callable[[Pod, str], Awaitable[list[Credentials]]]
"""Gives the credentials that a pod has for an image."""
_SIZES: Final = (
    (10 << 20, "0-10MB"), (100 << 20, "10MB-100MB"), (500 << 20, "100MB-500MB"),
    (1 << 30, "500MB-1GB"), (10 << 30, "1GB-10GB"), (100 << 30, "10GB-100GB"),
)  # fmt: skip
_LARGEST: Final = "100GB+"


class Images:
    """The images of one node."""

    def __init__(
        self,
        cri: Cri,
        clock: clocks.Clock,
        speaker: events.Speaker,
        credentials: Keyring,
        *,
        gate: PullGate,
        figures: Figures,
        guarded: bool = False,
    ) -> None:
        self._grants = imagegrants.Grants() if guarded else None
        self._figures = figures
        self._gate = gate
        self.on_pulled: Callable[[], None] = _ignore
        """Told when an image came."""
        self._credentials = credentials
        self._cri = cri
        self._clock = clock
        self._speaker = speaker

    async def ensure(self, pod: Pod, spec: objects.Object, *, init: bool) -> bool:
        """Whether the container's image is here now. Why not is put in `pod.memory`.

        rpc.Failure where the runtime could not be asked.
        """
        name, image = spec["name"], spec.get("image") or ""
        policy = spec.get("imagePullPolicy") or "IfNotPresent"
        try:
            if policy != "Always" and await self._usable(pod, image):
                self._speaker.present(pod.object, name, image, init=init)
                return True
            if policy == "Never":
                self._never(pod, name, image, init=init)
                return False
            return await self._pull(pod, name, image, init=init)
        except rpc.Failure as failure:
            if failure.code != "INVALID_ARGUMENT":
                raise
            self._misnamed(pod, name, image, failure, init=init)
            return False

    async def _usable(self, pod: Pod, image: str) -> bool:
        """Whether an image is here, and the pod's as it is."""
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=image))
        answer = await self._cri.image_status(request)
        if not answer.HasField("image"):
            return False
        id, grants = answer.image.id, self._grants  # noqa: A001
        if grants is None or not grants.guards(id):
            return True
        return grants.allows(id, image, await self._credentials(pod, image))

    async def _pull(self, pod: Pod, name: str, image: str, *, init: bool) -> bool:
        self._speaker.pulling(pod.object, name, image, init=init)
        asked = self._clock.now()
        try:
            emulated = self._gate.takes_turns and await self._emulated(image)
            await self._gate.enter(emulated=emulated)
            begun = self._clock.now()
            try:
                await self._ask(pod, image)
            finally:
                self._gate.leave(emulated=emulated)
        except rpc.Failure as failure:
            if failure.code in UNREACHABLE or failure.code == "INVALID_ARGUMENT":
                raise
            self._failed(pod, name, image, failure, init=init)
            return False
        pod.memory.pull_errors.pop(image, None)
        self.on_pulled()
        if self._speaker.normal:
            now = self._clock.now()
            times = now - begun, now - asked
            size = await self._size(image)
            name_of_size = next((name for most, name in _SIZES if size < most), _LARGEST)
            self._figures.observe("kubelet_image_pull_duration_seconds", times[1], name_of_size)
            self._speaker.pulled(pod.object, name, image, times, size, init=init)
        return True

    async def _emulated(self, image: str) -> bool:
        """Whether the runtime says that no registry is asked for an image."""
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=image), verbose=True)
        return EMULATED in (await self._cri.image_status(request)).info

    async def _ask(self, pod: Pod, image: str) -> None:
        """Pull with each of the pod's credentials until it works, or without any. rpc.Failure."""
        spec = pb.ImageSpec(image=image)
        known = await self._credentials(pod, image)
        for one in known[:-1]:
            try:
                await self._pull_with(spec, one)
                return
            except rpc.Failure as failure:
                if failure.code in UNREACHABLE:
                    raise
        await self._pull_with(spec, known[-1] if known else None)

    async def _pull_with(self, spec: pb.ImageSpec, who: Credentials | None) -> None:
        auth = pb.AuthConfig(username=who.name, password=who.password) if who else None
        answer = await self._cri.pull_image(pb.PullImageRequest(image=spec, auth=auth))
        if self._grants is not None:
            self._grants.note(answer.image_ref, spec.image, who)

    async def _size(self, image: str) -> int:
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=image))
        answer = await self._cri.image_status(request)
        return int(answer.image.size)

    def _failed(self, pod: Pod, name: str, image: str, failure: rpc.Failure, *, init: bool) -> None:
        # The kubelet strips what gRPC adds where the code says nothing.
        text = failure.message if failure.code == "UNKNOWN" else failure.text
        now = self._clock.now()
        pod.memory.pulls.count(image, now, now)
        pod.memory.pull_errors[image] = Waiting("ErrImagePull", text)
        self._speaker.pull_failed(pod.object, name, image, text, init=init)

    def _never(self, pod: Pod, name: str, image: str, *, init: bool) -> None:
        message = f'Container image "{image}" is not present with pull policy of Never'
        pod.memory.failures[name] = Waiting("ErrImageNeverPull", message)
        pod.memory.retry[name] = self._clock.now() + RETRY_PERIOD
        self._speaker.never_pulled(pod.object, name, message, init=init)
        self._speaker.failed(pod.object, name, "ErrImageNeverPull", init=init)

    def _misnamed(
        self, pod: Pod, name: str, image: str, failure: rpc.Failure, *, init: bool
    ) -> None:
        why = failure.message.partition('": ')[2] or failure.message
        message = (
            f'Failed to apply default image tag "{image}": '
            f'couldn\'t parse image name "{image}": {why}'
        )
        pod.memory.failures[name] = Waiting("InvalidImageName", message)
        pod.memory.retry[name] = self._clock.now() + RETRY_PERIOD
        self._speaker.inspect_failed(pod.object, name, message, init=init)
        self._speaker.failed(pod.object, name, "InvalidImageName", init=init)


def _ignore() -> None:
    return
