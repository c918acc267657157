"""Experiments of chaos on virtual time: the files that run on real clusters, in a lab."""

from dataclasses import replace

import pytest

from cluster.chaos import experiment as ex
from cluster.chaos import library, reading, report
from cluster.lab import chaos
from cluster.lab.lab import Lab


def run(made: ex.Experiment, nodes: int = 3) -> dict:
    async def story(cluster):
        return report.document(await chaos.run(cluster, made))

    return Lab(seed=1, nodes=nodes).run(story)


def shipped(name: str) -> ex.Experiment:
    """One with fewer requests: each is a whole connection through the nodes' stacks."""
    made = library.get(name)
    return replace(made, probes=tuple(replace(probe, rate=1.0) for probe in made.probes))


def test_a_kubelet_that_stops_is_noticed_its_pods_move_and_nobody_fails() -> None:
    found = run(shipped("kubelet-stop"))
    assert (found["verdict"], found["reasons"]) == ("passed", [])
    (fault,) = found["faults"]
    assert 40 < fault["notReady"] < 60
    assert 5 < fault["evicted"] - fault["notReady"] < 15
    assert fault["evicted"] <= fault["rescheduled"] < fault["evicted"] + 5
    requests = next(one for one in found["probes"] if one["name"] == "requests")
    assert requests["requests"] > 80
    assert requests["failed"] == 0


def test_requests_to_a_node_that_is_cut_off_fail_until_it_is_healed() -> None:
    made = shipped("network-partition")
    found = run(replace(made, faults=made.faults[:1]))
    assert found["verdict"] == "passed"
    requests = next(one for one in found["probes"] if one["name"] == "requests")
    assert 0.5 < requests["availability"] < 0.99
    bad = [second for second, _, failed in requests["bySecond"] if failed]
    assert min(bad) >= 0
    assert max(bad) <= 22


FAULTY = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: faulty-api
steadyState:
  probes:
  - {name: api, type: api, rate: 20, availability: 99%}
faults:
- {at: 1s, for: 10s, do: api, users: [kubernetes-admin], verbs: [get], code: 503}
- {at: 20s, for: 5s, do: stop, target: {node: node-9}}
expect: {notReady: 5s}
"""


def test_what_goes_wrong_is_in_the_report_and_everything_is_undone() -> None:
    made = reading.parse(FAULTY, "faulty.yaml")

    async def story(cluster):
        found = report.document(await chaos.run(cluster, made))
        assert cluster.registry.faults is None
        return found

    found = Lab(seed=1, nodes=1).run(story)
    assert found["verdict"] == "failed"
    assert any("there is no node node-9" in one for one in found["reasons"])
    assert any(one.startswith("notReady did not come") for one in found["reasons"])
    assert any(one.startswith("api: ") for one in found["reasons"])
    (api,) = found["probes"]
    assert api["errors"] == {"ServiceUnavailable": api["failed"]}
    assert 195 <= api["failed"] <= 205


@pytest.mark.parametrize(
    ("needs", "said"),
    [(ex.Needs(nodes=4), "needs 4 nodes; the cluster has 1"), (ex.Needs(zones=2), "needs 2 zones")],
)
def test_a_cluster_that_is_too_small_is_left_alone(needs, said) -> None:
    made = replace(reading.parse(FAULTY, "faulty.yaml"), needs=needs)
    found = run(made, nodes=1)
    assert found["verdict"] == "aborted"
    assert said in found["reasons"][0]
    assert found["faults"] == []
