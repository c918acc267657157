"""A kubelet that has found containers, and hears of their pods only after they are gone."""

import asyncio

import kubeletworld as kw
from test_kubelet_in_a_world import Remote

from cluster.aio import virtual
from cluster.api import errors
from cluster.apiserver.direct import DirectTransport


def test_containers_that_were_found_and_died_before_the_api_told_of_their_pods(monkeypatch):
    listed = DirectTransport.list
    away = []

    async def lists(self, *arguments, **options):
        if away:
            raise errors.ServiceUnavailable("the API server is away")
        return await listed(self, *arguments, **options)

    monkeypatch.setattr(DirectTransport, "list", lists)

    async def main():
        async with kw.world() as world:
            first = world.runtime()
            kubelet, task = world.start_kubelet(first.cri)
            await kubelet.ready.wait()
            await world.pod("web")
            await world.wait("web", kw.phase("Running"))
            task.cancel()
            away.append(True)
            remote = Remote(first.cri)
            world.start_kubelet(remote)
            await asyncio.sleep(5)  # it knows the containers, and no pod
            remote.cri = None
            first.cri.close()
            await asyncio.sleep(1)
            second = world.runtime()
            remote.cri = second.cri
            await asyncio.sleep(5)
            away.clear()
            await world.wait("web", kw.restarts(1), 30)
            assert len(second.cri.driver.containers) == 1

    virtual.run(main())
