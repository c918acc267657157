"""docker-compose.yml with compose/ha.env: any one process of the control plane may be lost."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent import futures
from typing import Any

import pytest
from composecluster import NODES, ComposeCluster, answered, condition, page, until
from composefigures import Prometheus, image_of, start

pytestmark = [
    pytest.mark.usefixtures("docker"),
    pytest.mark.e2e,
    pytest.mark.composed,
    pytest.mark.timeout(1200),
]

MEMBERS = ["etcd-1", "etcd-2", "etcd-3"]
TAKEN_OVER = 60.0
"""A lease that nobody gives up is taken after 15 s; the rest is for this machine."""


@pytest.fixture(scope="module")
def ha(clusters: Callable[..., ComposeCluster]) -> ComposeCluster:
    cluster = clusters(
        "v2", "--env-file", "compose/ha.env", KUBEMU_PROMETHEUS_IMAGE=image_of("prometheus")
    )
    until("three nodes are Ready", lambda: answered(cluster.ready_nodes) == NODES)
    until("all are healthy", lambda: set(cluster.health().values()) == {"healthy", ""})
    return cluster


def back(cluster: ComposeCluster, service: str) -> None:
    cluster.compose("start", service)
    until(f"{service} is healthy", lambda: cluster.health().get(service) == "healthy")


def holder(cluster: ComposeCluster, lease: str) -> str:
    """The service whose process holds a lease."""
    found = cluster.get("lease", lease, "--namespace=kube-system")
    return str(found["spec"]["holderIdentity"]).rpartition("_")[0]


def leads(cluster: ComposeCluster, member: str) -> bool:
    """Whether a member of etcd leads the others, by its figures."""
    figures = page(f"http://{cluster.address_of(member)}:2381/metrics").decode()
    return "\netcd_server_is_leader 1\n" in figures


def ready_since(cluster: ComposeCluster) -> dict[str, Any]:
    """Since when each node is Ready, or not."""
    return {
        node["metadata"]["name"]: [
            (one["status"], one["lastTransitionTime"])
            for one in node["status"]["conditions"]
            if one["type"] == "Ready"
        ]
        for node in cluster.get("nodes")["items"]
    }


def run_two(cluster: ComposeCluster, name: str) -> None:
    """Have two pods made, bound, started and Ready: what takes every component."""
    cluster.kubectl("create", "deployment", name, "--image=nginx", "--replicas=2")
    until(
        f"two pods of {name} are Ready",
        lambda: len(cluster.pods(f"app={name}")) == 2,
        deadline=TAKEN_OVER,
    )


def test_there_are_several_of_everything_and_one_address(ha: ComposeCluster) -> None:
    running = set(ha.health())
    for name in ("apiserver", "scheduler", "controller-manager"):
        assert {name, f"{name}-2"} <= running
    assert set(MEMBERS) <= running
    assert sum(leads(ha, member) for member in MEMBERS) == 1
    where = ha.compose("port", "balancer", "6443").strip()
    view = json.loads(ha.kubectl("config", "view", "-o", "json"))
    assert view["clusters"][0]["cluster"]["server"] == f"https://{where}"
    servers = ha.get("endpoints", "kubernetes")["subsets"][0]["addresses"]
    assert [one["ip"] for one in servers] == [f"{ha.network}.10", f"{ha.network}.11"]


@pytest.mark.parametrize("server", ["apiserver", "apiserver-2"])
def test_kubectl_goes_on_within_seconds_when_an_api_server_is_killed(
    ha: ComposeCluster, server: str
) -> None:
    before = ready_since(ha)
    ha.compose("kill", server)
    write = ("annotate", "--overwrite", "namespace", "default", f"lost={server}")
    until(
        "a write goes through the balancer",
        lambda: answered(lambda: ha.kubectl(*write, "--request-timeout=5s")),
        deadline=10,
    )
    run_two(ha, f"without-{server}")
    back(ha, server)
    assert ready_since(ha) == before


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_no_write_fails_when_a_member_of_etcd_is_stopped(ha: ComposeCluster, role: str) -> None:
    member = next(one for one in MEMBERS if leads(ha, one) == (role == "leader"))
    written: list[str] = []
    with futures.ThreadPoolExecutor(1) as beside:
        stopping = beside.submit(ha.compose, "stop", member)
        while not stopping.done() or len(written) < 10:
            written.append(f"{role}-{len(written)}")
            ha.kubectl("create", "configmap", written[-1], "--request-timeout=15s")
        stopping.result()
    assert member not in ha.health()
    found = [one["metadata"]["name"] for one in ha.get("configmaps")["items"]]
    assert sorted(one for one in found if one.startswith(role)) == sorted(written)
    back(ha, member)
    until("one member leads", lambda: sum(leads(ha, one) for one in MEMBERS) == 1)


@pytest.mark.parametrize(
    ("lease", "how"), [("kube-scheduler", "stop"), ("kube-controller-manager", "kill")]
)
def test_pods_are_made_and_bound_when_the_leader_is_gone(
    ha: ComposeCluster, lease: str, how: str
) -> None:
    leader = holder(ha, lease)
    assert leader in ha.health()
    ha.compose(how, leader)
    run_two(ha, f"without-{leader}")
    assert holder(ha, lease) in {"scheduler", "scheduler-2", "controller-manager",
                                 "controller-manager-2"} - {leader}  # fmt: skip
    back(ha, leader)
    assert all(condition(node, "Ready") == "True" for node in ha.get("nodes")["items"])


def test_prometheus_scrapes_all_of_them(ha: ComposeCluster) -> None:
    ha.kubectl("apply", "-f", "compose/observability/rbac.yaml")
    prometheus = Prometheus(start(ha, "prometheus"))
    everyone = Counter(
        dict.fromkeys(("apiserver", "scheduler", "controller-manager"), 2)
        | dict.fromkeys(("etcd", "kubelet", "containers", "kube-proxy", "runtime"), 3)
    )
    until(f"{everyone} answer", lambda: prometheus.targets() == everyone)
