"""Anything may stop, start, die and be deleted at any time: the cluster converges afterwards."""

import random

import pytest
from scenarios import web

from cluster.api import errors, objects
from cluster.lab.lab import Lab

NODES = ("node-1", "node-2", "node-3")
PARTS = (
    "apiserver",
    "controller-manager",
    "scheduler",
    *(f"{kind}/{node}" for node in NODES for kind in ("runtime", "kubelet", "kube-proxy")),
)
PAUSES = (0.003, 0.02, 0.5, 5, 30, 200)


class Chaos:
    """Draws what happens next. `replicas` is what the Deployment was last asked for."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.random = random.Random(f"chaos/{seed}")
        self.replicas = 5

    def parts(self, *, running):
        return [name for name in PARTS if self.cluster.part(name).running is running]

    async def stop(self):
        for name in self.random.sample(self.parts(running=True), 1):
            await self.cluster.stop(name)

    async def start(self):
        down = self.parts(running=False)
        for name in self.random.sample(down, min(len(down), 1)):
            await self.cluster.start(name, wait=False)

    async def kill(self):
        await self.cluster.kill_node(self.random.choice(NODES))

    async def scale(self):
        self.replicas = self.random.randrange(12)
        await self.cluster.apply(web(self.replicas))

    async def roll(self):
        annotations = {"rolled": str(self.cluster.now())}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        await self.cluster.client.patch("deployments.apps", "web", patch, "default")

    async def delete_pod(self):
        for pod in self.random.sample(self.cluster.pods(app="web"), 1):
            grace = self.random.choice([None, 0, 5])
            await self.cluster.client.delete("pods", objects.name(pod), "default", grace=grace)

    async def step(self):
        acts = [self.stop, self.stop, self.start, self.kill]
        if self.cluster.part("apiserver").running:
            acts += [self.scale, self.roll]
            acts += [self.delete_pod] if self.cluster.pods(app="web") else []
        try:
            await self.random.choice(acts)()
        except (errors.NotFound, errors.ServiceUnavailable):
            return  # somebody else was faster, or the API server is not up again yet


@pytest.mark.parametrize("seed", range(20))
def test_a_cluster_converges_after_any_course_of_failures(seed):
    async def scenario(cluster):
        chaos = Chaos(cluster, seed)
        await cluster.apply(web(chaos.replicas))
        for _ in range(chaos.random.randrange(4, 14)):
            await chaos.step()
            await cluster.sleep(chaos.random.choice(PAUSES))
        for name in chaos.parts(running=False):
            await cluster.start(name, wait=False)
        await cluster.until(lambda: len(cluster.ready_nodes()) == 3, within=200)
        await cluster.until(
            lambda: (
                len(cluster.pods(ready=True, app="web"))
                == len(cluster.list("pods"))
                == objects.spec(cluster.get("deployments.apps", "web", "default"))["replicas"]
            ),
            within=1200,
        )
        assert len(cluster.list("pods")) == chaos.replicas

    Lab(seed=seed, nodes=3).run(scenario)
