"""Pods of different nodes reach each other in the lab, and NetworkPolicies say who may."""

from typing import Any

import pytest

from cluster.api import objects
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

NAMES = {"web": "node-1", "near": "node-1", "far": "node-2"}


def pod(name: str, node: str) -> dict[str, Any]:
    image = "nginx" if name == "web" else "busybox"
    container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 80}]}
    if image == "busybox":
        container["command"] = ["sleep", "100000"]
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"nodeName": node, "containers": [container]},
    }  # fmt: skip


def policy(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "some"}, "spec": {"podSelector": {}, **spec},
    }  # fmt: skip


def app(name: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"app": name}}}


SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 8080, "targetPort": "http"}]},
}  # fmt: skip

CASES = {
    "nobody may enter": ({}, []),
    "far may enter": ({"ingress": [{"from": [app("far")]}]}, ["far"]),
    "near may enter at a named port": (
        {"ingress": [{"from": [app("near")], "ports": [{"port": "http"}]}]}, ["near"],
    ),
    "at another port nobody": ({"ingress": [{"ports": [{"port": 443}]}]}, []),
    "by address": (
        {"ingress": [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16"}}]}]}, ["near", "far"],
    ),
    "nobody may leave": ({"policyTypes": ["Egress"]}, []),
    "to web may leave": ({"policyTypes": ["Egress"], "egress": [{"to": [app("web")]}]},
                         ["near", "far"]),
}  # fmt: skip


async def reached(cluster: Cluster, url: str) -> list[str]:
    """Which pods get an answer."""
    found = []
    for name in ("near", "far"):
        done = await cluster.exec(name, "wget", "-qO-", "-T", "2", url)
        if "Welcome to nginx" in done.out:
            found.append(name)
        else:
            assert "timed out" in done.err, done
    return found


@pytest.mark.parametrize("backend", ["vxlan", "routed", "mesh"])
def test_pods_of_all_nodes_reach_a_pod_and_a_service_as_far_as_policies_let_them(
    backend: str,
) -> None:
    async def scenario(cluster: Cluster) -> None:
        for name, node in NAMES.items():
            await cluster.apply(pod(name, node))
        await cluster.apply(SERVICE)
        await cluster.until(lambda: len(cluster.pods(ready=True)) == len(NAMES), within=60)
        web, service = (
            cluster.get("pods", "web", "default"),
            cluster.get("services", "web", "default"),
        )
        assert web is not None
        assert service is not None
        urls = f"http://{web['status']['podIP']}", f"http://{service['spec']['clusterIP']}:8080"
        await cluster.sleep(1)
        for url in urls:
            assert await reached(cluster, url) == ["near", "far"], url
        for case, (spec, expected) in CASES.items():
            await cluster.apply(policy(**spec))
            await cluster.sleep(1)
            for url in urls:
                assert await reached(cluster, url) == expected, (case, url)
            await cluster.client.delete("networkpolicies.networking.k8s.io", "some", "default")
            await cluster.sleep(1)
        assert await reached(cluster, urls[0]) == ["near", "far"]
        for node in cluster.list("nodes"):
            told = objects.annotations(node)["flannel.alpha.coreos.com/backend-type"]
            assert told == backend

    Lab(nodes=2, network_backend=backend).run(scenario)


def test_without_a_back_end_only_pods_of_the_same_node_reach_each_other() -> None:
    async def scenario(cluster: Cluster) -> None:
        for name, node in NAMES.items():
            await cluster.apply(pod(name, node))
        await cluster.until(lambda: len(cluster.pods(ready=True)) == len(NAMES), within=60)
        web = cluster.get("pods", "web", "default")
        assert web is not None
        url = f"http://{web['status']['podIP']}"
        assert "Welcome" in (await cluster.exec("near", "wget", "-qO-", url)).out
        done = await cluster.exec("far", "wget", "-qO-", "-T", "2", url)
        assert "No route to host" in done.err

    Lab(nodes=2, network_backend="").run(scenario)


def test_a_node_that_was_dead_is_reached_again_by_its_new_vtep() -> None:
    async def scenario(cluster: Cluster) -> None:
        for name, node in NAMES.items():
            await cluster.apply(pod(name, node))
        await cluster.until(lambda: len(cluster.pods(ready=True)) == len(NAMES), within=60)
        data = "flannel.alpha.coreos.com/backend-data"

        def told() -> str:
            node = cluster.get("nodes", "node-1")
            return objects.annotations(node)[data] if node else ""

        before = told()
        await cluster.kill_node("node-1")
        await cluster.sleep(5)
        await cluster.revive_node("node-1")
        await cluster.until(lambda: told() != before, within=60)

        def address() -> str:
            web = cluster.get("pods", "web", "default")
            return str(web["status"].get("podIP") or "") if web else ""

        await cluster.until(lambda: len(cluster.pods(ready=True)) == len(NAMES), within=120)
        await cluster.sleep(1)
        done = await cluster.exec("far", "wget", "-qO-", "-T", "2", f"http://{address()}")
        assert "Welcome to nginx" in done.out, done

    Lab(nodes=2).run(scenario)
