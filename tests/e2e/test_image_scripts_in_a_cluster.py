"""examples/image_scripts with real processes: a file for nodes, a ConfigMap for the cluster."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from realcluster import Cluster, until

pytestmark = pytest.mark.usefixtures("kubectl")

EXAMPLE = Path(__file__).parents[2] / "examples" / "image_scripts"


@pytest.fixture(scope="module")
def scripted(clusters: Callable[..., Cluster]) -> Cluster:
    return clusters("scripted", "-f", str(EXAMPLE / "cluster.yaml"))


def _pod(name: str, image: str, node: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": image}],
        },
    }


def _make(cluster: Cluster, folder: Path, *pods: dict[str, Any]) -> None:
    file = folder / "pods.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
    cluster.kubectl("apply", "-f", str(file))


def _seconds_to_ready(pod: Any) -> int:
    """Whole seconds, as a pod tells times."""
    ready = next(one for one in pod["status"]["conditions"] if one["type"] == "Ready")
    began = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    times = [text[11:19].split(":") for text in (began, ready["lastTransitionTime"])]
    one, other = (int(h) * 3600 + int(m) * 60 + int(s) for h, m, s in times)
    return (other - one) % 86400


@pytest.mark.parametrize("node", ["real", "hollow-0"])
def test_a_file_says_what_images_do_on_all_nodes(
    scripted: Cluster, node: str, tmp_path: Path
) -> None:
    _make(scripted, tmp_path, _pod(f"catalog-{node}", "shop/catalog:v1", node))

    def pod() -> Any:
        return scripted.get("pod", f"catalog-{node}")

    def ready() -> bool:
        found = {one["type"]: one for one in pod()["status"].get("conditions", ())}
        return found.get("Ready", {}).get("status") == "True"

    until("the container runs", lambda: pod()["status"].get("phase") == "Running")
    until("the pod is ready", ready)
    assert 4 <= _seconds_to_ready(pod()) <= 9
    said = scripted.kubectl("logs", f"catalog-{node}")
    assert said.startswith("reading 40000 articles\nconnected to the database\n")
    path = f"/api/v1/namespaces/default/pods/catalog-{node}:8080/proxy/healthz"
    assert scripted.kubectl("get", "--raw", path) == "ok"


def test_a_config_map_says_so_for_what_is_made_from_then_on(
    scripted: Cluster, tmp_path: Path
) -> None:
    def configure(text: str, code: int = 0) -> str:
        file = tmp_path / "configmap.json"
        meta = {"name": "kubemu-images", "namespace": "kube-system"}
        found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": text}}
        file.write_text(json.dumps(found))
        return scripted.kubectl("apply", "-f", str(file), code=code)

    configure("images: [{image: team/*, log: [first]}]")
    assert _said_first(scripted, "a", tmp_path) == ["first", "first"]
    refused = configure("images: [{image: team/*, ready-after: soon}]", code=1)
    assert "images[0].ready-after: 'soon' is no duration" in refused
    assert _said_first(scripted, "b", tmp_path) == ["first", "first"]
    configure("images: [{image: team/*, log: [second]}]")
    assert _said_first(scripted, "c", tmp_path) == ["second", "second"]


def _said_first(cluster: Cluster, name: str, folder: Path) -> list[str]:
    """What new pods of these names log first, on a node with processes and on a hollow one."""
    names = {f"{name}-{node}": node for node in ("real", "hollow-0")}
    _make(cluster, folder, *(_pod(each, "team/web", node) for each, node in names.items()))

    def run() -> bool:
        found = [one for one in cluster.pods() if one["metadata"]["name"] in names]
        return [one["status"].get("phase") for one in found] == ["Running"] * 2

    until("both pods run", run)
    return [cluster.kubectl("logs", each).partition("\n")[0] for each in names]
