"""Scenarios that several tests share. Run as a program, it prints the event log of one."""

import logging
import sys

import structlog

from cluster.api import objects
from cluster.lab.lab import Lab

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        ports: [{containerPort: 80}]
        resources: {requests: {cpu: 100m, memory: 64Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 80}]
"""


def web(replicas):
    """The manifest with another number of replicas."""
    return WEB.replace("replicas: 3", f"replicas: {replicas}")


def elsewhere(cluster, node, count):
    """Whether `count` pods of the Deployment are Ready on nodes other than `node`."""
    ready = cluster.pods(ready=True, app="web")
    return len([pod for pod in ready if objects.spec(pod)["nodeName"] != node]) >= count


async def node_dies(cluster, *, replicas=3, node="node-2", last=0.0):
    """A node dies under a Deployment; its times: of death, NotReady, and all Ready elsewhere."""
    await cluster.apply(web(replicas))
    await cluster.until(lambda: len(cluster.pods(ready=True, app="web")) == replicas, within=60)
    await cluster.sleep(60)
    died = cluster.now()
    await cluster.kill_node(node)
    await cluster.until(lambda: node not in cluster.ready_nodes(), within=120)
    not_ready = cluster.now()
    await cluster.until(lambda: elsewhere(cluster, node, replicas), within=600)
    moved = cluster.now()
    if cluster.now() < last:
        await cluster.sleep(last - cluster.now())
    return died, not_ready, moved


def quiet():
    """Let components log errors only."""
    level = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=level)


if __name__ == "__main__":
    quiet()
    lab = Lab(seed=sys.argv[1], nodes=3)
    times = lab.run(node_dies)
    sys.stdout.write(f"{times}\n{lab.log.text}{lab.log.digest} {lab.seconds}\n")
