"""One attempt: choice, kept results, and the extension points that no built-in plugin uses."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scheduling import NoBinder, info, node, placed, preferred_affinity, scheduler, unfit

from cluster.aio import virtual
from cluster.scheduler import core
from cluster.scheduler.binding import bind
from cluster.scheduler.config import Config
from cluster.scheduler.framework.points import Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.framework.status import SUCCESS, Code, Status, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.defaultbinder import DefaultBinder
from cluster.scheduler.plugins.nodename import NodeName
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.prioritysort import PrioritySort
from cluster.scheduler.pods import PodInfo


def _with(cache: Cache, *plugins: Any, weight: int = 1) -> Profile:
    found = [PrioritySort(), DefaultBinder(NoBinder()), *plugins]
    return Profile([Weighted(one, weight) for one in found], scheduler_name="test")


def test_ties_fall_evenly_and_the_same_way_each_time() -> None:
    def run() -> list[str]:
        subject = scheduler(*(node(f"n{at}") for at in range(4)))
        found = []
        for at in range(400):
            one = info(f"p{at}")
            found.append(placed(subject.schedule(one, 0)))
            subject.cache.remove_pod(one.key)
        return found

    first = run()
    assert first == run()
    assert all(60 < count < 140 for count in Counter(first).values())
    assert len(Counter(first)) == 4


def test_pods_spread_over_equal_nodes() -> None:
    subject = scheduler(*(node(f"n{at}") for at in range(5)))
    where = Counter(placed(subject.schedule(info(f"p{at}", cpu="100m"), 0)) for at in range(50))
    assert set(where.values()) == {10}


def test_a_full_cluster_takes_no_more() -> None:
    subject = scheduler(node("a", cpu="1"), node("b", cpu="1"))
    for at in range(4):
        placed(subject.schedule(info(f"p{at}", cpu="500m"), 0))
    unfit(subject.schedule(info("p4", cpu="500m"), 0))
    subject.cache.remove_pod("default/p2")
    placed(subject.schedule(info("p5", cpu="500m"), 0))


def test_a_preferred_node_wins() -> None:
    term = {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}
    subject = scheduler(node("a"), node("b", labels={"disk": "ssd"}), node("c"))
    one = info("p", affinity=preferred_affinity((1, term)))
    assert placed(subject.schedule(one, 0)) == "b"


def test_a_pod_without_requests_is_not_drawn_to_the_balanced_node() -> None:
    subject = scheduler(node("a"), node("b"))
    subject.cache.set_pod(info("x", cpu="2", nodeName="a"))
    assert placed(subject.schedule(info("p"), 0)) == "b"


class _Named(NodeName):
    """Signs like the others, so that its pods share results."""


def test_a_pod_that_names_its_node_fits_no_other() -> None:
    cache = Cache()
    subject = scheduler(node("a"), node("b"), cache=cache, profile=_with(cache, _Named()))
    assert placed(subject.schedule(info("p", nodeName="b"), 0)) == "b"
    message = unfit(subject.schedule(info("q", nodeName="c"), 0)).message
    assert message == ("0/2 nodes are available: 2 node(s) didn't match the requested node name.")


class _Spread:
    """Reads the whole cluster: at most one pod a node; prefers later rows."""

    name = "Spread"
    reads = Reads.CLUSTER

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.calls = 0

    def sign(self, _pod: PodInfo) -> Any:
        return None

    def filter(self, _state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        self.calls += 1
        taken = [bool(self._cache.pods_on(nodes.name(int(row)))) for row in rows]
        return np.array(taken, np.int64)

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, _code: int) -> Status:
        return unschedulable("node(s) had a pod")

    def score(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, rows: Rows) -> Scores:
        return np.asarray(rows, np.int64)


def test_a_plugin_that_reads_the_cluster_is_asked_in_every_attempt() -> None:
    cache = Cache()
    spread = _Spread(cache)
    profile = _with(cache, NodeResourcesFit(), spread)
    subject = scheduler(*(node(f"n{at}") for at in range(3)), cache=cache, profile=profile)
    found = [placed(subject.schedule(info(f"p{at}"), 0)) for at in range(3)]
    assert found == ["n2", "n1", "n0"]
    assert unfit(subject.schedule(info("p3"), 0)).message == (
        "0/3 nodes are available: 3 node(s) had a pod."
    )
    cache.remove_pod("default/p1")
    assert placed(subject.schedule(info("p4"), 0)) == "n1"
    assert spread.calls == 5


class _Reserving:
    def __init__(self, name: str, log: list[str], status: Status = SUCCESS) -> None:
        self.name = name
        self._log = log
        self._status = status

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status:
        self._log.append(f"{self.name} reserves")
        state[self.name] = pod.key
        return self._status

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None:
        assert state.get(self.name, pod.key) == pod.key
        self._log.append(f"{self.name} unreserves")


def test_a_refused_reservation_undoes_all_of_them_in_reverse() -> None:
    log: list[str] = []
    cache = Cache()
    profile = _with(cache, _Reserving("one", log), _Reserving("two", log, unschedulable("no more")))
    subject = scheduler(node("a"), cache=cache, profile=profile)
    assert subject.schedule(info("p"), 0) == core.Unfit("no more", ("two",))
    assert log == ["one reserves", "two reserves", "two unreserves", "one unreserves"]
    assert cache.node_of("default/p") == ""


def test_a_reservation_that_breaks_is_a_fault() -> None:
    cache = Cache()
    broken = _Reserving("one", [], Status(Code.ERROR, ("disk on fire",)))
    subject = scheduler(node("a"), cache=cache, profile=_with(cache, broken))
    assert subject.schedule(info("p"), 0) == core.Failed("disk on fire")


class _Permitting:
    name = "Permitting"

    def __init__(self, status: Status | None) -> None:
        self._status = status

    async def permit(self, state: CycleState, pod: PodInfo, node: str) -> Status:
        if self._status is None:
            import asyncio

            await asyncio.Event().wait()
            raise AssertionError
        return self._status


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (unschedulable("denied"), Status(Code.UNSCHEDULABLE, ("denied",), "Permitting")),
        (
            Status(Code.ERROR, ("lost",)),
            Status(Code.ERROR, ('running Permit plugin "Permitting": lost',), "Permitting"),
        ),
        (None, Status(Code.ERROR, ("binding was not done in time",))),
    ],
)
def test_what_permit_says_ends_the_binding(answer: Status | None, status: Status) -> None:
    profile = _with(Cache(), _Permitting(answer))
    config = Config(permit_timeout=5)
    found = virtual.run(bind(profile, config, info("p"), core.Placed("a", {})))
    assert found == status


@pytest.mark.parametrize(
    ("plugins", "sentence"),
    [
        ([PrioritySort()], "needs a plugin that binds"),
        ([DefaultBinder(NoBinder())], "exactly one queue sort plugin, not 0"),
        ([PrioritySort(), PrioritySort()], "PrioritySort is in the scheduler profile twice"),
    ],
)
def test_an_impossible_profile_is_refused(plugins: list[Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Profile([Weighted(one) for one in plugins], scheduler_name="test")


def test_explain_tells_of_every_node() -> None:
    subject = scheduler(node("b", cpu="1"), node("a"), node("c", unschedulable=True))
    placed(subject.schedule(info("p", cpu="2", memory="1Gi"), 12.5))
    found = subject._history.explain("default/p")
    assert found is not None
    assert (found.node, found.time, found.message) == ("a", 12.5, "")
    assert [(one.node, one.total) for one in found.nodes] == [("a", 433), ("b", None), ("c", None)]
    assert found.nodes[0].scores == {
        "TaintToleration": 100,
        "NodeResourcesFit": (50 + 87) // 2,
        "NodeResourcesBalancedAllocation": 50 + (50 + 81 - 100) // 2,
    }
    assert found.nodes[1].rejection == Status(
        Code.UNRESOLVABLE, ("Insufficient cpu",), "NodeResourcesFit"
    )
    assert found.nodes[2].rejection == Status(
        Code.UNRESOLVABLE, ("node(s) were unschedulable",), "NodeUnschedulable"
    )


def test_explanations_are_bounded() -> None:
    subject = scheduler(node("a"), attempts=3)
    for at in range(5):
        placed(subject.schedule(info(f"p{at}"), at))
    assert subject._history.explain("default/p1") is None
    assert subject._history.explain("default/p2") is not None


def test_a_node_that_is_cordoned_takes_no_more_pods_of_a_known_kind() -> None:
    subject = scheduler(node("a"))
    placed(subject.schedule(info("p0"), 0))
    subject.cache.set_node(node("a", unschedulable=True))
    assert unfit(subject.schedule(info("p1"), 0)).rejected_by == ("NodeUnschedulable",)
    tolerating = info("p2", tolerations=[{"operator": "Exists"}])
    assert placed(subject.schedule(tolerating, 0)) == "a"
