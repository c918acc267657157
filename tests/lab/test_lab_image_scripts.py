"""The ConfigMap kube-system/kubemu-images: what images do, said while a cluster runs."""

from typing import Any

from cluster.api import conditions, objects
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

SCRIPTS = """
images:
- image: shop/*
  ready-after: 30s
  log: [warming up]
- image: batch/*
  run-for: 5s
"""


def _map(text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubemu-images", "namespace": "kube-system"},
        "data": {"broken.yaml": "images: 1", "images.yaml": text},
    }


def _pod(name: str, image: str, **annotations: str) -> dict[str, Any]:
    told = {f"kubemu.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": told},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]},
    }


def test_pods_that_start_do_what_the_config_map_says_of_their_images() -> None:
    async def scenario(cluster: Cluster) -> None:
        def pod(name: str) -> dict[str, Any]:
            return cluster.get("pods", name, "default") or {}

        def ready(name: str) -> bool:
            return bool(pod(name)) and conditions.is_true(pod(name), "Ready")

        await cluster.apply(_pod("before", "shop/web"))
        await cluster.until(lambda: ready("before"), within=10)
        await cluster.apply(_map(SCRIPTS))
        await cluster.sleep(6)
        await cluster.apply([
            _pod("web", "shop/web"), _pod("own", "shop/web", ready_after="1s"),
            _pod("job", "batch/import:v1"), _pod("other", "team/web"),
        ])  # fmt: skip
        await cluster.until(lambda: ready("other") and ready("own"), within=10)
        await cluster.until(
            lambda: objects.status(pod("job")).get("phase") == "Succeeded", within=15
        )
        assert not ready("web")
        assert await cluster.logs("web") == "warming up\n"
        await cluster.until(lambda: ready("web"), within=30)
        await cluster.client.delete("configmaps", "kubemu-images", "kube-system")
        await cluster.sleep(6)
        await cluster.apply(_pod("after", "shop/web"))
        await cluster.until(lambda: ready("after"), within=10)

    Lab(seed=1, nodes=1).run(scenario)
