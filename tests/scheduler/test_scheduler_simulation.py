"""What would be placed where: the real core over a state that is told."""

import random
from typing import Any

import pytest
from scheduling import node, pod

from cluster.scheduler.config import Config
from cluster.scheduler.configuration.settings import ProfileSettings
from cluster.scheduler.simulation import expansion
from cluster.scheduler.simulation.run import Outcome, Simulation

Json = dict[str, Any]


def simulation(*nodes: Json, config: Config | None = None) -> Simulation:
    made = Simulation(config or Config(), random.Random(1), 0.0)
    for one in nodes:
        made.state.take("nodes", one)
    return made


def running(made: Simulation, name: str, where: str, **fields: Any) -> Json:
    obj = pod(name, nodeName=where, **fields)
    made.state.take("pods", obj)
    return obj


def workload(
    kind: str, version: str = "apps/v1", template: Json | None = None, **spec: Any
) -> Json:
    one = pod("template", cpu="1")["spec"] | (template or {})
    labels = {"app": "web"}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default", "uid": f"uid-{kind}"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": one},
        }
        | spec,
    }


def owned(name: str, kind: str, owner: str, where: str) -> Json:
    obj = pod(name, nodeName=where, labels={"app": "web"})
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": True}
    obj["metadata"]["ownerReferences"] = [reference]
    return obj


def expanded(made: Simulation, obj: Json) -> expansion.Expanded:
    found = made.expand(obj)
    assert found is not None
    return found


def placed(made: Simulation, obj: Json) -> list[Outcome]:
    return made.place(expanded(made, obj).pods)


def names(outcomes: list[Outcome]) -> dict[str, str]:
    return {one.pod["metadata"]["name"]: one.node for one in outcomes}


def test_each_pod_counts_for_those_after_it():
    made = simulation(node("a", cpu="2"), node("b", cpu="1"))
    outcomes = placed(made, workload("Deployment", replicas=4))
    assert sorted(one.node for one in outcomes) == ["", "a", "a", "b"]
    (left,) = [one for one in outcomes if not one.node]
    assert left.message.startswith("0/2 nodes are available: 2 Insufficient cpu.")
    assert all(one.score is not None for one in outcomes if one.node)


def test_pods_of_a_deployment_are_spread_as_those_of_its_replica_set_would_be():
    made = simulation(*(node(f"n{at}") for at in range(4)))
    outcomes = placed(made, workload("Deployment", replicas=4))
    assert len({one.node for one in outcomes}) == 4


@pytest.mark.parametrize(
    ("obj", "wanted"),
    [
        (pod("p"), ["p"]),
        (workload("Deployment"), ["web-0"]),
        (workload("ReplicaSet", replicas=2), ["web-0", "web-1"]),
        (workload("ReplicationController", "v1", replicas=0), []),
        (workload("StatefulSet", replicas=2, ordinals={"start": 5}), ["web-5", "web-6"]),
        (workload("Job", "batch/v1", parallelism=3, completions=2), ["web-0", "web-1"]),
        (workload("Job", "batch/v1", suspend=True), []),
        (workload("DaemonSet"), ["web-a", "web-b"]),
        (workload("DaemonSet", template={"nodeSelector": {"disk": "fast"}}), ["web-b"]),
        ({"apiVersion": "batch/v1", "kind": "CronJob",
          "metadata": {"name": "web", "namespace": "default"},
          "spec": {"jobTemplate": {"spec": {"parallelism": 2,
                                            "template": {"spec": pod("x")["spec"]}}}}},
         ["web-0", "web-1"]),
    ],
)  # fmt: skip
def test_workloads_stand_for_their_pods(obj: Json, wanted: list[str]):
    made = simulation(node("a"), node("b", labels={"disk": "fast"}))
    assert [one["metadata"]["name"] for one in expanded(made, obj).pods] == wanted


def test_what_is_no_workload_stands_for_none():
    assert simulation().expand({"apiVersion": "v1", "kind": "Service"}) is None


@pytest.mark.parametrize(
    ("kind", "owner", "pods", "wanted"),
    [
        ("Deployment", ("ReplicaSet", "web-5d8f"), ["web-5d8f-x", "web-5d8f-y"], 1),
        ("ReplicaSet", ("ReplicaSet", "web"), ["web-x"], 2),
        ("StatefulSet", ("StatefulSet", "web"), ["web-1"], 2),
        ("DaemonSet", ("DaemonSet", "web"), ["web-x"], 1),
    ],
)
def test_pods_that_are_there_need_no_place(
    kind: str, owner: tuple[str, str], pods: list[str], wanted: int
):
    made = simulation(node("a"), node("b"))
    for name in pods:
        made.state.take("pods", owned(name, *owner, "a"))
    found = expanded(made, workload(kind, replicas=3))
    assert (len(found.pods), found.there) == (wanted, len(pods))


