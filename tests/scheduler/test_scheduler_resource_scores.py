"""Scoring strategies by hand-worked numbers, arguments that are refused, and added affinity."""

from typing import Any

import pytest
from scheduling import NoBinder, info, node, placed, preferred_affinity, scheduler, unfit

from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins import args
from cluster.scheduler.plugins.args import ResourceSpec, ScoringStrategy, UtilizationShapePoint
from cluster.scheduler.plugins.balancedallocation import NodeResourcesBalancedAllocation
from cluster.scheduler.plugins.defaultbinder import DefaultBinder
from cluster.scheduler.plugins.nodeaffinity import NodeAffinity
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.prioritysort import PrioritySort

Json = dict[str, Any]
GPU = "example.com/gpu"


def _ratio(*points: tuple[int, int], resources: tuple[ResourceSpec, ...]) -> ScoringStrategy:
    shape = args.RequestedToCapacityRatioParam(
        tuple(UtilizationShapePoint(*point) for point in points)
    )
    return ScoringStrategy(args.REQUESTED_TO_CAPACITY_RATIO, resources, shape)


def _scores(plugin: Any, asked: Json, there: Json | None = None, **shape: str) -> int | None:
    """The plugin's score of one node of 4 cores and 8Gi, with the pods `there` asks for."""
    cache = Cache()
    plugins = [PrioritySort(), DefaultBinder(NoBinder()), plugin]
    profile = Profile([Weighted(one, 1) for one in plugins], scheduler_name="test")
    subject = scheduler(node("a", **shape), cache=cache, profile=profile)
    if there:
        cache.set_pod(info("there", requests=there, nodeName="a"))
    placed(subject.schedule(info("p", requests=asked), 0))
    explained = subject._history.explain("default/p")
    assert explained is not None
    return explained.nodes[0].scores.get(plugin.name)


ONLY_CPU = (ResourceSpec("cpu"),)
WITH_GPU = (ResourceSpec("cpu", 1), ResourceSpec(GPU, 3))
BIN_PACKING = ((0, 0), (100, 10))


@pytest.mark.parametrize(
    ("strategy", "asked", "there", "score"),
    [
        pytest.param(
            ScoringStrategy(), {"cpu": "1", "memory": "2Gi"}, None, (75 + 75) // 2, id="least"
        ),
        pytest.param(
            ScoringStrategy(), {"cpu": "1", "memory": "2Gi"}, {"cpu": "2", "memory": "4Gi"},
            (25 + 25) // 2, id="least, with a pod there",
        ),
        pytest.param(
            ScoringStrategy(resources=(ResourceSpec("cpu", 3), ResourceSpec("memory", 1))),
            {"cpu": "2", "memory": "1Gi"}, None, (3 * 50 + 87) // 4, id="least, weighted",
        ),
        pytest.param(
            ScoringStrategy(args.MOST_ALLOCATED), {"cpu": "1", "memory": "2Gi"}, None, 25, id="most"
        ),
        pytest.param(
            ScoringStrategy(args.MOST_ALLOCATED, ONLY_CPU), {"cpu": "1500m"}, {"cpu": "1"}, 62,
            id="most, of one resource",
        ),
        pytest.param(
            ScoringStrategy(resources=(ResourceSpec("ephemeral-storage"),)), {"cpu": "1"}, None, 0,
            id="what the node has none of",
        ),
        # From the documents ("Resource Bin Packing for Extended Resources"), with 4 cores and a
        # shape from 0 to 10: cpu 2 of 4 is 50, gpus 3 of 4 are 75; weights 1 and 3.
        pytest.param(
            _ratio(*BIN_PACKING, resources=WITH_GPU), {"cpu": "1", GPU: "2"},
            {"cpu": "1", GPU: "1"}, 69, id="ratio, (50 + 3 * 75) / 4 = 68.75",
        ),
        pytest.param(
            _ratio(*BIN_PACKING, resources=WITH_GPU), {"cpu": "3"}, None, 75,
            id="ratio, gpus not asked for",
        ),
        pytest.param(
            _ratio((0, 10), (100, 0), resources=ONLY_CPU), {"cpu": "1"}, None, 75,
            id="ratio, falling",
        ),
        pytest.param(
            _ratio((20, 2), (40, 8), (80, 8), resources=ONLY_CPU), {"cpu": "1200m"}, None, 50,
            id="ratio, between two points: 20 + 60 * 10 / 20",
        ),
        pytest.param(
            _ratio((20, 2), (40, 8), resources=ONLY_CPU), {"cpu": "400m"}, None, 20,
            id="ratio, before the first point",
        ),
        pytest.param(
            _ratio((20, 2), (40, 8), resources=ONLY_CPU), {"cpu": "3"}, None, 80,
            id="ratio, after the last point",
        ),
    ],
)  # fmt: skip
def test_scoring_strategies(
    strategy: ScoringStrategy, asked: Json, there: Json | None, score: int
) -> None:
    plugin = NodeResourcesFit(args.NodeResourcesFitArgs(scoring_strategy=strategy))
    assert _scores(plugin, asked, there, **{GPU: "4"}) == score


