"""DaemonSets in a whole cluster: controllers, scheduler, kubelets and runtimes together."""

import random

import pytest

from cluster.api import errors, objects
from cluster.lab.lab import Lab

NODES = ("node-1", "node-2", "node-3")
AGENT = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: agent, image: "nginx:1.27"}]
"""


def served(cluster, image="nginx:1.27"):
    """The nodes that have a ready pod of this image, each as often as it has one."""
    return sorted(
        objects.spec(pod)["nodeName"]
        for pod in cluster.pods(ready=True, app="agent")
        if objects.spec(pod)["containers"][0]["image"] == image
    )


async def patched(cluster, patch):
    await cluster.client.patch("daemonsets.apps", "agent", {"spec": patch}, "default")


def test_pods_stay_on_a_node_that_dies_and_serve_again_when_it_is_back():
    async def scenario(cluster):
        await cluster.apply(AGENT)
        await cluster.until(lambda: served(cluster) == [*NODES], within=30)
        before = {objects.uid(pod) for pod in cluster.pods(app="agent")}
        await cluster.kill_node("node-2")
        await cluster.until(lambda: served(cluster) == ["node-1", "node-3"], within=120)
        await cluster.sleep(900)
        assert {objects.uid(pod) for pod in cluster.pods(app="agent")} == before
        await cluster.revive_node("node-2")
        await cluster.until(lambda: served(cluster) == [*NODES], within=120)
        assert {objects.uid(pod) for pod in cluster.pods(app="agent")} == before

    Lab(seed=1, nodes=3).run(scenario)


def test_a_pod_of_a_cordoned_node_comes_back_to_it():
    async def scenario(cluster):
        await cluster.apply(AGENT)
        await cluster.until(lambda: served(cluster) == [*NODES], within=30)
        await cluster.client.patch("nodes", "node-2", {"spec": {"unschedulable": True}})
        for pod in cluster.pods(app="agent"):
            await cluster.client.delete("pods", objects.name(pod), "default")
        await cluster.until(lambda: len(cluster.pods(app="agent")) < 3, within=30)
        await cluster.until(lambda: served(cluster) == [*NODES], within=60)

    Lab(seed=2, nodes=3).run(scenario)


class Chaos:
    """Draws what happens next. `image` is what was rolled out last."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.random = random.Random(f"daemons/{seed}")
        self.image = "nginx:1.27"

    async def crash(self):
        part = self.random.choice(("controller-manager", "scheduler", "apiserver"))
        await self.cluster.stop(part)
        await self.cluster.sleep(self.random.uniform(0, 5))
        await self.cluster.start(part, wait=False)

    async def kill(self):
        node = self.random.choice(NODES)
        await self.cluster.kill_node(node)
        await self.cluster.sleep(self.random.choice((1, 60)))
        await self.cluster.revive_node(node)

    async def roll(self):
        self.image = f"nginx:{self.random.randrange(9)}"
        surge = self.random.randrange(2)
        rolling = {"maxSurge": surge, "maxUnavailable": 1 - surge}
        strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
        containers = [{"name": "agent", "image": self.image}]
        template = {"spec": {"containers": containers}}
        await patched(self.cluster, {"updateStrategy": strategy, "template": template})

    async def taint(self):
        effect = self.random.choice(("NoSchedule", "NoExecute"))
        node = self.random.choice(NODES)
        taints = [{"key": "mine", "effect": effect}]
        await self.cluster.client.patch("nodes", node, {"spec": {"taints": taints}})
        await self.cluster.sleep(self.random.uniform(0, 10))

    async def delete(self):
        for pod in self.random.sample(self.cluster.pods(app="agent"), 1):
            await self.cluster.client.delete("pods", objects.name(pod), "default")

    async def step(self):
        acts = [self.crash, self.kill, self.roll, self.roll, self.taint]
        acts += [self.delete] if self.cluster.pods(app="agent") else []
        try:
            await self.random.choice(acts)()
        except (errors.NotFound, errors.ServiceUnavailable):
            return  # the API server is not up again yet


@pytest.mark.parametrize("seed", range(8))
def test_every_node_has_its_pod_after_any_course_of_failures(seed):
    async def scenario(cluster):
        chaos = Chaos(cluster, seed)
        await cluster.apply(AGENT)
        for _ in range(chaos.random.randrange(4, 10)):
            await chaos.step()
            await cluster.sleep(chaos.random.choice((0.003, 0.1, 2, 30)))
        await cluster.until(lambda: len(cluster.ready_nodes()) == 3, within=200)
        for node in NODES:
            await cluster.client.patch("nodes", node, {"spec": {"taints": None}})
        chaos.image = "nginx:last"
        containers = [{"name": "agent", "image": chaos.image}]
        await patched(cluster, {"template": {"spec": {"containers": containers}}})
        await cluster.until(
            lambda: (
                served(cluster, chaos.image) == [*NODES] and len(cluster.pods(app="agent")) == 3
            ),
            within=1200,
        )

    Lab(seed=seed, nodes=3).run(scenario)