def test_daemons_go_to_their_nodes_and_tolerate_what_daemons_do():
    tired = node("tired", unschedulable=True)
    tired["spec"]["taints"] = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    made = simulation(node("a"), tired)
    assert names(placed(made, workload("DaemonSet"))) == {"web-a": "a", "web-tired": "tired"}


def test_too_many_pods_are_refused():
    with pytest.raises(expansion.TooMany, match="wants 2000000000 pods"):
        simulation().expand(workload("Deployment", replicas=2_000_000_000))


def _class(name: str, value: int, **more: Any) -> Json:
    return {"kind": "PriorityClass", "metadata": {"name": name}, "value": value} | more


def test_a_pod_of_higher_priority_evicts_and_goes_first():
    made = simulation(node("a", cpu="2"))
    made.state.take("priorityclasses.scheduling.k8s.io", _class("high", 100))
    running(made, "there", "a", cpu="1")
    low, high = pod("low", cpu="1"), pod("high", cpu="2", priorityClassName="high")
    first, second = made.place([low, high])
    assert (second.node, second.victims) == ("a", ["default/there"])
    assert first.node == ""
    assert "Insufficient cpu" in first.message


def test_a_pod_that_was_placed_may_be_evicted_again():
    made = simulation(node("a", cpu="1"))
    made.state.take("priorityclasses.scheduling.k8s.io", _class("high", 100))
    made.place([pod("low", cpu="1")])
    (high,) = made.place([pod("high", cpu="1", priorityClassName="high")])
    assert (high.node, high.victims) == ("a", ["default/low"])


def test_budgets_and_policies_of_preemption_are_heeded():
    made = simulation(node("a", cpu="1"))
    made.state.take("priorityclasses.scheduling.k8s.io",
                    _class("polite", 100, preemptionPolicy="Never"))  # fmt: skip
    running(made, "there", "a", cpu="1")
    (polite,) = made.place([pod("polite", cpu="1", priorityClassName="polite")])
    assert (polite.node, polite.victims) == ("", [])
    assert "not eligible due to preemptionPolicy=Never" in polite.message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schedulingGates": [{"name": "g"}]},
         "kept out of the queue by SchedulingGates: waiting for scheduling gates: [g]"),
        ({"schedulerName": "other"}, "no scheduler here has the profile other"),
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        ({"requests": {"cpu": "much"}}, "quantities must match"),
    ],
)  # fmt: skip
def test_pods_that_are_not_tried_say_why(fields: Json, said: str):
    (outcome,) = simulation(node("a")).place([pod("p", **fields)])
    assert outcome.node == ""
    assert said in outcome.message


def test_limit_ranges_give_requests():
    made = simulation(node("a", cpu="1"))
    # fmt: off
    limits = {"metadata": {"name": "l", "namespace": "default"},
              "spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "2"}}]}}
    # fmt: on
    made.state.take("limitranges", limits)
    (outcome,) = made.place([pod("p")])
    assert "Insufficient cpu" in outcome.message


def test_profiles_of_a_configuration_are_used():
    config = Config(profiles=(ProfileSettings("mine"),))
    mine, default = simulation(node("a"), config=config).place(
        [pod("p", schedulerName="mine"), pod("q")]
    )
    assert (mine.node, default.node) == ("a", "")


def test_a_bound_pod_is_explained_as_if_it_had_no_node():
    made = simulation(node("a", cpu="1"), node("b", cpu="4"))
    obj = running(made, "p", "a", cpu="1")
    running(made, "q", "b", cpu="4")
    found, outcome = made.explain(obj)
    assert found is not None
    assert outcome.node == "a"
    verdicts = {one.node: one.rejection.message if one.rejection else "" for one in found.nodes}
    assert verdicts == {"a": "", "b": "Insufficient cpu"}


def test_the_same_seed_gives_the_same_places():
    def run() -> list[str]:
        made = simulation(*(node(f"n{at}") for at in range(20)))
        return [one.node for one in made.place([pod(f"p{at}", cpu="1") for at in range(40)])]

    assert run() == run()


def test_claims_of_a_stateful_set_come_with_it():
    claim = {"metadata": {"name": "data"},
             "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "later",
                      "resources": {"requests": {"storage": "1Gi"}}}}  # fmt: skip
    made = simulation(node("a"))
    made.state.take("storageclasses.storage.k8s.io", {
        "metadata": {"name": "later"}, "provisioner": "kubemu.dev/local",
        "volumeBindingMode": "WaitForFirstConsumer",
    })  # fmt: skip
    outcomes = placed(made, workload("StatefulSet", replicas=2, volumeClaimTemplates=[claim]))
    assert names(outcomes) == {"web-0": "a", "web-1": "a"}
