"""The images of one node: tells the Node of them, and lets those go that nobody needs.

At rest it does nothing: images change with pulls, so it is a pull that has them looked at.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import errors
from cluster.kubelet import imagegc
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.eviction import measuring, signals
from cluster.kubelet.node.speaking import NodeSpeaker
from cluster.kubelet.serving import usage
from cluster.pb.cri.v1 import api_pb2 as pb

GC_PERIOD: Final = 300.0
"""ImageGCPeriod of pkg/kubelet."""
_PUBLISH: Final = 10.0
"""Seconds after a pull until the Node tells of the image: nodeStatusUpdateFrequency."""


class ImageKeeper:
    """`publish` is given status.images; `used` measures the node's containers."""

    def __init__(
        self,
        agent: NodeAgent,
        *,
        clock: clocks.Clock,
        used: Callable[[NodeAgent], Awaitable[usage.Usage]],
        publish: Callable[[list[dict[str, Any]]], None],
        speaker: NodeSpeaker,
        spawn: Callable[[Coroutine[Any, Any, Any], str], object],
    ) -> None:
        config = agent.config
        self._agent = agent
        self._clock = clock
        self._used = used
        self._publish = publish
        self._speaker = speaker
        self._spawn = spawn
        self._policy = imagegc.Policy(
            config.image_gc_high_threshold_percent, config.image_gc_low_threshold_percent,
            config.image_minimum_gc_age, config.image_maximum_gc_age,
        )  # fmt: skip
        self._ledger = imagegc.Ledger()
        self._telling: asyncio.TimerHandle | None = None
        self._collecting: asyncio.TimerHandle | None = None
        self._failed = False
        self._closed = False
        self._log = structlog.get_logger().bind(component="kubelet", node=config.node_name)

    def stir(self) -> None:
        """An image may have come: look soon."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if self._telling is None:
            self._telling = loop.call_later(_PUBLISH, self._run, self._tell, "images")
        if self._collecting is None:
            self._collecting = loop.call_later(GC_PERIOD, self._run, self._collect, "image-gc")

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        for timer in (self._telling, self._collecting):
            if timer is not None:
                timer.cancel()

    async def reclaim(self) -> None:
        """Remove all images that nobody uses: the disk is short."""
        await self._free(imagegc.Policy(0, 0, self._policy.min_age), None)
        self.stir()

    def _run(self, what: Callable[[], Awaitable[None]], name: str) -> None:
        self._spawn(self._guarded(what), name)

    async def _guarded(self, what: Callable[[], Awaitable[None]]) -> None:
        try:
            await what()
        except (rpc.Failure, errors.StatusError) as failure:
            self._log.info("images are not known", error=str(failure))

    async def _tell(self) -> None:
        self._telling = None
        images = await self._images()
        self._ledger.note(images, self._in_use(images), self._clock.now())
        self._publish(imagegc.listed(images, self._agent.config.node_status_max_images))

    async def _collect(self) -> None:
        self._collecting = None
        loop = asyncio.get_running_loop()
        again = bool(self._policy.max_age)
        try:
            again |= await self._garbage()
        finally:
            if again and not self._closed:
                self._collecting = loop.call_later(GC_PERIOD, self._run, self._collect, "image-gc")

    async def _garbage(self) -> bool:
        """One collection; whether the disk is still too full."""
        agent, now = self._agent, self._clock.now()
        seen, _ = await measuring.measure(agent, await self._used(agent), now)
        disk = seen[signals.IMAGE_FS]
        await self._outdated()
        wanted = imagegc.to_free(disk.capacity, disk.available, self._policy)
        if not wanted:
            self._failed = False
            return False
        freed = await self._free(self._policy, wanted)
        self.stir()
        if freed >= wanted:
            self._failed = False
            return False
        text = (
            "failed to garbage collect required amount of images. "
            f"Wanted to free {wanted} bytes, but freed {freed} bytes"
        )
        self._speaker.say("FreeDiskSpaceFailed", text, warning=True)
        if self._failed:  # as in Kubernetes, the first failure is not told of
            self._speaker.say("ImageGCFailed", text, warning=True)
        self._failed = True
        return True

    async def _outdated(self) -> None:
        images = await self._images()
        now = self._clock.now()
        self._ledger.note(images, self._in_use(images), now)
        for name in self._ledger.outdated(now, self._policy):
            await self._remove(name, "age")

    async def _free(self, policy: imagegc.Policy, wanted: int | None) -> int:
        """Remove idle images until so many bytes are freed (None: all); how many. rpc.Failure."""
        images = await self._images()
        now = self._clock.now()
        self._ledger.note(images, self._in_use(images), now)
        freed = 0
        for name in self._ledger.idle(now, policy):
            if wanted is not None and freed >= wanted:
                break
            freed += self._ledger.size(name) if await self._remove(name, "space") else 0
        return freed

    async def _remove(self, name: str, reason: str) -> bool:
        try:
            request = pb.RemoveImageRequest(image=pb.ImageSpec(image=name))
            await self._agent.cri.remove_image(request)
        except rpc.Failure as failure:
            self._log.warning("image not removed", image=name, error=failure.text)
            return False
        self._agent.figures.count("kubelet_image_garbage_collected_total", reason)
        self._log.info("image removed", image=name)
        return True

    async def _images(self) -> list[imagegc.Image]:
        answer = await self._agent.cri.list_images(pb.ListImagesRequest())
        return [
            imagegc.Image(one.id, one.size, tuple(one.repo_tags), tuple(one.repo_digests))
            for one in answer.images
        ]

    def _in_use(self, images: list[imagegc.Image]) -> set[str]:
        """The ids of images that a container has, whether it runs or not."""
        names = {name: one.id for one in images for name in (one.id, *one.names)}
        found = set()
        for pod in self._agent.pods.values():
            for container in pod.seen.containers:
                for name in (container.image_ref, container.image):
                    if name in names:
                        found.add(names[name])
        return found
