"""Jobs of images of which nothing is known."""

from typing import Any

from cluster.api import conditions, objects
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster


def _job(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": containers, **spec}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": pod}},
    }


def test_a_job_of_an_unknown_image_does_its_work_and_one_that_serves_goes_on() -> None:
    migration = {"name": "c", "image": "shop/migrate:v1", "command": ["./migrate", "--up"]}
    serving = {"name": "c", "image": "shop/api", "ports": [{"containerPort": 80}]}
    proxy = {"name": "proxy", "image": "mesh/proxy", "restartPolicy": "Always"}

    async def scenario(cluster: Cluster) -> None:
        def done(name: str) -> bool:
            return conditions.is_true(cluster.get("jobs.batch", name, "default") or {}, "Complete")

        jobs = [_job("plain", migration), _job("meshed", migration, initContainers=[proxy])]
        await cluster.apply([*jobs, _job("serving", serving)])
        await cluster.until(lambda: done("plain") and done("meshed"), within=15)
        await cluster.sleep(60)
        assert objects.status(cluster.get("jobs.batch", "serving", "default") or {})["ready"] == 1

    Lab(seed=1, nodes=1).run(scenario)
