"""Private images on a node: only pods that have what they were pulled with may use them (1.35)."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from kubeletworld import World, phase, waiting, world

from cluster.aio import rpc, virtual
from cluster.api.dockerconfig import Credentials
from cluster.images.client.nodestore import Image
from cluster.kubelet.imagegrants import Grants
from cluster.runtime import images

HOST = "registry.example:5000"
IMAGE = f"{HOST}/team/app:1"
ANN, BEN = Credentials("ann", "a"), Credentials("ben", "b")


def test_what_is_known_of_no_image_is_everybodys() -> None:
    grants = Grants()
    assert grants.allows("sha256:1", IMAGE, [])
    grants.note("sha256:1", IMAGE, None)
    assert grants.allows("sha256:1", IMAGE, [])


def test_who_has_what_an_image_was_pulled_with_may_use_it() -> None:
    grants = Grants()
    grants.note("sha256:1", IMAGE, ANN)
    assert grants.allows("sha256:1", f"{HOST}/team/app:2", [BEN, ANN])
    assert not grants.allows("sha256:1", IMAGE, [BEN])
    assert not grants.allows("sha256:1", IMAGE, [])
    assert not grants.allows("sha256:1", f"{HOST}/other/app:1", [ANN])
    grants.note("sha256:1", IMAGE, BEN)
    assert grants.allows("sha256:1", IMAGE, [BEN])
    grants.note("sha256:1", IMAGE, None)
    assert grants.allows("sha256:1", IMAGE, [])
    assert not grants.allows("sha256:1", f"{HOST}/other/app:1", [])


class Private:
    """A registry that gives its image to those who have a password."""

    def __init__(self) -> None:
        self.here: dict[str, Image] = {}

    def serves(self, reference: images.Reference) -> bool:
        return bool(reference.host == HOST)

    def find(self, name: str) -> Image | None:
        return self.here.get(name)

    def all(self) -> list[Image]:
        return list(self.here.values())

    async def pull(self, reference: images.Reference, username: str, password: str) -> Image:
        if (username, password) not in (("ann", "a"), ("ben", "b")):
            raise rpc.Failure("UNKNOWN", "pull access denied: authorization failed")
        name = reference.name
        self.here[name] = Image("sha256:1", name, "sha256:2", 9, {}, Path("/nonexistent"))
        return self.here[name]

    async def remove(self, id: str) -> None:
        self.here.clear()


async def secret(here: World, name: str, user: str, password: str) -> None:
    auths = {"auths": {HOST: {"username": user, "password": password}}}
    data = base64.b64encode(json.dumps(auths).encode()).decode()
    await here.client.create("secrets", {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": "default"}, "data": {".dockerconfigjson": data},
    })  # fmt: skip


@pytest.mark.parametrize("version", ["v1.34.0", "v1.35.0"])
def test_a_pod_without_the_password_gets_no_private_image(version: str) -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime(Private()).cri, kubernetes_version=version)
            await asyncio.sleep(1)
            for name, user, password in (
                ("ann", "ann", "a"),
                ("ben", "ben", "b"),
                ("eve", "e", ""),
            ):
                await secret(here, name, user, password)
            mine = {"image": IMAGE, "imagePullSecrets": [{"name": "ann"}]}
            await here.pod("first", **mine)
            await here.wait("first", phase("Running"))
            await here.pod("second", **mine)
            await here.wait("second", phase("Running"))
            await here.pod("other", image=IMAGE, imagePullSecrets=[{"name": "ben"}])
            await here.wait("other", phase("Running"))
            await here.pod("none", image=IMAGE)
            await here.pod("eve", image=IMAGE, imagePullSecrets=[{"name": "eve"}])
            for name in ("none", "eve"):
                guarded = version != "v1.34.0"
                await here.wait(name, waiting("ErrImagePull") if guarded else phase("Running"))
            pulled = [one for one in await here.events("Pulled") if "Successfully" in one]
            assert len(pulled) == (2 if guarded else 1)

    virtual.run(scenario())
