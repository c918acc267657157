"""A Deployment behind a Service, updated while it is asked: what labs and real clusters share."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

NODE_PORT = 31090
GATE = "example.com/balanced"
"""A condition that somebody else than the kubelet sets, as balancers outside do."""
LINGER = 2
"""Seconds that a pod serves on when it is told to end."""
SLOW = "?wait=1s"
"""A request that takes long, but less long than that."""
CLIENT = """
apiVersion: v1
kind: Pod
metadata: {name: load}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: client, image: busybox, command: [sleep, "100000"]}]
"""


def manifest() -> str:
    """The Service and the Deployment, of version v1."""
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: rolling}}
spec:
  type: NodePort
  selector: {{app: rolling}}
  ports: [{{port: 80, targetPort: 8080, nodePort: {NODE_PORT}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: rolling}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: rolling}}}}
  strategy: {{rollingUpdate: {{maxUnavailable: 0, maxSurge: 1}}}}
  template:
    metadata: {{labels: {{app: rolling}}}}
    spec:
      readinessGates: [{{conditionType: {GATE}}}]
      containers:
      - name: server
        image: traefik/whoami
        args: ["--port=8080"]
        env: [{{name: WHOAMI_NAME, value: v1}}]
        readinessProbe: {{httpGet: {{port: 8080, path: /health}}, periodSeconds: 1}}
        lifecycle: {{preStop: {{sleep: {{seconds: {LINGER}}}}}}}
"""


def update(version: str) -> dict[str, Any]:
    """The patch (strategic) to another version."""
    server = {"name": "server", "env": [{"name": "WHOAMI_NAME", "value": version}]}
    return {"spec": {"template": {"spec": {"containers": [server]}}}}


def waiting(pod: dict[str, Any]) -> bool:
    """Whether a pod's containers are ready and nobody has passed it yet."""
    status = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
    return status.get("ContainersReady") == "True" and status.get(GATE) != "True"


PASS = {"status": {"conditions": [{"type": GATE, "status": "True"}]}}
"""The patch (strategic) of a pod's status that passes it."""


def rolled(deployment: dict[str, Any]) -> bool:
    """Whether all replicas are of the new version, and those of the old are gone."""
    status = deployment["status"]
    counts = [status.get(name, 0) for name in ("updatedReplicas", "availableReplicas", "replicas")]
    observed = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return observed and counts == [3, 3, 3]


def script(url: str, pause: float = 0.02) -> str:
    """For the shell: ask, until there is /tmp/stop, and say each answer's version or what it was
    instead.
    """
    return (
        "while [ ! -e /tmp/stop ]; do "
        f'said=$(wget -qO- -T 5 "{url}" 2>&1); echo "$said" | grep "^Name: " || '
        f'echo "failed: $said"; sleep {pause}; done'
    )


def judged(said: Iterable[str]) -> Counter[str]:
    """How many answers came from each version. AssertionError, where a request failed."""
    lines = [line for text in said for line in text.splitlines() if line]
    failed = [line for line in lines if not line.startswith("Name: ")]
    assert not failed, f"{len(failed)} of {len(lines)} requests: {failed[:5]}"
    return Counter(line.removeprefix("Name: ") for line in lines)
