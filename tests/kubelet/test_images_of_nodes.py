"""Images of a node: which go when its disk fills up, what the Node lists, how pulls take turns."""

import asyncio
from typing import Any

import pytest
from kubeletworld import NODE, World, phase, world

from cluster.aio import rpc, virtual
from cluster.kubelet import imagegc
from cluster.kubelet.config import Config
from cluster.kubelet.imagegc import Image, Ledger, Policy
from cluster.kubelet.pullgate import PullGate
from cluster.pb.cri.v1 import api_pb2 as pb

MI = 1 << 20


@pytest.mark.parametrize(
    ("available", "freed"),
    [(100, 0), (16, 0), (15, 5), (0, 20), (200, 0)],
)
def test_a_full_disk_is_emptied_down_to_the_low_threshold(available: int, freed: int) -> None:
    assert imagegc.to_free(100, available, Policy()) == freed


def test_the_longest_unused_image_goes_first_and_none_that_is_needed() -> None:
    made, policy = Ledger(), Policy(min_age=10.0)
    images = [Image(name, 1) for name in ("old", "used", "once", "pinned")]
    images[3] = Image("pinned", 1, pinned=True)
    made.note(images, {"used", "once"}, 1.0)
    made.note([*images, Image("new", 1)], {"used"}, 95.0)
    assert made.idle(100.0, policy) == ["old", "once", "used"]
    made.note([*images, Image("new", 1)], {"used"}, 105.0)
    assert made.idle(105.0, policy) == ["old", "new", "once"]
    assert made.idle(104.0, policy) == ["old", "once"]


def test_unused_images_go_with_age() -> None:
    made, policy = Ledger(), Policy(min_age=0.0, max_age=60.0)
    images = [Image("never", 1), Image("once", 1)]
    made.note(images, {"once"}, 0.0)
    assert made.outdated(60.0, policy) == []
    made.note(images, {"once"}, 50.0)
    assert made.outdated(61.0, policy) == ["never"]
    assert made.outdated(111.0, policy) == ["never", "once"]
    assert made.outdated(999.0, Policy(min_age=0.0)) == []


def test_the_node_lists_its_largest_images() -> None:
    images = [
        Image("a", 1, ("a:1",), ("a@sha256:1",)),
        Image("b", 3, tuple(f"b:{number}" for number in range(9))),
        Image("nameless", 9),
        Image("c", 2, ("c:1",)),
    ]
    assert imagegc.listed(images, 3) == [
        {"names": [f"b:{number}" for number in range(5)], "sizeBytes": 3},
        {"names": ["c:1"], "sizeBytes": 2},
    ]
    assert imagegc.listed(images, -1)[-1] == {"names": ["a@sha256:1", "a:1"], "sizeBytes": 1}
    assert imagegc.listed(images, 0) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"image_gc_high_threshold_percent": 80},
        {"image_gc_high_threshold_percent": 101},
        {"image_gc_low_threshold_percent": -1},
        {"node_status_max_images": -2},
        {"max_parallel_image_pulls": 5},
        {"registry_pull_qps": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"image|registry"):
        Config("n1", **settings)


def test_pulls_are_throttled() -> None:
    async def scenario() -> None:
        gate = PullGate(0, qps=1, burst=2)
        await gate.enter()
        await gate.enter()
        with pytest.raises(rpc.Failure, match="pull QPS exceeded"):
            await gate.enter()
        await asyncio.sleep(1)
        await gate.enter()

    virtual.run(scenario())


async def node(here: World) -> dict[str, Any]:
    return (await here.client.get("nodes", NODE))["status"]


@pytest.mark.parametrize(("settings", "seconds"), [
    ({}, (10, 11)), ({"serialize_image_pulls": False, "max_parallel_image_pulls": 5}, (2, 3)),
])  # fmt: skip
def test_pulls_take_turns_unless_they_need_not(
    settings: dict[str, Any], seconds: tuple[int, int]
) -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime(image_pull_seconds=2.0).cri
            here.start_kubelet(cri, **settings)
            await asyncio.sleep(1)
            began = here.loop.time()
            for number in range(5):
                await here.pod(f"web-{number}", image=f"app:{number}")
            for number in range(5):
                await here.wait(f"web-{number}", phase("Running"))
            assert seconds[0] <= here.loop.time() - began <= seconds[1]
            if not settings:
                assert any("(10s including waiting)" in one for one in await here.events("Pulled"))

    virtual.run(scenario())


def test_the_node_tells_which_images_it_has() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            _, task = here.start_kubelet(cri)
            await here.pod("web", image="nginx:1.27")
            await here.wait("web", phase("Running"))
            await asyncio.sleep(15)
            (found,) = (await node(here))["images"]
            assert found["names"][1] == "docker.io/library/nginx:1.27"
            assert found["names"][0].startswith("docker.io/library/nginx@sha256:")
            assert found["sizeBytes"] > MI
            task.cancel()
            await asyncio.sleep(1)
            here.start_kubelet(cri)
            await asyncio.sleep(30)
            assert (await node(here))["images"] == [found]

    virtual.run(scenario())


def test_unused_images_go_when_the_disk_is_nearly_full() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            hard = {"memory.available": "100Mi"}
            here.start_kubelet(cri, ephemeral_storage="720Mi", eviction_hard=hard)
            await here.pod("used", image="keep:1")
            await here.wait("used", phase("Running"))
            for number in range(12):
                image = pb.ImageSpec(image=f"spare:{number}")
                await cri.pull_image(pb.PullImageRequest(image=image))
            before = sum(one.size for one in cri.images.all())
            assert before > 660 * MI
            await asyncio.sleep(320)
            left = cri.images.all()
            assert sum(one.size for one in left) <= 580 * MI
            assert any("keep:1" in one.repo_tags[0] for one in left)
            assert len((await node(here))["images"]) == len(left)

    virtual.run(scenario())


def test_a_disk_that_cannot_be_emptied_is_told_of() -> None:
    async def scenario() -> None:
        async with world() as here:
            hard = {"memory.available": "100Mi"}
            here.start_kubelet(here.runtime().cri, ephemeral_storage="100Mi", eviction_hard=hard)
            await here.pod("web", annotations={"kubemu.dev/ephemeral-storage": "95Mi"})
            await here.wait("web", phase("Running"))
            await asyncio.sleep(700)
            (told,) = set(await here.events("FreeDiskSpaceFailed"))
            assert told.startswith("failed to garbage collect required amount of images. Wanted")
            assert await here.events("ImageGCFailed")

    virtual.run(scenario())
