"""From faults to acts: who is meant, what is done, what undoes it; and what a seed draws."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.chaos import acts, drawing, library, reading, writing
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act, LinkState
from cluster.chaos.targets import Chance, Member, NoTarget, View, choose

NODES = ("node-1", "node-2", "node-3")
MEMBERS = (
    Member("apiserver", "apiserver"),
    Member("scheduler-1", "scheduler"),
    Member("scheduler-2", "scheduler"),
    Member("controller-manager", "controller-manager"),
    *(
        Member(f"{component}-{node}", component, node)
        for node in NODES
        for component in ("runtime", "kubelet", "kube-proxy")
    ),
)
ZONES = dict(zip(NODES, ("a", "b", "b"), strict=True))
VIEW = View(
    MEMBERS,
    labels={node: {ex.ZONE_LABEL: zone, "disk": zone} for node, zone in ZONES.items()},
    load={"node-2": 3},
    holders={"kube-scheduler": "scheduler-2_4f2a"},
)


def chosen(target, view=VIEW, action=ex.STOP, seed=1):
    return choose(ex.Fault(action, 0.0, 1.0, target), view, Chance(Random(seed)))


def of_node(node, *components):
    return tuple(f"{one}-{node}" for one in components or ("runtime", "kubelet", "kube-proxy"))


@pytest.mark.parametrize(
    ("target", "members"),
    [
        (ex.Target("process", "apiserver"), ("apiserver",)),
        (ex.Target("process", "kubelet-*"), tuple(f"kubelet-{node}" for node in NODES)),
        (ex.Target("component", "scheduler"), ("scheduler-1", "scheduler-2")),
        (ex.Target("node", "node-1"), of_node("node-1")),
        (ex.Target("node", "node-1", "kubelet"), ("kubelet-node-1",)),
        (ex.Target("node", "any"), of_node("node-2")),  # it runs pods of the workload
        (ex.Target("zone", "b", "runtime"), ("runtime-node-2", "runtime-node-3")),
        (ex.Target("zone", "any", "runtime"), ("runtime-node-2", "runtime-node-3")),
        (ex.Target("nodes", "disk in (a)"), of_node("node-1")),
        (ex.Target("leader", "kube-scheduler"), ("scheduler-2",)),
        (ex.Target("leader", "kube-controller-manager"), ("controller-manager",)),
    ],
)
def test_a_target_means_these(target, members) -> None:
    assert chosen(target).members == members


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (ex.Target("process", "etcd"), "there is no process etcd: there are apiserver"),
        (ex.Target("node", "node-9"), "there is no node node-9: there are node-1, node-2"),
        (ex.Target("rack", "any"), "there is no rack to choose from"),
        (ex.Target("nodes", "disk=c"), "no node has the labels disk=c"),
        (ex.Target("leader", "kube-nobody"), "nobody holds the lease"),
    ],
)
def test_nobody_is_meant_and_it_is_said_why(target, said) -> None:
    with pytest.raises(NoTarget, match=said):
        chosen(target)


def test_any_is_the_same_one_in_the_whole_experiment() -> None:
    chance = Chance(Random(3))
    fault = ex.Fault(ex.STOP, 0.0, 1.0, ex.Target("node", "any", "kubelet"))
    first = choose(fault, View(MEMBERS), chance)
    assert all(choose(fault, View(MEMBERS), chance) == first for _ in range(20))
    assert choose(fault, View(MEMBERS, load={"node-1": 9}), chance) == first
    others = {chosen(ex.Target("node", "any"), View(MEMBERS), seed=n).nodes for n in range(30)}
    assert others == {(node,) for node in NODES}


def test_a_partition_tells_both_sides_and_its_undoing_mends_what_it_cut() -> None:
    fault = ex.Fault(ex.PARTITION, 0.0, 1.0, sides=(ex.Target("zone", "b"),))
    found = acts.of(fault, choose(fault, VIEW, Chance(Random(1))), "id")
    assert {(act.member, one.link) for act in found for one in act.links} == {
        ("node-1", "node-2"), ("node-1", "node-3"), ("node-2", "node-1"), ("node-3", "node-1"),
    }  # fmt: skip
    assert all(one.cut for act in found for one in act.links)
    undone = [acts.undoing(act) for act in found]
    assert all(one.cut is False and one.how is None for act in undone for one in act.links)


def test_links_are_bad_on_both_ends_and_a_partition_stays_when_they_are_good_again() -> None:
    how = ex.Link(delay=0.1)
    fault = ex.Fault(ex.IMPAIR, 0.0, 1.0, ex.Target("node", "node-1"), link=how)
    found = acts.of(fault, choose(fault, VIEW, Chance(Random(1))), "id")
    assert [(act.member, [one.link for one in act.links]) for act in found] == [
        ("node-1", ["node-2", "node-3"]), ("node-2", ["node-1"]), ("node-3", ["node-1"]),
    ]  # fmt: skip
    assert acts.undoing(found[1]).links == (LinkState("node-1", None, ex.Link()),)


@pytest.mark.parametrize(
    ("fault", "op", "undo"),
    [
        (ex.Fault(ex.STOP, 0, 9.0), Act("stop", "apiserver"), Act("start", "apiserver")),
        (ex.Fault(ex.PAUSE, 0, 9.0), Act("pause", "apiserver"), Act("resume", "apiserver")),
        (
            ex.Fault(ex.KILL, 0),
            Act("kill", "apiserver"),
            Act("start", "apiserver", after="kill"),
        ),
        (
            ex.Fault(ex.RESTART, 0),
            Act("restart", "apiserver"),
            Act("start", "apiserver", after="restart"),
        ),
        (
            ex.Fault(ex.SLOW, 0, 9.0, cpu=0.2),
            Act("slow", "apiserver", cpu=0.2, seconds=39.0),
            Act("slow", "apiserver"),
        ),
        (
            ex.Fault(ex.CLOCK, 0, 9.0, offset=-5.0),
            Act("skew", "apiserver", offset=-5.0),
            Act("skew", "apiserver"),
        ),
        (
            ex.Fault(ex.API, 0, 9.0, api=ex.ApiFault(code=503)),
            Act("faults", "apiserver", "id", 39.0, api=ex.ApiFault(code=503)),
            Act("faults", "apiserver", "id"),
        ),
        (
            ex.Fault(ex.DISK, 0, 9.0, disk=ex.DiskFault(full=True)),
            Act("disk", "apiserver", "id", 39.0, disk=ex.DiskFault(full=True)),
            Act("disk", "apiserver", "id"),
        ),
    ],
)
def test_what_is_done_and_what_undoes_it(fault, op, undo) -> None:
    target = chosen(ex.Target("process", "apiserver"))
    assert acts.of(fault, target, "id") == [op]
    assert acts.undoing(op) == undo
    for one in (op, undo):
        assert one is None or acts.read(acts.document(one)) == one


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.floats(10.0, 900.0))
def test_what_is_drawn_is_the_same_again_and_can_be_written_and_run(seed, seconds) -> None:
    made = drawing.draw(seed, VIEW, seconds)
    shuffled = View(tuple(reversed(MEMBERS)), VIEW.labels)
    assert drawing.draw(seed, shuffled, seconds) == made
    assert reading.parse(writing.text(made), "drawn.yaml") == made
    assert made.faults
    assert made.end <= seconds
    for number, fault in enumerate(made.faults):
        found = choose(fault, VIEW, Chance(Random(1)))
        assert acts.of(fault, found, f"{number}")


def test_another_seed_draws_something_else() -> None:
    assert drawing.draw(1, VIEW, 300.0).faults != drawing.draw(2, VIEW, 300.0).faults


@pytest.mark.parametrize("name", library.names())
def test_each_experiment_that_is_shipped_says_what_it_is(name) -> None:
    made = library.get(name)
    assert made.name == name
    assert len(made.description) > 50
    assert made.probes
    assert made.faults
    assert "---" in made.workload
