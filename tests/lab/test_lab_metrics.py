"""metrics.k8s.io in the lab: on virtual time, from kubelets that are called directly."""

from cluster.api import objects
from cluster.lab.lab import Lab

NODES = "nodes.metrics.k8s.io"
PODS = "pods.metrics.k8s.io"


def deployment(name, replicas, annotations=None):
    container = {
        "name": "web",
        "image": "nginx",
        "resources": {"requests": {"cpu": "200m", "memory": "64Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations or {}},
                "spec": {"containers": [container]},
            },
        },
    }


def test_nodes_and_pods_use_what_they_were_told_to_and_a_dead_node_is_left_out():
    async def scenario(cluster):
        await cluster.apply(deployment("web", 4))
        await cluster.apply(deployment("busy", 1, {"kubemu.dev/cpu": "1500m"}))

        def running():
            pods = cluster.list("pods", "default")
            return len(pods) == 5 and all(pod["status"].get("phase") == "Running" for pod in pods)

        await cluster.until(running, within=60)
        found = (await cluster.client.list(PODS, "default")).items
        assert len(found) == 5
        usage = {objects.labels(pod)["app"]: pod["containers"][0]["usage"] for pod in found}
        assert usage == {
            "web": {"cpu": "20m", "memory": "32Mi"},
            "busy": {"cpu": "1500m", "memory": "32Mi"},
        }
        listed = (await cluster.client.list(PODS, "default", labels="app=busy")).items
        assert len(listed) == 1
        nodes = (await cluster.client.list(NODES)).items
        assert [objects.name(node) for node in nodes] == ["node-1", "node-2", "node-3"]
        await cluster.kill_node("node-2")
        await cluster.sleep(120)
        nodes = (await cluster.client.list(NODES)).items
        assert [objects.name(node) for node in nodes] == ["node-1", "node-3"]
        statuses = (await cluster.client.list("componentstatuses")).items
        healthy = {objects.name(one): one["conditions"][0]["status"] for one in statuses}
        assert healthy == {"controller-manager": "True", "etcd-0": "True", "scheduler": "True"}
        await cluster.stop("scheduler")
        (scheduler,) = (
            one
            for one in (await cluster.client.list("componentstatuses")).items
            if objects.name(one) == "scheduler"
        )
        assert scheduler["conditions"][0]["status"] == "False"

    Lab(seed=5, nodes=3).run(scenario)
