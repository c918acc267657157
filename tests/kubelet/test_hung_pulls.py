"""Pulls that fail or hang: what the pod shows meanwhile, and who waits for them."""

import asyncio

from kubeletworld import World, phase, waiting, world

from cluster.aio import rpc, virtual
from cluster.images.client.nodestore import Image
from cluster.runtime import images

REGISTRY = "registry.example:5000"


class Hanging:
    """Registries of which one is asked, and never answers."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[str] = []

    def serves(self, reference: images.Reference) -> bool:
        return bool(reference.host == REGISTRY)

    def find(self, name: str) -> None:
        return None

    def all(self) -> list[Image]:
        return []

    async def pull(self, reference: images.Reference, username: str, password: str) -> Image:
        self.asked.append(reference.name)
        await asyncio.sleep(self.seconds)
        raise rpc.Failure("UNKNOWN", "context deadline exceeded")

    async def remove(self, id: str) -> None:
        return


async def shown(here: World, name: str, seconds: float) -> list[tuple[str, str]]:
    """Why the pod's container waits, each time that it changes."""
    found: list[tuple[str, str]] = []
    try:
        async with asyncio.timeout(seconds):
            made = await here.get(name)
            revision = int(made["metadata"]["resourceVersion"])
            async for batch in here.client.watch("pods", revision=revision):
                for event in batch:
                    for one in event.object.get("status", {}).get("containerStatuses") or ():
                        why = one["state"].get("waiting") or {"reason": "none"}
                        each = why["reason"], why.get("message", "")
                        if found[-1:] != [each]:
                            found.append(each)
    except TimeoutError:
        pass
    return found


def test_a_failed_pull_stays_shown_while_it_is_tried_again() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime(image_pull_seconds=2.0).cri)
            await asyncio.sleep(1)
            await here.pod("lost", image="registry.invalid/web:1")
            told = await shown(here, "lost", 100.0)
            reasons = [reason for reason, _ in told]
            assert reasons[0] == "ContainerCreating"
            assert reasons[1:] == ["ErrImagePull", "ImagePullBackOff"] * (len(reasons) // 2)
            assert len(reasons) > 6
            assert all("no such host" in message for _, message in told[1:])

    virtual.run(scenario())


def test_another_image_in_its_place_ends_what_is_shown() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime(image_pull_seconds=2.0).cri)
            await asyncio.sleep(1)
            await here.pod("lost", image="registry.invalid/web:1")
            await here.wait("lost", waiting("ImagePullBackOff"))
            patch = {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}
            await here.client.patch(
                "pods", "lost", patch, "default",
                patch_type="application/strategic-merge-patch+json",
            )  # fmt: skip
            pod = await here.wait("lost", phase("Running"))
            assert "waiting" not in str(pod["status"])

    virtual.run(scenario())


def test_emulated_images_wait_for_no_registry() -> None:
    async def scenario() -> None:
        async with world() as here:
            hanging = Hanging(300.0)
            here.start_kubelet(here.runtime(hanging).cri)
            await asyncio.sleep(1)
            await here.pod("hung", image=f"{REGISTRY}/web:1")
            await here.pod("next", image=f"{REGISTRY}/web:2")
            await asyncio.sleep(1)
            await here.pod("web", image="nginx:1.27")
            await here.wait("web", phase("Running"), 2.0)
            assert hanging.asked == [f"{REGISTRY}/web:1"]
            await here.wait("hung", waiting("ErrImagePull"), 400.0)
            await asyncio.sleep(1)
            assert hanging.asked[1] == f"{REGISTRY}/web:2"

    virtual.run(scenario())
