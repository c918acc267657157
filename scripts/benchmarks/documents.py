"""The objects that are written while measuring: of the size and shape that users have."""

from typing import Any


def config_map(name: str) -> dict[str, Any]:
    """A small ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "bench"}},
        "data": {"level": "info", "file": "line one\nline two\n"},
    }


def pod_spec() -> dict[str, Any]:
    """A pod of one container, with what a chart usually sets."""
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10}
    return {
        "containers": [
            {
                "name": "web",
                "image": "nginx:1.27",
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(8)],
                "resources": {
                    "requests": {"cpu": "10m", "memory": "16Mi"},
                    "limits": {"memory": "64Mi"},
                },
                "livenessProbe": probe,
                "readinessProbe": probe,
                "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }


def pod(name: str) -> dict[str, Any]:
    """A pod that nobody schedules here: it names no node and no scheduler runs."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"app": "bench", "tier": "web", "pod-template-hash": "6d4cf56db6"},
            "annotations": {"example.com/checksum": "9f86d081884c7d659a2feaa0c55ad015" * 2},
        },
        "spec": pod_spec(),
    }


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """A Deployment of `replicas` small pods."""
    labels = {"app": name}
    container = {
        "name": "web",
        "image": "nginx:1.27",
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
