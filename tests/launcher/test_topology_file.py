"""Cluster files: what they mean, and how their errors are told."""

import pytest

from cluster.api import marked_yaml
from cluster.launcher import topology, topology_file

HEAD = "apiVersion: kubemu.dev/v1alpha1\nkind: Cluster\n"


def parse(body: str) -> topology.Topology:
    return topology_file.parse(HEAD + body, "cluster.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(marked_yaml.InvalidFile) as caught:
        topology_file.parse(text, "cluster.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_file_that_says_nothing_means_three_nodes() -> None:
    found = parse("")
    assert [node.name for node in found.nodes] == ["node-1", "node-2", "node-3"]
    assert found.name == "kubemu"


def test_counts_and_names_mix_and_numbers_go_on() -> None:
    found = parse(
        "nodes:\n- count: 2\n- name: big\n  cpu: 32\n  memory: 128Gi\n  pods: 250\n- count: 1\n"
    )
    assert [node.name for node in found.nodes] == ["node-1", "node-2", "big", "node-3"]
    assert found.nodes[2].size == topology.Size("32", "128Gi", 250)


def test_zones_are_dealt_out_in_turn() -> None:
    found = parse("nodes:\n- {count: 3, region: r1, zones: [a, b]}\n")
    assert [node.labels[topology.ZONE_LABEL] for node in found.nodes] == ["a", "b", "a"]
    assert {node.labels[topology.REGION_LABEL] for node in found.nodes} == {"r1"}


def test_taints_are_written_as_the_kubelet_takes_them() -> None:
    found = parse(
        "nodes:\n- taints:\n  - {key: gpu, value: 'yes', effect: NoSchedule}\n"
        "  - {key: spot, effect: NoExecute}\n"
    )
    assert found.nodes[0].taints == ("gpu=yes:NoSchedule", "spot:NoExecute")


def test_a_hollow_cluster_has_no_other_nodes_unless_named() -> None:
    found = parse("hollow:\n- {count: 2500, prefix: h, perProcess: 500}\n")
    assert found.nodes == ()
    assert found.hollow == (topology.HollowGroup(2500, "h", per_process=500),)
    assert found.size == 2500


def test_ports_networks_version_and_flags_are_read() -> None:
    found = parse(
        "name: demo\nkubernetesVersion: 1.30\nports: {api: 7000, grpc: 7001}\n"
        "network: {podCIDR: 10.1.0.0/16, serviceCIDR: 10.2.0.0/16, backend: mesh}\n"
        "flags:\n  controller-manager: {node-monitor-grace-period: 10s}\n"
        "  kubelet: {--max-pods: 20}\n"
    )
    assert (found.name, found.kubernetes_version) == ("demo", "1.30")
    assert (found.api_port, found.grpc_port) == (7000, 7001)
    assert (found.pod_cidr, found.service_cidr) == ("10.1.0.0/16", "10.2.0.0/16")
    assert found.network_backend == "mesh"
    assert found.flags == {
        "controller-manager": {"node-monitor-grace-period": "10s"},
        "kubelet": {"max-pods": "20"},
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("nodes:\n- count: three\n", "cluster.yaml:4: nodes[0].count: must be a whole number"),
        ("nodes:\n- {}\n- cpu: lots\n", "cluster.yaml:5: nodes[1].cpu: quantities must match"),
        ("nodes:\n- cpuu: 4\n", "cluster.yaml:4: nodes[0].cpuu: unknown field; did you mean cpu?"),
        ("nodes: 3\n", "cluster.yaml:3: nodes: must be a list, not the single value '3'"),
        ("nodes:\n- 3\n", "cluster.yaml:4: nodes[0]: must have fields of its own"),
        ("nodes:\n- name: A_b\n", "cluster.yaml:4: nodes[0].name: a lowercase RFC 1123 subdomain"),
        ("nodes:\n- name: a\n- name: a\n", "cluster.yaml:5: nodes[1].name: there is another node"),
        ("nodes:\n- {name: a, count: 2}\n", "cluster.yaml:4: nodes[0].name: an entry has either"),
        ("nodes:\n- labels: {'a b': c}\n", "cluster.yaml:4: nodes[0].labels.a b: name part must"),
        (
            "nodes:\n- taints:\n  - key: a\n    effect: Never\n",
            "cluster.yaml:6: nodes[0].taints[0].effect: must be one of NoSchedule",
        ),
        ("nodes:\n- taints:\n  - key: a\n", "cluster.yaml:5: nodes[0].taints[0].effect: is missi"),
        ("ports: {api: 70000}\n", "cluster.yaml:3: ports.api: must be a whole number from 1 to"),
        ("network:\n  podCIDR: 10.1.0.0/99\n", "cluster.yaml:4: network.podCIDR: must be a netw"),
        ("network: {backend: flannel}\n", "cluster.yaml:3: network.backend: must be one of vxlan"),
        ("flags: {kublet: {}}\n", "cluster.yaml:3: flags.kublet: unknown field; did you mean kub"),
        ("name: one\nname: two\n", "cluster.yaml:4: name: is here twice"),
        ("hollow:\n- {count: 0}\n", "cluster.yaml:4: hollow[0].count: must be a whole number"),
        ("name: [\n", "cluster.yaml:4: not YAML: "),
    ],
)
def test_an_error_names_file_line_and_field(body: str, said: str) -> None:
    assert problems(HEAD + body)[0].startswith(said)


def test_every_error_of_a_file_is_told_at_once_in_line_order() -> None:
    found = problems("kind: Pod\nnodes:\n- count: -1\n  memory: x\nports: {apii: 1}\n")
    assert [line.split(": ")[0] for line in found] == [
        "cluster.yaml:1", "cluster.yaml:1", "cluster.yaml:3", "cluster.yaml:4", "cluster.yaml:5",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "- a\n", "just words"])
