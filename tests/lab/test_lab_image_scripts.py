"""The ConfigMap kube-system/kubemu-images: what images do, said while a cluster runs."""

import asyncio
import random
from typing import Any, cast

import pytest

from cluster.aio import virtual
from cluster.api import conditions, errors, objects
from cluster.client.client import Client, Event
from cluster.kubelet.imagescripts import ImageScripts
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster
from cluster.pb.cri.v1 import api_pb2 as pb

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
        "data": {"images.yaml": text},
    }


def _pod(name: str, image: str, *, restarts: str = "Never", **annotations: str) -> dict[str, Any]:
    told = {f"kubemu.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": told},
        "spec": {"restartPolicy": restarts, "containers": [{"name": "c", "image": image}]},
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
        await cluster.sleep(0.05)
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
        await cluster.sleep(0.05)
        await cluster.apply(_pod("after", "shop/web"))
        await cluster.until(lambda: ready("after"), within=10)

    Lab(seed=1, nodes=1).run(scenario)


def test_what_is_wrong_is_refused_and_what_was_right_stays() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.apply(_map("images: [{image: shop/*, log: [right]}]"))
        for verb in (cluster.client.update, cluster.client.create):
            with pytest.raises(errors.Invalid) as caught:
                await verb("configmaps", _map("images: [{image: shop/*, cpu: fast}]"))
            assert "data[images.yaml]: Invalid value" in str(caught.value)
            assert "images[0].cpu: " in str(caught.value)
        elsewhere = _map("images: 1")
        elsewhere["metadata"]["namespace"] = "default"
        await cluster.apply(elsewhere)
        await cluster.apply(_pod("web", "shop/web"))
        await cluster.until(lambda: _runs(cluster, "web"), within=10)
        assert await cluster.logs("web") == "right\n"

    Lab(seed=1, nodes=1).run(scenario)


def test_a_container_that_is_made_anew_does_what_is_said_by_then() -> None:
    async def scenario(cluster: Cluster) -> None:
        def restarts() -> int:
            found = cluster.get("pods", "web", "default") or {}
            statuses = objects.status(found).get("containerStatuses") or [{}]
            return int(statuses[0].get("restartCount", 0))

        await cluster.apply(_map("images: [{image: shop/*, crash-after: 5s}]"))
        await cluster.apply(_pod("web", "shop/web", restarts="Always"))
        await cluster.until(lambda: restarts() == 1, within=10)
        await cluster.apply(_map("images: [{image: shop/*, log: [better]}]"))
        await cluster.until(lambda: restarts() == 2 and _runs(cluster, "web"), within=30)
        await cluster.sleep(10)
        assert restarts() == 2
        assert await cluster.logs("web") == "better\n"

    Lab(seed=1, nodes=1).run(scenario)


def test_containers_start_as_said_last_while_the_api_is_away() -> None:
    async def story() -> None:
        scripts = ImageScripts(cast("Client", None), random.Random(1))
        began = asyncio.get_running_loop().time()
        assert await _told(scripts) == ""  # nobody ever answered: three seconds, once
        assert await _told(scripts) == ""
        assert asyncio.get_running_loop().time() - began == pytest.approx(3)
        informer = scripts.informer
        informer.replace([_map("images: [{image: shop/*, log: [right]}]")], 1)
        assert await _told(scripts) == "right"
        # Of an API server that lets it through:
        informer.apply([Event("MODIFIED", _map("images: 1"), 2)])
        assert await _told(scripts) == "right"
        informer.apply([Event("MODIFIED", _map("images: []"), 3)])
        assert await _told(scripts) == ""
        informer.apply([Event("MODIFIED", _map("images: [{image: shop/*, log: [more]}]"), 4)])
        assert await _told(scripts) == "more"
        informer.apply([Event("DELETED", _map("images: [{image: shop/*, log: [more]}]"), 5)])
        assert await _told(scripts) == ""

    virtual.run(story())


async def _told(scripts: ImageScripts) -> str:
    config = pb.ContainerConfig(image=pb.ImageSpec(image="shop/web:v1"))
    await scripts.apply(config)
    return config.annotations.get("images.kubemu.dev/log", "")


def _runs(cluster: Cluster, name: str) -> bool:
    found = cluster.get("pods", name, "default")
    return found is not None and conditions.is_true(found, "Ready")
