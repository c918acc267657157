"""A question to a cluster, answered on virtual time: how long is a service short when a node dies?

.venv/bin/python examples/node_dies.py
"""

import logging

import structlog

from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx}]
"""


async def scenario(cluster: Cluster) -> float:
    """The virtual seconds from a node's death until all replicas are Ready elsewhere."""
    await cluster.apply(WEB)
    await cluster.until(lambda: len(cluster.pods(ready=True, app="web")) == 6, within=30)
    died = cluster.now()
    await cluster.kill_node("node-2")

    def moved() -> bool:
        pods = cluster.pods(ready=True, app="web")
        return len(pods) == 6 and all(pod["spec"]["nodeName"] != "node-2" for pod in pods)

    await cluster.until(moved, within=900, what="all replicas Ready elsewhere")
    return cluster.now() - died


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    lab = Lab(seed=1, nodes=3)
    print(f"short of replicas for {lab.run(scenario):.1f} s")
    print(f"{lab.seconds:.0f} virtual seconds in all")