def test_a_file_without_fields_is_refused(text: str) -> None:
    assert problems(text)[0].startswith("cluster.yaml:1: must have fields at its top")


def test_flags_are_checked_where_they_are_written() -> None:
    def check(component: str, flag: str, value: str) -> list[str]:
        return [] if value == "good" else [f"{component} does not take {flag}"]

    text = HEAD + "flags:\n  kubelet:\n    one: good\n    --two: bad\n"
    with pytest.raises(marked_yaml.InvalidFile) as caught:
        topology_file.parse(text, "cluster.yaml", check)
    assert str(caught.value) == "cluster.yaml:6: flags.kubelet.--two: kubelet does not take two"


FILES = (
    ("schedulerConfig", "scheduler_config", "scheduler", "config"),
    ("imageScripts", "image_scripts", "runtime", "image-scripts"),
)


@pytest.mark.parametrize(("field", "name", "component", "flag"), FILES)
def test_files_of_components_are_beside_the_cluster_file(
    field: str, name: str, component: str, flag: str
) -> None:
    found = topology_file.parse(HEAD + f"{field}: conf/it.yaml\n", "/some/where/cluster.yaml")
    assert getattr(found, name) == "/some/where/conf/it.yaml"
    assert getattr(parse(""), name) == ""


@pytest.mark.parametrize(("field", "name", "component", "flag"), FILES)
def test_what_is_wrong_with_files_of_components_is_told(
    field: str, name: str, component: str, flag: str
) -> None:
    asked = []

    def check(component: str, flag: str, value: str) -> list[str]:
        asked.append((component, flag, value))
        return ["it is bad"]

    with pytest.raises(marked_yaml.InvalidFile) as caught:
        topology_file.parse(HEAD + f"{field}: /a/b.yaml\n", "cluster.yaml", check)
    assert str(caught.value) == f"cluster.yaml:3: {field}: it is bad"
    assert asked == [(component, flag, "/a/b.yaml")]
