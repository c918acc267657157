"""The profile observability: every component tells its figures, and the dashboard finds them."""

import json
import re
import ssl
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from composecluster import NODES, ROOT, ComposeCluster, page, until
from composefigures import Prometheus, image_of, start

pytestmark = [
    pytest.mark.usefixtures("docker"),
    pytest.mark.e2e,
    pytest.mark.composed,
    pytest.mark.timeout(1200),
]

DASHBOARD = ROOT / "compose/observability/grafana/kubemu.json"


def queries() -> dict[str, str]:
    """The queries of the dashboard, by the titles of its panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {one["title"]: target["expr"] for one in panels for target in one["targets"]}


def series(query: str) -> set[str]:
    """The names of series that a query asks for: what has an underscore and is no function."""
    return set(re.findall(r"\b[a-z]+_[a-z_]+\b(?!\s*\()", query))


@pytest.fixture(scope="module")
def cluster(clusters: Callable[..., ComposeCluster]) -> ComposeCluster:
    """Without the profile: what of it can be had is started by those who ask for it."""
    found = clusters("v2", KUBEMU_PROMETHEUS_IMAGE=image_of("prometheus"))
    until("three nodes are Ready", lambda: found.ready_nodes() == NODES)
    found.kubectl("apply", "-f", "compose/observability/rbac.yaml")
    found.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=3")
    until("three pods are Ready", lambda: len(found.pods("app=web")) == 3)
    return found


@pytest.fixture(scope="module")
def prometheus(cluster: ComposeCluster) -> Prometheus:
    return Prometheus(start(cluster, "prometheus"))


def told(figures: str) -> set[str]:
    """The names of the series in what a component tells."""
    return set(re.findall(r"^[a-z][a-z0-9_]*", figures, re.MULTILINE))


def administrator(cluster: ComposeCluster, folder: Path) -> ssl.SSLContext:
    """TLS as the administrator, whose certificate and authority are in the kubeconfig."""
    view = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    user, server = view["users"][0]["user"], view["clusters"][0]["cluster"]
    for name in ("client-certificate-data", "client-key-data"):
        (folder / name).write_bytes(b64decode(user[name]))
    trusted = b64decode(server["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=trusted)
    # Containers are asked by their addresses, certificates name the services.
    context.check_hostname = False
    context.load_cert_chain(folder / "client-certificate-data", folder / "client-key-data")
    return context


def test_components_tell_every_figure_of_the_dashboard(
    cluster: ComposeCluster, tmp_path: Path
) -> None:
    context = administrator(cluster, tmp_path)
    names = told(cluster.kubectl("get", "--raw", "/metrics"))
    for service, port in (("scheduler", 10259), ("controller-manager", 10257)):
        url = f"https://{cluster.address_of(service)}:{port}/metrics"
        names |= told(page(url, context).decode())
    for number, node in enumerate(NODES, 1):
        for port in (10249, 9100):
            names |= told(page(f"http://{cluster.address(number)}:{port}/metrics").decode())
        names |= told(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics"))
    wanted = {title: series(query) for title, query in queries().items()}
    assert {title: missing for title, all_ in wanted.items() if (missing := all_ - names)} == {}
    # Not by there being nothing to look for.
    assert sum(map(bool, wanted.values())) == len(wanted) - 1


def test_prometheus_scrapes_every_component(prometheus: Prometheus) -> None:
    everyone = Counter(
        {"apiserver": 1, "scheduler": 1, "controller-manager": 1}
        | dict.fromkeys(("kubelet", "containers", "kube-proxy", "runtime"), 3)
    )
    until(f"{everyone} answer", lambda: prometheus.targets() == everyone)


def test_every_query_of_the_dashboard_finds_something(prometheus: Prometheus) -> None:
    for title, query in queries().items():
        # A panel that shows what is above nothing is empty as long as all is well.
        bare = query.removesuffix(" > 0")
        until(f"{title} finds something: {bare}", lambda bare=bare: prometheus.find(bare))


def test_grafana_shows_the_dashboard(cluster: ComposeCluster) -> None:
    url = start(cluster, "grafana")

    def shown() -> Any:
        try:
            return json.loads(page(f"{url}/api/dashboards/uid/kubemu"))
        except OSError:
            return None

    panels = until("Grafana has the dashboard", shown)["dashboard"]["panels"]
    assert [one["title"] for one in panels] == list(queries())
