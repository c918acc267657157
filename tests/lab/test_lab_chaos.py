"""Experiments of chaos on virtual time: the files that run on real clusters, in a lab."""

import asyncio
from dataclasses import replace

import pytest

from cluster.aio import tasks
from cluster.chaos import clearing, library, reading, report, words
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act
from cluster.chaos.running import Run
from cluster.chaos.world import Unable
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
    kinds = [one["kind"] for one in found["events"] if one["subject"] == "requests"]
    assert kinds == ["lost", "held"] * len(requests["outages"])
    assert kinds


FAULTY = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: faulty-api
steadyState:
  probes:
  - {name: api, type: api, rate: 20, availability: 99%}
faults:
- {at: 1s, for: 10s, do: api, users: [kubernetes-admin], verbs: [get], code: 503}
- {at: 20s, for: 5s, do: pause, target: {node: node-1, only: kubelet}}
- {at: 500ms, do: restart, target: {node: node-1, only: kubelet}}
expect: {notReady: 5s}
"""


def test_what_goes_wrong_is_in_the_report_and_everything_is_undone() -> None:
    made = reading.parse(FAULTY, "faulty.yaml")

    class Hopeful(chaos.LabWorld):
        """Finds out late what it cannot do."""

        def lacks(self, _act: Act) -> str:
            return ""

    async def story(cluster):
        one = Run(made, Hopeful(cluster), clock=cluster.clock)
        found = report.document(await one.run())
        assert cluster.registry.faults is None
        return found

    found = Lab(seed=1, nodes=1).run(story)
    assert found["verdict"] == "failed"
    assert [one["number"] for one in found["faults"]] == [3, 1, 2]
    assert any(
        one.startswith("fault 2 (pause): a lab does not know how to pause")
        for one in found["reasons"]
    )
    assert "nothing was noticed" not in words.text(found)
    _, refusing, pausing = found["faults"]
    assert [pausing[mark] for mark in ex.MARKS] == [None] * len(ex.MARKS)
    (outage,) = found["probes"][0]["outages"]
    assert outage[0] == pytest.approx(refusing["began"], abs=0.1)
    assert 0 < refusing["recovered"] < 0.1
    assert outage[1] == pytest.approx(refusing["ended"] + refusing["recovered"], abs=0.002)
    assert any(one.startswith("notReady did not come") for one in found["reasons"])
    assert any(one.startswith("api: ") for one in found["reasons"])
    (api,) = found["probes"]
    assert api["errors"] == {"ServiceUnavailable": api["failed"]}
    assert 195 <= api["failed"] <= 205
    assert refusing["requests"] == api["failed"]
    assert f"for 10s, to {api['failed']} requests" in words.text(found)
    assert pausing["requests"] is None


def test_a_fault_that_no_request_met_is_told() -> None:
    made = reading.parse(FAULTY, "faulty.yaml")
    fault = made.faults[0]
    mistyped = replace(fault, api=replace(fault.api, resources=("node",)))
    found = run(replace(made, faults=(mistyped,), expect={}), nodes=1)
    assert found["verdict"] == "passed"
    (note,) = found["notes"]
    assert note.startswith("fault 1 (api): it was done to no request")
    assert "for 10s, to 0 requests" in words.text(found)


@pytest.mark.parametrize("action", [ex.RESTART, ex.STOP])
def test_a_server_that_went_does_not_know_to_how_many_requests_it_did_something(action) -> None:
    made = reading.parse(FAULTY, "faulty.yaml")
    server = ex.Target("component", "apiserver")
    seconds = 8.0 if action == ex.STOP else 0.0  # it is down when the first fault ends
    gone = ex.Fault(action, 5.0, seconds, target=server)
    found = run(replace(made, faults=(made.faults[0], gone), expect={}), nodes=1)
    assert found["verdict"] != "aborted"
    assert found["faults"][0]["requests"] is None
    assert found["notes"] == []


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


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (ex.Target("node", "node-9"), "fault 2 (stop): there is no node node-9: there are node-1"),
        (ex.Target("process", "etcd-*"), "fault 2 (stop): there is no process etcd-*: there are"),
        (ex.Target("rack", "any"), "fault 2 (stop): there is no rack to choose from"),
    ],
)
def test_a_target_that_is_not_there_is_told_before_anything_is_done(target, said) -> None:
    made = reading.parse(FAULTY, "faulty.yaml")
    missing = ex.Fault(ex.STOP, 20.0, 5.0, target)
    found = run(replace(made, faults=(made.faults[0], missing)), nodes=1)
    assert found["verdict"] == "aborted"
    assert found["reasons"][0].startswith(said)
    assert found["faults"] == []


def test_what_a_world_cannot_do_is_told_before_anything_is_done() -> None:
    made = reading.parse(FAULTY, "faulty.yaml")
    beyond = ex.Fault(ex.PAUSE, 20.0, 5.0, ex.Target("process", "scheduler"))
    found = run(replace(made, faults=(made.faults[0], beyond)), nodes=1)
    assert found["verdict"] == "aborted"
    assert found["reasons"][0].startswith("fault 2 (pause): a lab does not know how to pause")
    assert found["faults"] == []


def test_the_store_of_a_lab_has_no_disk_and_that_is_told_before_anything_is_done() -> None:
    made = reading.parse(FAULTY, "faulty.yaml")
    server = ex.Target("component", "apiserver")
    full = ex.Fault(ex.DISK, 20.0, 5.0, server, disk=ex.DiskFault(full=True))
    found = run(replace(made, faults=(made.faults[0], full)), nodes=1)
    assert found["verdict"] == "aborted"
    assert found["reasons"] == ["fault 2 (disk): the store of a lab has no disk to be made bad"]
    assert found["faults"] == []


def test_a_fault_that_an_api_server_does_not_take_is_a_failure_of_that_fault_alone() -> None:
    made = reading.parse(FAULTY, "faulty.yaml")
    endless = replace(made.faults[0], at=0.0, seconds=4000.0)
    kill = ex.Fault(ex.KILL, 1.0, target=ex.Target("process", "scheduler"))
    found = run(replace(made, faults=(endless, kill)), nodes=1)
    assert found["verdict"] == "failed"
    assert found["reasons"][0].startswith("fault 1 (api): a fault has an id and lasts from 0 to")
    assert [one["error"] != "" for one in found["faults"]] == [True, False]


def test_a_fault_that_stays_is_not_said_to_be_undone() -> None:
    class Stuck(chaos.LabWorld):
        """What is down stays down."""

        async def do(self, act: Act) -> None:
            if act.op == "start":
                raise Unable("it does not start")
            await super().do(act)

    told: list[str] = []

    async def story(cluster):
        text = WITH_WORKLOAD.replace("10m", "1s")
        made = reading.parse(text, "with-workload.yaml")
        journal = Written()
        world = Stuck(cluster)
        one = Run(made, world, clock=cluster.clock, journal=journal, tell=told.append)
        return report.document(await one.run()), journal

    found, journal = Lab(seed=1, nodes=1).run(story)
    kinds = [one["kind"] for one in found["events"] if one["subject"] == "fault 1"]
    assert kinds == ["begun", "failed"]
    assert found["faults"][0]["error"].count("it does not start") == 1
    assert [f"{act}" for act in journal.now] == ["start scheduler"]
    assert "not all faults are undone; waiting until all is well" in told


CUT = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: cut
faults:
- {at: 0s, for: 4s, do: partition, sides: [{node: node-1}]}
"""


