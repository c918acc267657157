"""KubeletConfiguration: what files say, what is refused, and what a kubelet makes of it."""

from typing import Any

import pytest
from kubeletworld import NODE, phase, restarts, waiting, world

from cluster.aio import virtual
from cluster.api import yaml_text
from cluster.kubelet.config import Config, Taint
from cluster.kubelet.configuration import reading, shown, table
from cluster.kubelet.eviction import thresholds

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


def read(*texts: str) -> reading.Read:
    return reading.read([(f"{number}.conf", HEAD + text) for number, text in enumerate(texts)])


def test_a_file_sets_what_its_fields_say() -> None:
    found = read(
        """
staticPodPath: /etc/kubernetes/manifests
maxPods: 20
clusterDNS: [10.0.0.10]
nodeStatusReportFrequency: 1m
evictionHard: {memory.available: 200Mi}
kubeReserved: {cpu: 100m}
registerWithTaints: [{key: gpu, effect: NoSchedule}]
crashLoopBackOff: {maxContainerRestartPeriod: 20s}
serializeImagePulls: false
address: 127.0.0.1
imageMaximumGCAge: null
"""
    )
    assert found.fields == {
        "pod_manifest_path": "/etc/kubernetes/manifests", "max_pods": 20,
        "cluster_dns": ("10.0.0.10",), "node_status_report_frequency": 60.0,
        "eviction_hard": {"memory.available": "200Mi"}, "kube_reserved": {"cpu": "100m"},
        "taints": (Taint("gpu", "NoSchedule"),), "max_container_restart_period": 20.0,
        "serialize_image_pulls": False,
    }  # fmt: skip
    assert found.command == {"address": "127.0.0.1"}
    assert found.warnings == []
    Config("n1", **found.fields)


def test_drop_ins_add_to_mappings_and_replace_all_else() -> None:
    found = read(
        "maxPods: 1\nclusterDNS: [a]\nkubeReserved: {cpu: 1}".replace("1}", "'1'}"),
        "maxPods: 2\nclusterDNS: [b]\nkubeReserved: {memory: 1Gi}",
    )
    assert found.fields == {
        "max_pods": 2, "cluster_dns": ("b",), "kube_reserved": {"cpu": "1", "memory": "1Gi"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maxPod: 3", r'unknown field "maxPod" \(did you mean maxPods\?\)'),
        ("maxPods: many", "maxPods: an integer is wanted"),
        ("maxPods: true", "maxPods: an integer is wanted"),
        ("maxPods: 1\nmaxPods: 2", "already set in map"),
        ("fileCheckFrequency: 20", "fileCheckFrequency: a duration"),
        ("clusterDNS: 10.0.0.10", "clusterDNS: a list of strings"),
        ("evictionHard: [x]", "evictionHard: a mapping"),
        ("registerWithTaints: [{key: x, effect: Never}]", "one of the effects"),
        ("featureGates: {A: 1}", "a boolean is wanted"),
        ("crashLoopBackOff: {other: 1s}", "maxContainerRestartPeriod is wanted"),
        ("[", "error converting YAML"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(reading.Unusable, match=message):
        read(text)


def test_another_kind_is_refused() -> None:
    with pytest.raises(reading.Unusable, match='no kind "Pod" is registered for version "v1"'):
        reading.read([("f", "apiVersion: v1\nkind: Pod")])
    with pytest.raises(reading.Unusable, match="no object"):
        reading.read([("f", "")])


def test_what_has_no_effect_is_warned_of_where_it_was_asked_for() -> None:
    found = read(
        "cgroupDriver: systemd\ncpuManagerReconcilePeriod: 0s\nhealthzPort: 0\n"
        "featureGates: {KubeletCrashLoopBackOffMax: true, NodeSwap: true}"
    )
    assert found.warnings == [
        "these fields of KubeletConfiguration have no effect here: "
        "cgroupDriver, featureGates.NodeSwap"
    ]


def test_default_thresholds_can_be_kept() -> None:
    text = "evictionHard: {memory.available: 1Gi}\nmergeDefaultEvictionSettings: true"
    hard = read(text).fields["eviction_hard"]
    assert hard == {**thresholds.DEFAULT_HARD, "memory.available": "1Gi"}


def test_every_setting_is_shown_and_read_again() -> None:
    config = Config(
        "n1", max_pods=7, taints=(Taint("a", "NoExecute", "b"),), file_check_frequency=90.0,
        kube_reserved={"cpu": "1"}, manifest_url_header={"A": "b"},
    )  # fmt: skip
    document = shown.configuration(config)
    again = read(*[_without_head(document)]).fields
    assert {name: getattr(config, name) for name in again} == again
    assert len(again) >= 35
    assert not set(document) - set(table.SETTINGS) - {"kind", "apiVersion", "registerNode"}


def _without_head(document: dict[str, Any]) -> str:
    import json

    rest = {key: value for key, value in document.items() if key not in ("kind", "apiVersion")}
    text = "\n".join(f"{key}: {json.dumps(value)}" for key, value in rest.items())
    assert yaml_text.read(text)
    return text


@pytest.mark.parametrize(
    ("settings", "pods"), [({}, "110"), ({"pods_per_core": 5}, "20"), ({"max_pods": 9}, "9")]
)
def test_cores_limit_pods(settings: dict[str, Any], pods: str) -> None:
    assert Config("n1", cpu="4", **settings).allocatable["pods"] == pods


@pytest.mark.parametrize(
    "settings",
    [
        {"pods_per_core": -1},
        {"cpu_cfs_quota_period": 2.0},
        {"max_container_restart_period": 301.0},
        {"enforce_node_allocatable": ("everything",)},
        {"kube_reserved": {"gpu": "1"}},
        {"system_reserved": {"cpu": "-1"}},
        {"eviction_soft": {"memory.available": "1Gi"}},
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Config("n1", **settings)


def test_crash_loops_are_as_long_as_configured() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.start_kubelet(here.runtime().cri, max_container_restart_period=4.0)
            await here.pod("web", annotations={"kubemu.dev/crash-after": "1s"})
            began = here.loop.time()
            pod = await here.wait("web", waiting("CrashLoopBackOff"))
            state = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
            assert state.startswith("back-off 4s restarting failed container=web")
            await here.wait("web", restarts(5))
            assert here.loop.time() - began < 30

    virtual.run(scenario())


def test_limits_of_cpu_are_enforced_as_configured() -> None:
    async def scenario() -> None:
        async with world() as here:
            cri = here.runtime().cri
            here.start_kubelet(cri, cpu_cfs_quota_period=0.01, provider_id="kubemu://1")
            limits = {"limits": {"cpu": "500m"}}
            await here.pod("web", containers=[{"name": "web", "image": "a", "resources": limits}])
            await here.wait("web", phase("Running"))
            (one,) = cri.driver.containers.values()
            resources = one.config.linux.resources
            assert (resources.cpu_period, resources.cpu_quota) == (10_000, 5_000)
            assert (await here.client.get("nodes", NODE))["spec"]["providerID"] == "kubemu://1"

    virtual.run(scenario())
