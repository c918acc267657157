"""Fields of a pod in the environment of its containers."""

import pytest

from cluster.kubelet import criconfig, downward
from cluster.kubelet.environment import variables
from cluster.kubelet.volumes.references import Reference

POD = {
    "metadata": {
        "name": "work-2-abcde",
        "namespace": "lab",
        "uid": "u1",
        "labels": {"batch.kubernetes.io/job-completion-index": "2"},
        "annotations": {"note": "it's"},
    },
    "spec": {"nodeName": "n1", "serviceAccountName": "robot"},
}

INDEX = "metadata.labels['batch.kubernetes.io/job-completion-index']"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("metadata.name", "work-2-abcde"),
        ("metadata.namespace", "lab"),
        ("metadata.uid", "u1"),
        (INDEX, "2"),
        ("metadata.annotations['note']", "it's"),
        ("metadata.labels['none']", ""),
        ("spec.nodeName", "n1"),
        ("spec.serviceAccountName", "robot"),
        ("status.podIP", "10.1.0.7"),
        ("status.podIPs", "10.1.0.7,fd00::7"),
        ("status.hostIP", ""),
        ("metadata.labels", 'batch.kubernetes.io/job-completion-index="2"'),
        ("spec.containers", None),
    ],
)
def test_a_field_is_told_by_its_path(path, text):
    node = downward.Node(pod_ips=("10.1.0.7", "fd00::7"))
    assert downward.field(POD, path, node) == text


def test_a_container_knows_fields_of_its_pod_and_may_build_on_them():
    def of(path):
        return {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}

    spec = {
        "name": "c",
        "image": "busybox",
        "args": ["--part=$(INDEX)"],
        "env": [
            {"name": "INDEX", "valueFrom": of(INDEX)},
            {"name": "FILE", "value": "part-$(INDEX)"},
            {"name": "IP", "valueFrom": of("status.podIP")},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
    }
    secret = Reference("secrets", "lab", "s")
    known = {secret: {"data": {"k": "aGlkZGVu"}}}
    environment, skipped = variables.make(POD, spec, variables.Sources(known))
    assert environment == {"INDEX": "2", "FILE": "part-2", "IP": "", "KEY": "hidden"}
    assert skipped == []
    config = criconfig.container(POD, spec, 0, init=False, environment=environment)
    assert {pair.key: pair.value for pair in config.envs} == environment
    assert list(config.args) == ["--part=2"]
