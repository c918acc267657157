"""examples/scheduler_plugin: the package's own files, in the lab."""

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

from cluster.api import conditions
from cluster.cli import schedulerconfig
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster
from cluster.launcher import topology_file
from cluster.scheduler.config import Config
from cluster.scheduler.plugins import outside

EXAMPLE = Path(__file__).parents[2] / "examples" / "scheduler_plugin"

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default, annotations: {annotations}}}
spec: {{schedulerName: {scheduler}, containers: [{{name: c, image: nginx}}]}}
"""


def _module() -> Any:
    spec = importlib.util.spec_from_file_location("cost_aware", EXAMPLE / "cost_aware.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_package_offers_its_plugin_where_it_is_looked_for():
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"][outside.GROUP]["CostAware"].partition(":")
    assert getattr(_module(), name).name == "CostAware"
    assert (EXAMPLE / f"{module}.py").is_file()


def test_its_cluster_file_names_its_configuration():
    found = topology_file.load(EXAMPLE / "cluster.yaml")
    assert Path(found.scheduler_config) == EXAMPLE / "scheduler.yaml"
    assert [node.name for node in found.nodes] == ["cheap", "dear"]


def test_thrifty_pods_go_where_it_is_cheap_and_to_nothing_above_their_worth(monkeypatch: Any):
    monkeypatch.setattr(outside, "missing", lambda _name: "")
    loaded = schedulerconfig.load(EXAMPLE / "scheduler.yaml")
    plugins = {"CostAware": _module().CostAware}
    config = Config(**schedulerconfig.fields(loaded), plugins=plugins)

    async def price(cluster: Cluster, node: str, cost: str) -> None:
        labels = {"metadata": {"labels": {"example.com/hourly-cost": cost}}}
        await cluster.client.patch("nodes", node, labels)

    def node_of(cluster: Cluster, name: str) -> str:
        pods = [one for one in cluster.pods() if one["metadata"]["name"] == name]
        return pods[0]["spec"].get("nodeName", "") if pods else ""

    def refused(cluster: Cluster, name: str) -> str:
        pods = [one for one in cluster.pods() if one["metadata"]["name"] == name]
        found = conditions.find(pods[0], "PodScheduled") if pods else None
        return str((found or {}).get("message", ""))

    async def scenario(cluster: Cluster) -> None:
        await price(cluster, "node-1", "0.40")
        await price(cluster, "node-2", "0.05")
        names = [f"cheap-{number}" for number in range(4)]
        for name in names:
            await cluster.apply(POD.format(name=name, scheduler="thrifty", annotations="{}"))
        await cluster.until(lambda: all(node_of(cluster, name) for name in names), within=30)
        assert {node_of(cluster, name) for name in names} == {"node-2"}
        worth = '{example.com/max-hourly-cost: "0.01"}'
        await cluster.apply(POD.format(name="poor", scheduler="thrifty", annotations=worth))
        await cluster.until(lambda: refused(cluster, "poor") != "", within=30)
        assert refused(cluster, "poor").startswith(
            "0/2 nodes are available: 2 node(s) cost more than the pod is worth."
        )
        await price(cluster, "node-1", "0.01")
        await cluster.until(lambda: node_of(cluster, "poor") == "node-1", within=60)

    Lab(seed=3, nodes=2, scheduler=config).run(scenario)
