"""Mounts that a runtime cannot make as they are asked for."""

import asyncio

import kubeletworld as kw

from cluster.aio import virtual


def test_a_mount_that_the_runtime_cannot_make_so_says_why() -> None:
    async def scenario() -> None:
        async with kw.world() as world:
            kubelet, _ = world.start_kubelet(world.runtime().cri)
            async with asyncio.timeout(30):
                await kubelet.ready.wait()
            mount = {"name": "v", "mountPath": "/v", "readOnly": True}
            mount |= {"recursiveReadOnly": "Enabled"}
            one = {"name": "web", "image": "nginx", "volumeMounts": [mount]}
            await world.pod("p", containers=[one], volumes=[{"name": "v", "emptyDir": {}}])
            pod = await world.wait("p", kw.waiting("CreateContainerConfigError"))
            assert kw.container(pod)["state"]["waiting"]["message"] == (
                'volume "v" requested recursive read-only mode, '
                "but it is not supported by the runtime"
            )

    virtual.run(scenario())
