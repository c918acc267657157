"""Who a container's processes are, as its status says it."""

import asyncio

import kubeletworld as kw
import pytest

from cluster.aio import virtual
from cluster.kubelet import cri, version
from cluster.pb.cri.v1 import api_pb2 as pb


async def user_of(tmp_path, release="v1.37.0", **fields):
    """What the status of a pod's container says, once it runs."""
    async with kw.world() as world:
        runtime = world.runtime(volumes_on_disk=True)
        kubelet, _ = world.start_kubelet(
            runtime.cri, root_dir=str(tmp_path), kubernetes_version=release
        )
        async with asyncio.timeout(30):
            await kubelet.ready.wait()
        await world.pod("p", command=["sleep", "999"], image="busybox", **fields)
        found = kw.container(await world.wait("p", kw.phase("Running")))
        return found.get("user")


CONTEXT = {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]}


def test_a_status_tells_of_user_and_groups(tmp_path):
    found = virtual.run(user_of(tmp_path, securityContext=CONTEXT))
    assert found == {
        "linux": {"uid": 1000, "gid": 3000, "supplementalGroups": [2000, 3000, 4000]},
    }  # fmt: skip


def test_it_is_the_images_user_where_the_pod_says_nothing(tmp_path):
    found = virtual.run(user_of(tmp_path))
    assert (found["linux"]["uid"], found["linux"]["gid"]) == (0, 0)
    assert 0 in found["linux"]["supplementalGroups"]


@pytest.mark.parametrize(("release", "shown"), [("v1.32.0", False), ("v1.33.0", True)])
def test_older_kubelets_do_not_tell(tmp_path, release, shown):
    assert (virtual.run(user_of(tmp_path, release)) is not None) is shown
    assert version.parse(release).shows_users is shown


def test_a_runtime_that_does_not_say_is_believed():
    status = pb.ContainerStatus(id="a", metadata=pb.ContainerMetadata(name="c"))
    answer = pb.PodSandboxStatusResponse(
        status=pb.PodSandboxStatus(id="s"), containers_statuses=[status]
    )
    assert cri.seen_of([answer]).containers[0].user is None
    status.user.linux.CopyFrom(pb.LinuxContainerUser(uid=5, gid=6, supplemental_groups=[6, 7]))
    del answer.containers_statuses[:]
    answer.containers_statuses.append(status)
    assert cri.seen_of([answer]).containers[0].user == (5, 6, (6, 7))
    # The numbers on the wire are upstream's: user is field 18.
    assert status.SerializeToString().find(b"\x92\x01") > 0
