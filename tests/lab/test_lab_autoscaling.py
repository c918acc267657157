"""A load that pods share: from a Deployment's annotation, by kubelets, to the autoscaler."""

import json

import pytest

from cluster.api import objects, quantity
from cluster.lab.lab import Lab

PODS = "pods.metrics.k8s.io"
DEPLOYMENTS = "deployments.apps"
HPAS = "horizontalpodautoscalers.autoscaling"


def deployment(replicas, load):
    template = {
        "metadata": {
            "labels": {"app": "web"},
            "annotations": {
                "kubemu.dev/load-from": "deployment/web",
                "kubemu.dev/cpu-per-load": "1m",
                "kubemu.dev/memory-per-load.web": "1Mi",
                "kubemu.dev/cpu": "0",
                "kubemu.dev/memory": "16Mi",
            },
        },
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": "nginx",
                    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "300Mi"}},
                }
            ]
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "annotations": {"kubemu.dev/load": load},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
        },
    }


AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 8,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 50},
                },
            }
        ],
    },
}


async def ready(cluster, count):
    await cluster.until(lambda: len(cluster.pods(ready=True, app="web")) == count, within=120)
    await cluster.sleep(31)  # what metrics.k8s.io tells is half a minute old at most


async def usage(cluster):
    found = (await cluster.client.list(PODS, "default")).items
    used = [one["usage"] for pod in found for one in pod["containers"]]
    return [(quantity.milli(each["cpu"]), quantity.value(each["memory"]) >> 20) for each in used]


def load(amount):
    return {"metadata": {"annotations": {"kubemu.dev/load": amount}}}


def test_ready_pods_share_the_load_of_their_workload():
    async def scenario(cluster):
        await cluster.apply(deployment(2, "400"))
        await ready(cluster, 2)
        assert await usage(cluster) == [(200, 216)] * 2
        await cluster.client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 4}}, "default")
        await ready(cluster, 4)
        assert await usage(cluster) == [(100, 116)] * 4
        await cluster.client.patch(DEPLOYMENTS, "web", load("4k"), "default")
        await cluster.sleep(31)
        assert await usage(cluster) == [(1000, 300)] * 4  # no more than the limit of memory
        await cluster.client.patch(DEPLOYMENTS, "web", load("0s=0,1000h=3600k"), "default")
        age = cluster.now()
        await cluster.sleep(31)
        (first, *_) = await usage(cluster)
        assert first[0] == pytest.approx((age + 31) / 4, rel=0.3)
        await cluster.client.patch(DEPLOYMENTS, "web", load("nonsense"), "default")
        await cluster.sleep(31)
        assert await usage(cluster) == [(0, 16)] * 4

    Lab(seed=7, nodes=2).run(scenario)


def test_the_autoscaler_follows_the_load_and_lets_go_after_five_minutes():
    async def scenario(cluster):
        def size():
            (found,) = cluster.list(DEPLOYMENTS, "default")
            return objects.spec(found)["replicas"]

        def condition(kind):
            (found,) = cluster.list(HPAS, "default")
            for one in objects.status(found).get("conditions") or ():
                if one["type"] == kind:
                    return one["reason"]
            return ""

        await cluster.apply(deployment(1, "50"))
        await cluster.apply(AUTOSCALER)
        await cluster.until(lambda: condition("ScalingActive") == "ValidMetricFound", within=120)
        assert size() == 1
        await cluster.client.patch(DEPLOYMENTS, "web", load("300"), "default")
        await cluster.until(lambda: size() == 6, within=180)
        await cluster.client.patch(DEPLOYMENTS, "web", load("80"), "default")
        fell = cluster.now()
        await cluster.until(lambda: condition("AbleToScale") == "ScaleDownStabilized", within=120)
        await cluster.until(lambda: size() < 6, within=600)
        assert 270 < cluster.now() - fell < 400
        await cluster.until(lambda: size() == 2, within=600)
        await cluster.client.patch(DEPLOYMENTS, "web", load("4000"), "default")
        await cluster.until(lambda: size() == 8, within=180)
        await cluster.until(lambda: condition("ScalingLimited") == "TooManyReplicas", within=60)
        events = (await cluster.client.list("events", "default")).items
        sizes = [event["message"] for event in events if event.get("reason") == "SuccessfulRescale"]
        high = "cpu resource utilization (percentage of request) above target"
        assert f"New size: 4; reason: {high}" in sizes
        assert "New size: 2; reason: All metrics below target" in sizes

    first, second = Lab(seed=11, nodes=3), Lab(seed=11, nodes=3)
    first.run(scenario)
    second.run(scenario)
    assert json.dumps(first.log.digest) == json.dumps(second.log.digest)
