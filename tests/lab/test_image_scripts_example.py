"""examples/image_scripts: what it says is so."""

from pathlib import Path
from typing import Any

from cluster.api import conditions, imagescripts, objects
from cluster.cli import flagcheck
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster
from cluster.launcher import topology_file

EXAMPLE = Path(__file__).parents[2] / "examples" / "image_scripts"
SCRIPTS = EXAMPLE / "images.yaml"


def test_its_cluster_file_names_its_scripts() -> None:
    found = topology_file.load(EXAMPLE / "cluster.yaml", flagcheck.complaints)
    assert Path(found.image_scripts) == SCRIPTS


def test_the_shop_does_what_it_is_told() -> None:
    async def scenario(cluster: Cluster) -> None:
        def pods(prefix: str) -> list[dict[str, Any]]:
            return [one for one in cluster.pods() if objects.name(one).startswith(prefix)]

        def ready(prefix: str) -> bool:
            found = pods(prefix)
            return bool(found) and all(conditions.is_true(one, "Ready") for one in found)

        def canary() -> dict[str, Any]:
            statuses = objects.status(pods("cart-canary")[0]).get("containerStatuses")
            return statuses[0] if statuses else {}

        await cluster.apply({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": imagescripts.CONFIG_MAP, "namespace": imagescripts.NAMESPACE},
            "data": {SCRIPTS.name: SCRIPTS.read_text()},
        })  # fmt: skip
        await cluster.apply((EXAMPLE / "shop.yaml").read_text())
        await cluster.until(lambda: ready("catalog-warm") and len(pods("catalog")) == 3, within=4)
        assert not ready("catalog")
        await cluster.until(lambda: ready("catalog"), within=10)
        said = await cluster.logs("catalog-warm")
        assert said.startswith("reading 40000 articles\nconnected to the database\n")
        await cluster.until(lambda: canary().get("restartCount", 0) >= 2, within=60)
        assert canary()["lastState"]["terminated"]["exitCode"] == 3
        assert await cluster.logs("cart-canary") == "panic: no carts\n"
        assert ready("catalog")
        job = cluster.get("jobs.batch", "import", "default") or {}
        assert conditions.is_true(job, "Complete")

    Lab(seed=1, nodes=1).run(scenario)
