"""Annotations of kubemu's own that say nothing are told of when an object is written."""

import copy
from random import Random
from typing import Any

import pytest

from cluster.api import identity, resources, rules

TABLE = resources.built_in()
SPEC: dict[str, Any] = {
    "initContainers": [{"name": "setup", "image": "busybox"}],
    "containers": [{"name": "web", "image": "nginx"}],
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "default"},
    "spec": SPEC,
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": {"app": "a"}}, "spec": SPEC},
    },
}


def warned(resource: str, document: dict[str, Any]) -> tuple[str, ...]:
    request = rules.Request(0.0, Random(1), identity.User("u"), "Warn")
    return rules.for_create(TABLE.get(resource), copy.deepcopy(document), request).warnings


def of_pod(key: str, value: str) -> dict[str, Any]:
    return {**POD, "metadata": {**POD["metadata"], "annotations": {key: value}}}


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("ready-aftr", "5s", 'unknown; did you mean "kubemu.dev/ready-after"?'),
        ("Ready-after", "5s", 'unknown; did you mean "kubemu.dev/ready-after"?'),
        ("zzz", "5s", "unknown: it does nothing"),
        ("cpu.nosuch", "1", 'there is no container "nosuch"'),
        ("boot-time.web", "1s", "it speaks of the whole pod, not of a container"),
        ("load", "5", "it belongs to the workload that load-from names, and does nothing on a pod"),
        ("cpu", "fast", "no container can be made with it: "),
        ("exit-code.web", "900", "no container can be made with it: "),
    ],
)
def test_what_says_nothing_of_a_pod_is_warned_of(key: str, value: str, why: str) -> None:
    (said,) = warned("pods", of_pod(f"kubemu.dev/{key}", value))
    assert said.startswith(f"metadata.annotations[kubemu.dev/{key}]: {why}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kubemu.dev/ready-after", "5s"), ("kubemu.dev/run-for.setup", "1"),
        ("kubemu.dev/cpu.web", "0s=1,5s=2,repeat"), ("kubemu.dev/cpu-per-load.web", "1m"),
        ("kubemu.dev/pids", "12"), ("kubemu.dev/boot-time", "1s"),
        ("kubemu.dev/load-from", "deployment/web"), ("kubemu.dev/metric.requests", "4"),
        ("kubemu.dev/log", "a\nb"), ("kubemu.dev/http", '{"/": "ok"}'),
        ("other.dev/ready-aftr", "5s"), ("images.kubemu.dev/x", "y"),
    ],
)  # fmt: skip
def test_what_says_something_is_not_warned_of(key: str, value: str) -> None:
    assert warned("pods", of_pod(key, value)) == ()


def test_a_template_is_warned_of_at_its_path_and_a_workload_of_what_is_its_pods() -> None:
    document = copy.deepcopy(DEPLOYMENT)
    document["spec"]["template"]["metadata"]["annotations"] = {"kubemu.dev/cpus": "1"}
    document["metadata"]["annotations"] = {
        "kubemu.dev/load": "4", "kubemu.dev/metric.x": "1", "kubemu.dev/cpu.web": "1",
        "kubemu.dev/lod": "4", "a/b": "c",
    }  # fmt: skip
    assert warned("deployments.apps", document) == (
        "metadata.annotations[kubemu.dev/cpu.web]: it speaks of pods, and does nothing here: it "
        "belongs into the pod template",
        'metadata.annotations[kubemu.dev/lod]: unknown; did you mean "kubemu.dev/load"?',
        "spec.template.metadata.annotations[kubemu.dev/cpus]: unknown; did you mean "
        '"kubemu.dev/cpu"?',
    )


def test_what_does_not_change_is_not_warned_of_again() -> None:
    request = rules.Request(0.0, Random(1), identity.User("u"), "Warn")
    deployments = TABLE.get("deployments.apps")
    document = copy.deepcopy(DEPLOYMENT)
    document["metadata"]["annotations"] = {"kubemu.dev/lod": "4"}
    first = rules.for_create(deployments, document, request).object
    second = copy.deepcopy(first)
    second["spec"]["replicas"] = 3
    assert rules.for_update(deployments, first, second, request).warnings == ()