def test_links_are_cut_and_mended_at_all_nodes_at_once() -> None:
    class Slow(chaos.LabWorld):
        """In a container, telling a runtime takes the start of a process."""

        async def do(self, act: Act) -> None:
            await asyncio.sleep(1.0)
            await super().do(act)

    async def story(cluster):
        made = reading.parse(CUT, "cut.yaml")
        return report.document(await Run(made, Slow(cluster), clock=cluster.clock).run())

    found = Lab(seed=1, nodes=4).run(story)
    assert found["verdict"] == "passed"
    (fault,) = found["faults"]
    assert fault["ended"] - fault["began"] == pytest.approx(5.0, abs=0.1)


WITH_WORKLOAD = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: with-workload
workload: |
  apiVersion: v1
  kind: Namespace
  metadata: {name: made}
  ---
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: there-before}
faults:
- {at: 1s, for: 10m, do: stop, target: {process: scheduler}}
"""


class Written:
    """A journal that can be read again."""

    def __init__(self) -> None:
        self.ever: list[tuple] = []
        self.now: list[Act] = []

    def write(self, open_) -> None:
        self.now = list(open_)
        self.ever.append(tuple(f"{act}" for act in open_))

    def taken_over(self) -> None:
        return None


def interrupted(story):
    """A run that is interrupted two seconds after its fault, and what `story` sees before that."""

    async def whole(cluster):
        await cluster.client.create("configmaps", {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "there-before", "namespace": "default"},
        })  # fmt: skip
        journal = Written()
        world = chaos.LabWorld(cluster)
        made = reading.parse(WITH_WORKLOAD, "with-workload.yaml")
        one = Run(made, world, clock=cluster.clock, journal=journal)
        async with tasks.Group("test") as group:
            running = group.spawn(one.run(), "run")
            while not any("start scheduler" in acts for acts in journal.ever):
                await asyncio.sleep(0.1)
            await asyncio.sleep(2.0)
            await story(world, journal)
            one.interrupt()
            found = report.document(await running)
        left = [
            *(one["metadata"]["name"] for one in cluster.list("namespaces")
              if "deletionTimestamp" not in one["metadata"]),
            *(one["metadata"]["name"] for one in cluster.list("configmaps")),
        ]  # fmt: skip
        return found, journal, left

    return Lab(seed=1, nodes=1).run(whole)


def test_the_workload_is_written_down_and_taken_away_and_what_was_there_before_stays() -> None:
    async def story(_world, journal) -> None:
        assert [f"{act}" for act in journal.now] == ["start scheduler", "remove made"]

    _, journal, left = interrupted(story)
    assert journal.now == []
    assert "made" not in left
    assert "there-before" in left


def test_whoever_heals_takes_the_workload_away_too() -> None:
    async def story(world, journal) -> None:
        for act in journal.now:
            assert await clearing.undo(world, act) == ""
        assert [one.running for one in await world.members() if one.name == "scheduler"] == [True]

    _, _, left = interrupted(story)
    assert "made" not in left


def test_an_interrupted_run_tells_that_it_undid_and_nothing_of_a_recovery() -> None:
    async def story(_world, _journal) -> None:
        """Nothing more."""

    found, _, _ = interrupted(story)
    assert found["verdict"] == "aborted"
    (fault,) = found["faults"]
    assert fault["recovered"] is None
    assert [one["kind"] for one in found["events"] if one["subject"] == "fault 1"] == [
        "begun", "undone",
    ]  # fmt: skip
