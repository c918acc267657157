"""The small pure parts: configuration, admission, CRI configurations, versions, the Node."""

import pytest

from cluster.kubelet import config as configs
from cluster.kubelet import criconfig, hollow, version
from cluster.kubelet.config import Config
from cluster.kubelet.environment import expansion
from cluster.kubelet.lifecycle import admission
from cluster.kubelet.node import description, health
from cluster.pb.cri.v1 import api_pb2 as pb


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("node_name", "Node", "lower case"),
        ("cpu", "many", "cpu is 'many'"),
        ("memory", "0", "memory is '0': it must be positive"),
        ("node_ip", "ten", "node_ip is 'ten'"),
        ("max_pods", 0, "max_pods is 0"),
        ("kubernetes_version", "new", "'new' is no Kubernetes version"),
        ("lease_renew_fraction", 1.5, "renewed before its end"),
    ],
)
def test_a_bad_setting_is_named(field, value, said):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (said below)
        Config(**({"node_name": "n"} | {field: value}))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu=yes:NoSchedule", configs.Taint("gpu", "NoSchedule", "yes")),
        ("gpu:NoExecute", configs.Taint("gpu", "NoExecute")),
    ],
)
def test_taints_are_read_as_the_kubelet_takes_them(text, expected):
    assert configs.taint(text) == expected


@pytest.mark.parametrize("text", ["gpu", "gpu:Never", ":NoSchedule"])
def test_what_is_no_taint_is_refused(text):
    with pytest.raises(ValueError, match="is no taint"):
        configs.taint(text)


def pod(*containers, init=(), **spec):
    return {
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {"containers": list(containers), "initContainers": list(init), **spec},
    }


def asks(cpu, memory="0", **fields):
    return {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}, **fields}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        (pod(asks("100m"), asks("1")), 1100),
        (pod(asks("100m"), init=[asks("2"), asks("1")]), 2000),
        (pod(asks("100m"), init=[asks("300m", restartPolicy="Always"), asks("1")]), 1300),
        (pod(asks("1"), init=[asks("300m", restartPolicy="Always")]), 1300),
        (pod(asks("1"), overhead={"cpu": "250m"}), 1250),
        (pod({"name": "c"}), 0),
        (pod(asks("1"), resources={"requests": {"cpu": "3"}}), 3000),
    ],
)
def test_what_a_pod_asks_for(spec, cpu):
    assert admission.requests(spec) == admission.Amounts(cpu=cpu, pods=1)


def test_a_pod_that_does_not_fit_is_told_why():
    capacity = admission.Amounts(cpu=1000, memory=1 << 30, pods=2)
    used = admission.Amounts(cpu=800, pods=1)
    assert admission.judge(admission.requests(pod(asks("200m"))), used, capacity) is None
    verdict = admission.judge(admission.requests(pod(asks("300m"))), used, capacity)
    assert verdict is not None
    assert verdict.reason == "OutOfcpu"
    assert verdict.message == (
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 300, used: 800, "
        "capacity: 1000"
    )
    full = used + admission.Amounts(pods=1)
    assert admission.judge(admission.Amounts(pods=1), full, capacity).reason == "OutOfpods"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)/$(B)", "1/$(B)"),
        ("$$(A)", "$(A)"),
        ("cost: $5", "cost: $5"),
        ("$(A", "$(A"),
        ("$$$(A)", "$1"),
    ],
)
def test_variables_are_expanded_as_kubernetes_does(text, expected):
    assert expansion.expand(text, {"A": "1"}) == expected


def test_a_container_configuration_carries_what_cri_needs():
    spec = {
        "name": "web",
        "image": "nginx",
        "command": ["run", "$(MODE)"],
    }
    made = criconfig.container(pod(spec), spec, 3, init=True, environment={"MODE": "fast"})
    assert (made.metadata.name, made.metadata.attempt) == ("web", 3)
    assert list(made.command) == ["run", "fast"]
    assert [(one.key, one.value) for one in made.envs] == [("MODE", "fast")]
    assert made.annotations[criconfig.INIT] == "true"
    assert made.labels["io.kubernetes.pod.uid"] == "u"
    sidecar = {"name": "s", "image": "x", "restartPolicy": "Always"}
    made = criconfig.container(pod(spec), sidecar, 0, init=True, environment={})
    assert criconfig.INIT not in made.annotations


