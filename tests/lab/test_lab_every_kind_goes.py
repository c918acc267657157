"""A namespace with an object of every namespaced kind goes, and owners of every sort are minded."""

from collections.abc import Sequence
from typing import Any

import minimal_objects
import pytest

from cluster.api import conditions, objects, resources
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster

CROPS = "crops.farm.example.com"
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


def definition(scope: str, plural: str, kind: str) -> Any:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.farm.example.com"},
        "spec": {
            "group": "farm.example.com",
            "scope": scope,
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }


def namespaced() -> list[resources.Resource]:
    """One row of each stored namespaced kind."""
    table = resources.built_in()
    found = {row.id: row for row in table if row.namespaced and not row.stored_as}
    return [row for row in found.values() if {"create", "delete", "list"} <= set(row.verbs)]


async def fill(cluster: Cluster, namespace: str) -> list[str]:
    made = []
    for row in namespaced():
        obj = minimal_objects.of(row)
        obj["metadata"] = obj["metadata"] | {"namespace": namespace}
        if "involvedObject" in obj:
            obj["involvedObject"] = obj["involvedObject"] | {"namespace": namespace}
        await cluster.client.create(row.id, obj)
        made.append(row.id)
    return made


async def define(cluster: Cluster, scope: str, plural: str, kind: str) -> str:
    """A custom resource that is served; its id."""
    await cluster.client.create(DEFINITIONS, definition(scope, plural, kind))
    name = f"{plural}.farm.example.com"

    def served() -> bool:
        found = cluster.get(DEFINITIONS, name)
        return found is not None and conditions.is_true(found, "Established")

    await cluster.until(served, within=30)
    return name


def left(cluster: Cluster, kinds: Sequence[str], namespace: str) -> list[str]:
    return [kind for kind in kinds if cluster.list(kind, namespace)]


def test_a_namespace_with_every_kind_and_many_custom_ones_goes() -> None:
    async def scenario(cluster: Cluster) -> tuple[int, float]:
        crops = [await define(cluster, "Namespaced", f"crop{n}s", f"Crop{n}") for n in range(20)]
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "full"}}
        await cluster.apply(namespace)
        kinds = [*await fill(cluster, "full"), *crops]
        for number, kind in enumerate(crops):
            await cluster.client.create(kind, custom(f"Crop{number}", "full"))
        await cluster.sleep(5)
        assert left(cluster, kinds, "full") == kinds
        began = cluster.now()
        await cluster.client.delete("namespaces", "full")
        await cluster.until(lambda: cluster.get("namespaces", "full") is None, within=60)
        assert left(cluster, kinds, "full") == []
        return len(kinds), cluster.now() - began

    count, seconds = Lab(seed=3, nodes=1).run(scenario)
    assert count >= 50
    assert seconds < 10


def custom(kind: str, namespace: str = "", name: str = "web", **meta: Any) -> Any:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | meta
    return {"apiVersion": "farm.example.com/v1", "kind": kind, "metadata": metadata}


def below(owner: Any, obj: Any) -> Any:
    """`obj`, owned by `owner`, which waits for it where it is deleted in the foreground."""
    reference = {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": objects.name(owner),
        "uid": objects.uid(owner), "blockOwnerDeletion": True,
    }  # fmt: skip
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": [reference]}}


def plain(kind: str, name: str = "web", namespace: str = "default") -> Any:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    api = {"Deployment": "apps/v1", "ClusterRole": "rbac.authorization.k8s.io/v1"}.get(kind, "v1")
    obj: Any = {"apiVersion": api, "kind": kind, "metadata": meta}
    if kind == "Deployment":
        obj["spec"] = {
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "web", "image": "nginx"}]},
            },
        }
    if kind == "ClusterRole":
        obj["rules"] = []
    return obj


CONFIGMAPS, DEPLOYMENTS, ROLES = (
    "configmaps", "deployments.apps", "clusterroles.rbac.authorization.k8s.io",
)  # fmt: skip
FARMS = "farms.farm.example.com"
PAIRS = {
    "custom owns built-in": (CROPS, custom("Crop", "default"), DEPLOYMENTS, plain("Deployment")),
    "built-in owns custom": (CONFIGMAPS, plain("ConfigMap"), CROPS, custom("Crop", "default")),
    "cluster-scoped custom owns namespaced": (
        FARMS, custom("Farm"), DEPLOYMENTS, plain("Deployment"),
    ),
    "cluster-scoped built-in owns custom": (
        ROLES, plain("ClusterRole", namespace=""), CROPS, custom("Crop", "default"),
    ),
    "cluster-scoped owns cluster-scoped": (
        FARMS, custom("Farm"), ROLES, plain("ClusterRole", namespace=""),
    ),
}  # fmt: skip


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
@pytest.mark.parametrize("pair", PAIRS)
def test_owners_of_every_sort_are_minded(pair: str, policy: str) -> None:
    upper, owner, lower, dependent = PAIRS[pair]

    async def scenario(cluster: Cluster) -> None:
        await define(cluster, "Namespaced", "crops", "Crop")
        await define(cluster, "Cluster", "farms", "Farm")
        made = await cluster.client.create(upper, owner)
        await cluster.client.create(lower, below(made, dependent))
        await cluster.sleep(10)
        place, under = objects.namespace(made), objects.namespace(dependent)
        assert cluster.get(lower, "web", under) is not None
        await cluster.client.delete(upper, "web", place, propagation=policy)
        if policy == "Foreground":
            await cluster.until(lambda: cluster.get(lower, "web", under) is None, within=60)
        await cluster.until(lambda: cluster.get(upper, "web", place) is None, within=60)
        await cluster.sleep(30)
        found = cluster.get(lower, "web", under)
        if policy != "Orphan":
            assert found is None
            assert cluster.pods() == []
        else:
            assert found is not None
            assert "ownerReferences" not in objects.meta(found)

    Lab(seed=4, nodes=1).run(scenario)


def test_a_namespaced_owner_of_what_is_cluster_scoped_does_not_count() -> None:
    async def scenario(cluster: Cluster) -> None:
        made = await cluster.client.create(CONFIGMAPS, plain("ConfigMap"))
        await cluster.client.create(ROLES, below(made, plain("ClusterRole", namespace="")))
        await cluster.sleep(30)
        assert cluster.get(ROLES, "web") is not None
        told = [
            event["message"]
            for event in cluster.list("events")
            if event.get("reason") == "OwnerRefInvalidNamespace"
        ]
        named = f"[v1/ConfigMap, namespace: , name: web, uid: {objects.uid(made)}]"
        assert told == [f'ownerRef {named} does not exist in namespace ""']
        await cluster.client.delete(CONFIGMAPS, "web", "default")
        await cluster.sleep(30)
        assert cluster.get(ROLES, "web") is not None
        await cluster.client.delete(ROLES, "web")

    Lab(seed=4, nodes=1).run(scenario)
