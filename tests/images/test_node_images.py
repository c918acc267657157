"""The runtime with a real registry: what is pulled, what its containers get, what it says."""

import asyncio
import random
from pathlib import Path

import pytest
from registryworld import World, against, htpasswd
from test_image_store import tar

from cluster.aio import clock, rpc
from cluster.api import imagereferences
from cluster.images import digests, manifests, media
from cluster.images.client import credentials, pushing, remote
from cluster.images.client.nodestore import NodeStore
from cluster.images.descriptors import Descriptor
from cluster.images.store.layout import Store
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.config import Config
from cluster.runtime.service import CriService

CONFIG = {
    "Env": ["PATH=/bin", "WHO=image", "WHERE=image"], "Entrypoint": ["node"], "Cmd": ["app.js"],
    "WorkingDir": "/app", "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}, "User": "10",
}  # fmt: skip


async def push(world: World, tmp_path: Path, name: str = "app:v1", who=None) -> str:
    """Push an image with CONFIG; the digest of its manifest."""
    store = Store(tmp_path / "mine")
    layer = tar({"app/app.js": b"content", "app/.wh.gone": b"", "../out": b"x"})
    config = manifests.encode(
        {"config": CONFIG, "rootfs": {"type": "layers", "diff_ids": [digests.of(layer)]}}
    )
    parts = [
        Descriptor(kind, store.blobs.put(data), len(data))
        for kind, data in ((media.OCI_CONFIG, config), (media.OCI_LAYER, layer))
    ]
    data = manifests.encode(manifests.of_image(parts[0], parts[1:]))
    target = Descriptor(media.OCI_MANIFEST, store.blobs.put(data), len(data))
    reference = imagereferences.parse(f"{world.host}/{name}")
    async with remote.opened(world.host, who) as registry:
        await pushing.push(registry, reference, store, target)
    return target.digest


def runtime(world: World, tmp_path: Path) -> CriService:
    store = NodeStore(tmp_path / "node", (world.host,))
    config = Config(pod_cidr="10.0.0.0/24")
    return CriService(config, clock=clock.SystemClock(), random=random.Random(1), registries=store)


async def pull(cri: CriService, image: str, auth: pb.AuthConfig | None = None) -> str:
    request = pb.PullImageRequest(image=pb.ImageSpec(image=image), auth=auth)
    return (await cri.pull_image(request)).image_ref


def test_a_container_gets_what_the_image_says_and_the_pod_does_not(tmp_path):
    async def story(world: World) -> None:
        digest = await push(world, tmp_path)
        cri = runtime(world, tmp_path)
        image = f"{world.host}/app:v1"
        ref = await pull(cri, image)
        sandbox = await cri.run_pod_sandbox(
            pb.RunPodSandboxRequest(
                config=pb.PodSandboxConfig(metadata=pb.PodSandboxMetadata(name="p", uid="u"))
            )
        )
        made = await cri.create_container(
            pb.CreateContainerRequest(
                pod_sandbox_id=sandbox.pod_sandbox_id,
                config=pb.ContainerConfig(
                    metadata=pb.ContainerMetadata(name="c"),
                    image=pb.ImageSpec(image=image, user_specified_image=image),
                    envs=[pb.KeyValue(key="WHO", value="pod")],
                ),
            )
        )
        container = cri.driver.containers[made.container_id]
        config = container.config
        assert {one.key: one.value for one in config.envs} == {
            "PATH": "/bin", "WHERE": "image", "WHO": "pod",
        }  # fmt: skip
        assert [*config.command, *config.args] == ["node", "app.js"]
        assert config.working_dir == "/app"
        assert container.script.ports == (8080,)
        files = cri.driver.machine(container).kernel.files
        assert files.read("/app/app.js") == b"content"
        assert not files.exists("/out")
        status = await cri.container_status(
            pb.ContainerStatusRequest(container_id=made.container_id)
        )
        assert status.status.image_ref == f"{world.host}/app@{digest}"
        assert status.status.image_id == ref
        cri.close()

    against(tmp_path / "registry", story)


def test_images_outlive_the_runtime_and_are_listed_and_removed(tmp_path):
    async def story(world: World) -> None:
        digest = await push(world, tmp_path)
        image = f"{world.host}/app:v1"
        first = runtime(world, tmp_path)
        ref = await pull(first, image)
        await pull(first, "nginx")
        first.close()
        cri = runtime(world, tmp_path)
        found = (await cri.list_images(pb.ListImagesRequest())).images
        assert [list(one.repo_digests) for one in found] == [[f"{world.host}/app@{digest}"]]
        assert found[0].uid.value == 10
        await cri.remove_image(pb.RemoveImageRequest(image=pb.ImageSpec(image=ref)))
        status = await cri.image_status(pb.ImageStatusRequest(image=pb.ImageSpec(image=image)))
        assert not status.HasField("image")
        assert not [path for path in (tmp_path / "node" / "blobs").rglob("*") if path.is_file()]
        cri.close()

    against(tmp_path / "registry", story)


def test_a_store_that_is_damaged_says_so_when_an_image_is_removed(tmp_path):
    async def story(world: World) -> None:
        await push(world, tmp_path)
        cri = runtime(world, tmp_path)
        ref = await pull(cri, f"{world.host}/app:v1")
        (tmp_path / "node" / "index.json").write_bytes(b"{")
        with pytest.raises(rpc.Failure, match=r"index\.json is no JSON") as caught:
            await cri.remove_image(pb.RemoveImageRequest(image=pb.ImageSpec(image=ref)))
        assert caught.value.code == "UNKNOWN"
        cri.close()

    against(tmp_path / "registry", story)


def test_a_failed_pull_is_worded_as_containerd_words_it(tmp_path):
    async def story(world: World) -> None:
        cri = runtime(world, tmp_path)
        name = f"{world.host}/none:v1"
        start = f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": '
        with pytest.raises(rpc.Failure) as caught:
            await pull(cri, name)
        assert (caught.value.code, caught.value.message) == (
            "NOT_FOUND", f"{start}{name}: not found",
        )  # fmt: skip
        cri.close()

    against(tmp_path / "registry", story)


def test_a_registry_that_is_gone_and_comes_back(tmp_path):
    worlds: list[World] = []

    async def first(world: World) -> None:
        worlds.append(world)
        await push(world, tmp_path)

    async def second() -> None:
        cri = runtime(worlds[0], tmp_path)
        with pytest.raises(rpc.Failure) as caught:
            await pull(cri, f"{worlds[0].host}/app:v1")
        assert caught.value.code == "UNKNOWN"
        assert caught.value.message.endswith("connect: connection refused")
        assert 'failed to do request: Get "http://127.0.0.1:' in caught.value.message
        cri.close()

    async def third(world: World) -> None:
        cri = runtime(world, tmp_path)
        assert await pull(cri, f"{world.host}/app:v1")
        cri.close()

    against(tmp_path / "registry", first)
    asyncio.run(second())
    against(tmp_path / "registry", third, port=worlds[0].registry.port)


def test_a_pull_with_credentials(tmp_path):
    async def story(world: World) -> None:
        await push(world, tmp_path, who=credentials.Credentials("alice", "secret"))
        cri = runtime(world, tmp_path)
        image = f"{world.host}/app:v1"
        for auth in (None, pb.AuthConfig(username="alice", password="wrong")):
            with pytest.raises(rpc.Failure, match="pull access denied"):
                await pull(cri, image, auth)
        assert await pull(cri, image, pb.AuthConfig(username="alice", password="secret"))
        cri.close()

    users = htpasswd("alice", "secret")
    against(tmp_path / "registry", story, users=users, anonymous="none")