def test_a_sandbox_on_the_node_network_says_so():
    made = criconfig.sandbox(pod(hostNetwork=True), 1)
    assert made.linux.security_context.namespace_options.network == pb.NODE
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}, {"containerPort": 81}]
    made = criconfig.sandbox(pod({"name": "c", "ports": ports}), 1)
    assert [(one.host_port, one.protocol) for one in made.port_mappings] == [(8080, pb.UDP)]


@pytest.mark.parametrize(
    ("text", "created", "started"),
    [
        ("1.30", "Created container web", "Started container web"),
        ("v1.34.2", "Created container: web", "Started container web"),
        ("1.35", "Container created", "Container started"),
    ],
)
def test_events_are_worded_as_their_version_words_them(text, created, started):
    emulated = version.parse(text)
    assert (emulated.created("web"), emulated.started("web")) == (created, started)


def test_the_node_is_described_as_a_kubelet_does():
    config = Config(
        node_name="n1", node_ip="10.0.0.1", pod_cidr="10.1.0.0/24,fd00::/64", zone="z",
        region="r", labels={"team": "a"}, kubernetes_version="1.34",
        taints=(configs.Taint("gpu", "NoSchedule"),),
    )  # fmt: skip
    node = description.node(config, health.Health("", ""), 1.0)
    assert node["spec"] == {
        "podCIDRs": ["10.1.0.0/24", "fd00::/64"],
        "podCIDR": "10.1.0.0/24",
        "taints": [{"key": "gpu", "effect": "NoSchedule"}],
    }
    assert description.pod_cidr(node) == config.pod_cidr
    labels = node["metadata"]["labels"]
    assert labels["topology.kubernetes.io/zone"] == "z"
    assert labels["kubernetes.io/hostname"] == "n1"
    assert labels["team"] == "a"
    status = node["status"]
    assert status["allocatable"] == {
        "cpu": "4", "ephemeral-storage": "96636764160", "memory": "16284Mi", "pods": "110",
    }  # fmt: skip
    assert status["nodeInfo"]["kubeletVersion"] == "v1.34.0"
    assert status["nodeInfo"]["containerRuntimeVersion"].startswith("kubemu://")
    assert health.told(node, health.Health("", ""))
    assert not health.told(node, health.Health("down", ""))


def test_the_ready_condition_names_all_that_is_wrong():
    assert health.Health("a", "b").message == "[a, b]"
    assert health.Health("", "b").message == "b"
    before = [
        {"type": "NetworkUnavailable", "status": "False"},
        {"type": "Ready", "status": "True", "lastTransitionTime": "then"},
    ]
    made = health.conditions(health.Health("", ""), before, 5.0)
    assert [one["type"] for one in made] == [
        "NetworkUnavailable", "MemoryPressure", "DiskPressure", "PIDPressure", "Ready",
    ]  # fmt: skip
    assert made[-1]["lastTransitionTime"] == "then"
    assert made[-1]["lastHeartbeatTime"] == "1970-01-01T00:00:05Z"


@pytest.mark.parametrize("status", ["True", "False", "Unknown"])
def test_a_node_stays_what_it_was_until_the_runtime_was_asked(status):
    ready = {"type": "Ready", "status": status, "reason": "R", "lastTransitionTime": "then"}
    others = health.conditions(health.Health("", ""), [], 1.0)[:-1]
    before = [{"type": "Foreign", "status": "True"}, *others, ready]
    made = health.conditions(health.Health(), before, 5.0)
    assert made[-1] == ready | {"lastHeartbeatTime": "1970-01-01T00:00:05Z"}
    assert health.told({"status": {"conditions": before}}, health.Health())
    asked = health.told({"status": {"conditions": before}}, health.Health("down", ""))
    assert asked is False


def test_a_new_node_is_not_ready_before_the_runtime_was_asked():
    made = health.conditions(health.Health(), [], 5.0)
    assert (made[-1]["status"], made[-1]["reason"]) == ("False", "KubeletNotReady")
    assert not health.told({"status": {}}, health.Health())


def test_hollow_nodes_get_names_zones_and_addresses_of_their_own():
    made = hollow.configs(Config(node_name="x"), 3, prefix="h", first=255, zones=("a", "b"))
    assert [(one.node_name, one.zone, one.node_ip) for one in made] == [
        ("h-255", "b", "10.128.1.0"),
        ("h-256", "a", "10.128.1.1"),
        ("h-257", "b", "10.128.1.2"),
    ]
    assert not made[0].normal_events