@pytest.mark.parametrize(
    ("compares", "asked", "there", "score"),
    [
        pytest.param(False, {"cpu": "2"}, None, 75, id="before 1.36: half against nothing"),
        pytest.param(True, {"cpu": "2"}, None, 50 + (50 + 75 - 100) // 2, id="worse than before"),
        pytest.param(True, {"cpu": "1"}, {"memory": "2Gi"}, 50 + (50 + 100 - 87) // 2, id="better"),
        pytest.param(True, {"cpu": "1", "memory": "2Gi"}, {"cpu": "1"}, 75, id="as it was"),
        pytest.param(True, {}, {"cpu": "1"}, None, id="nothing asked for"),
    ],
)
def test_balance(compares: bool, asked: Json, there: Json | None, score: int | None) -> None:
    assert _scores(NodeResourcesBalancedAllocation(compares=compares), asked, there) == score


def test_balance_of_three_resources_is_their_standard_deviation() -> None:
    resources = tuple(ResourceSpec(name) for name in ("cpu", "memory", GPU))
    plugin = NodeResourcesBalancedAllocation(
        args.NodeResourcesBalancedAllocationArgs(resources), compares=False
    )
    # 1/4, 2/4 and 3/4: the mean is 1/2, the deviation sqrt(1/24) = 0.2041
    assert _scores(plugin, {"cpu": "1", "memory": "4Gi", GPU: "3"}, **{GPU: "4"}) == 79


def test_ignored_resources_are_no_reason_to_turn_a_node_down() -> None:
    ignoring = args.NodeResourcesFitArgs(
        ignored_resources=("example.com/tpu",), ignored_resource_groups=("other.org",)
    )
    cache = Cache()
    plugins = [PrioritySort(), DefaultBinder(NoBinder()), NodeResourcesFit(ignoring)]
    profile = Profile([Weighted(one, 1) for one in plugins], scheduler_name="test")
    subject = scheduler(node("a"), cache=cache, profile=profile)
    placed(subject.schedule(info("p", requests={"example.com/tpu": "1", "other.org/x": "2"}), 0))
    message = unfit(subject.schedule(info("q", requests={GPU: "1"}), 0)).message
    assert message == f"0/1 nodes are available: 1 Insufficient {GPU}."


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: ResourceSpec("cpu", 0), "weight of resource cpu must be 1 to 100"),
        (lambda: ResourceSpec("", 1), "needs a name"),
        (lambda: ScoringStrategy("Best"), "no scoring strategy 'Best'"),
        (lambda: ScoringStrategy(resources=(*ONLY_CPU, *ONLY_CPU)), "cpu is listed twice"),
        (lambda: ScoringStrategy(args.REQUESTED_TO_CAPACITY_RATIO), "needs its shape"),
        (args.RequestedToCapacityRatioParam, "at least one point"),
        (lambda: _ratio((50, 1), (50, 2), resources=ONLY_CPU), "must increase"),
        (lambda: UtilizationShapePoint(101, 1), "utilization of a shape's point"),
        (lambda: UtilizationShapePoint(1, 11), "score of a shape's point"),
        (lambda: args.NodeResourcesFitArgs(ignored_resource_groups=("a/b",)), "has no '/'"),
        (
            lambda: args.NodeResourcesBalancedAllocationArgs((ResourceSpec("cpu", 2),)),
            "weight of cpu must be 1",
        ),
        (lambda: args.DefaultPreemptionArgs(101), "must be 0 to 100"),
        (lambda: args.DefaultPreemptionArgs(0, 0), "cannot be 0"),
        (lambda: args.DefaultPreemptionArgs(10, -1), "cannot be negative"),
    ],
)
def test_arguments_that_cannot_be(build: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build()


@pytest.mark.parametrize(("nodes", "wanted"), [(10, 10), (500, 100), (5000, 500), (150, 100)])
def test_how_many_candidates_preemption_looks_for(nodes: int, wanted: int) -> None:
    assert args.DefaultPreemptionArgs().wanted(nodes) == wanted


def _in_zone(zone: str) -> Json:
    return {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}


def _with_affinity(added: Json, *nodes: Json) -> Any:
    cache = Cache()
    affinity = NodeAffinity(args.NodeAffinityArgs(added))
    plugins = [PrioritySort(), DefaultBinder(NoBinder()), affinity]
    profile = Profile([Weighted(one, 1) for one in plugins], scheduler_name="test")
    return scheduler(*nodes, cache=cache, profile=profile)


def test_an_affinity_that_the_profile_adds_is_required_of_every_pod() -> None:
    added = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_in_zone("x")]}
    }
    nodes = [node("a", labels={"zone": "x"}), node("b", labels={"zone": "y"})]
    subject = _with_affinity(added, *nodes)
    assert placed(subject.schedule(info("p"), 0)) == "a"
    message = unfit(subject.schedule(info("q", nodeSelector={"zone": "y"}), 0)).message
    assert message == (
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) didn't match scheduler-enforced node affinity."
    )


def test_what_the_profile_prefers_counts_beside_what_the_pod_prefers() -> None:
    added = preferred_affinity((5, _in_zone("x")))["nodeAffinity"]
    nodes = [node("a", labels={"zone": "x"}), node("b", labels={"zone": "y"})]
    subject = _with_affinity(added, *nodes)
    assert placed(subject.schedule(info("p"), 0)) == "a"
    more = info("q", affinity=preferred_affinity((6, _in_zone("y"))))
    assert placed(subject.schedule(more, 0)) == "b"
