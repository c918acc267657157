"""Pods of one template are known again by their text: to the same end, and sharing nothing."""

import copy
from random import Random
from typing import Any

import pytest

from cluster.api import completion, errors, identity, qos, resources, rules
from cluster.api.recall import Recall
from cluster.api.warnings import podspecs

PODS = resources.built_in().get("pods")
USER = identity.User("u")


def pod(name: str = "a", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


def made(document: dict[str, Any], field_validation: Any = "Warn") -> rules.Outcome:
    request = rules.Request(0.0, Random(1), USER, field_validation)
    return rules.for_create(PODS, copy.deepcopy(document), request)


def test_the_second_of_a_kind_is_like_the_first_and_its_own() -> None:
    document = pod(nodeSelector={"first": "seen"})
    first, second = made(document).object, made(document).object
    assert first == second
    assert first["spec"]["restartPolicy"] == "Always"
    second["spec"]["containers"][0]["image"] = "changed"
    second["spec"]["nodeSelector"]["first"] = "changed"
    assert made(document).object == first


def test_metadata_is_each_pods_own() -> None:
    made(pod("a"))
    second = made(pod("b") | {"metadata": {"name": "b", "namespace": "default", "labels": {}}})
    assert second.object["metadata"]["name"] == "b"


def test_unknown_fields_are_told_whoever_ignored_them_before() -> None:
    document = pod(nodeSelector={"odd": "fields"}, colour="red")
    assert made(document, "Ignore").warnings == ()
    assert made(document, "Warn").warnings == ('unknown field "spec.colour"',)
    assert made(document, "Warn").warnings == ('unknown field "spec.colour"',)
    with pytest.raises(errors.BadRequest, match="unknown field"):
        made(document, "Strict")


def test_unknown_metadata_is_told_of_a_pod_that_is_known() -> None:
    made(pod())
    odd = pod()
    odd["metadata"]["colour"] = "red"
    assert made(odd).warnings == ('unknown field "metadata.colour"',)


def test_versions_do_not_know_each_others_pods() -> None:
    """1.25 has no resizePolicy: what the newest keeps, it drops."""
    document = pod()
    policy = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]
    document["spec"]["containers"][0]["resizePolicy"] = policy
    new, _ = completion.completed(PODS, copy.deepcopy(document), "1.37", "Ignore")
    new, _ = completion.completed(PODS, copy.deepcopy(document), "1.37", "Warn")
    old, _ = completion.completed(PODS, copy.deepcopy(document), "1.25", "Warn")
    assert "resizePolicy" in new["spec"]["containers"][0]
    assert "resizePolicy" not in old["spec"]["containers"][0]


def test_a_malformed_pod_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(errors.BadRequest, match="cannot unmarshal string"):
            made(pod(terminationGracePeriodSeconds="soon"))
        with pytest.raises(errors.Invalid, match="Required value"):
            made(pod(containers=[]))


def test_warnings_are_given_each_time() -> None:
    spec = pod(nodeSelector={"beta.kubernetes.io/os": "linux"})["spec"]
    told = podspecs.of("", {}, spec)
    assert len(told) == 1
    assert podspecs.of("", {}, spec) == told
    at_template = podspecs.of("spec.template.", {}, spec)
    assert at_template[0].startswith("spec.template.spec.nodeSelector")


def test_annotations_are_looked_at_whatever_is_known_of_the_spec() -> None:
    spec = pod()["spec"]
    assert podspecs.of("", {}, spec) == []
    gone = {"annotations": {"scheduler.alpha.kubernetes.io/critical-pod": ""}}
    assert len(podspecs.of("", gone, spec)) == 1


@pytest.mark.parametrize(
    ("resources_of_container", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "0"}}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}},
         "Guaranteed"),
    ],
)  # fmt: skip
def test_quality_of_service_is_the_same_when_asked_again(
    resources_of_container: dict[str, Any], expected: str
) -> None:
    spec = {"containers": [{"name": "c", "resources": resources_of_container}]}
    assert [qos.of(spec), qos.of(spec)] == [expected, expected]


def test_only_so_much_is_remembered() -> None:
    known: Recall[int] = Recall(entries=2, longest=4)
    for number in (1, 2, 3):
        known.keep(known.text(number), number)
    assert [known.get(known.text(number) or b"") for number in (1, 2, 3)] == [None, 2, 3]
    assert known.text("too long") is None
    assert known.text({1, 2}.__iter__()) is None
    assert known.text(2**80) is None
