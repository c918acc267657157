"""Leases of nodes go with their nodes."""

from cluster.api import objects
from cluster.lab.lab import Lab

LEASES, SPACE = "leases.coordination.k8s.io", "kube-node-lease"


def test_the_lease_of_a_node_that_is_removed_is_collected():
    async def scenario(cluster):
        names = lambda: {objects.name(one) for one in cluster.list(LEASES, SPACE)}  # noqa: E731
        await cluster.until(lambda: names() == {"node-1", "node-2"}, within=30)
        await cluster.kill_node("node-2")
        await cluster.client.delete("nodes", "node-2")
        await cluster.until(lambda: names() == {"node-1"}, within=60)

    Lab(seed=2, nodes=2).run(scenario)
