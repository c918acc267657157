"""The manifests of examples/ do what their comments say."""

from pathlib import Path

import yaml

from cluster.api import objects
from cluster.lab.lab import Lab

EXAMPLES = Path(__file__).parents[2] / "examples"


def documents(name):
    return [one for one in yaml.safe_load_all((EXAMPLES / name).read_text()) if one]


def test_each_kind_of_workload_does_its_work():
    async def scenario(cluster):
        await cluster.apply(documents("workloads.yaml"))

        def told(resource, name, field):
            found = cluster.get(resource, name, "default")
            return objects.status(found).get(field) if found else None

        await cluster.until(
            lambda: told("statefulsets.apps", "db", "readyReplicas") == 3, within=120
        )
        await cluster.until(
            lambda: told("daemonsets.apps", "agent", "numberReady") == 3, within=120
        )
        await cluster.until(lambda: told("jobs.batch", "render", "succeeded") == 6, within=120)
        assert told("jobs.batch", "render", "completedIndexes") == "0-5"
        claims = cluster.list("persistentvolumeclaims")
        assert sorted(map(objects.name, claims)) == ["data-db-0", "data-db-1", "data-db-2"]
        assert {objects.status(claim)["phase"] for claim in claims} == {"Bound"}
        await cluster.until(
            lambda: told("cronjobs.batch", "report", "lastSuccessfulTime") is not None, within=400
        )

    Lab(seed=1, nodes=3).run(scenario)


def test_the_autoscaler_follows_the_load():
    async def scenario(cluster):
        await cluster.apply(documents("autoscaling.yaml"))

        def replicas():
            found = cluster.get("deployments.apps", "shop", "default")
            return objects.status(found).get("readyReplicas") if found else None

        await cluster.until(lambda: replicas() == 2, within=60)
        patch = {"metadata": {"annotations": {"kubemu.dev/load": "900"}}}
        await cluster.client.patch("deployments.apps", "shop", patch, "default")
        # 900m of cpu at 60% of 100m each: fifteen pods, give or take the tolerance of a tenth.
        await cluster.until(lambda: 14 <= (replicas() or 0) <= 17, within=300)
        patch = {"metadata": {"annotations": {"kubemu.dev/load": "100"}}}
        await cluster.client.patch("deployments.apps", "shop", patch, "default")
        await cluster.until(lambda: (replicas() or 0) <= 2, within=900)

    Lab(seed=1, nodes=3).run(scenario)
