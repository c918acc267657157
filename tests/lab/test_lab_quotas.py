"""Quotas in a whole cluster."""

from scenarios import web

from cluster.api import objects
from cluster.lab.lab import Lab

QUOTAS = "resourcequotas"


def quota(**hard):
    meta = {"name": "few", "namespace": "default"}
    spec = {"hard": {key.replace("_", "."): str(value) for key, value in hard.items()}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": spec}


def used(cluster):
    return objects.status(cluster.get(QUOTAS, "few", "default")).get("used")


def test_a_deployment_gets_as_many_pods_as_its_quota_has_room_for():
    async def scenario(cluster):
        await cluster.apply([quota(pods=2, services=5)])
        await cluster.until(lambda: used(cluster) == {"pods": "0", "services": "1"}, within=10)
        await cluster.apply(web(3))
        await cluster.until(lambda: used(cluster) == {"pods": "2", "services": "2"}, within=30)
        await cluster.sleep(30)
        assert len(cluster.list("pods", "default")) == 2
        await cluster.apply([quota(pods=3, services=5)])
        await cluster.until(lambda: (used(cluster) or {}).get("pods") == "3", within=1200)
        await cluster.apply(web(0))
        await cluster.until(lambda: (used(cluster) or {}).get("pods") == "0", within=60)

    Lab(seed=5, nodes=2).run(scenario)


def test_the_same_seed_tells_the_same_of_quotas():
    async def scenario(cluster):
        await cluster.apply([quota(pods=2)])
        await cluster.apply(web(3))
        await cluster.until(lambda: used(cluster) == {"pods": "2"}, within=60)

    def digest():
        lab = Lab(seed=6, nodes=1)
        lab.run(scenario)
        return lab.log.digest

    assert digest() == digest()
