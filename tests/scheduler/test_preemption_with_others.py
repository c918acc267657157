"""Preemption where more than resources is in the way, and what a dry run leaves behind."""

from typing import Any

import pytest
from scheduling import info, node, scheduler, unfit

from cluster.scheduler import core
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.trial import Trial

Json = dict[str, Any]
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def _term(app: str, key: str) -> Json:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


def _apart(app: str, key: str) -> Json:
    required = [_term(app, key)]
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def _spread(app: str) -> list[Json]:
    return [
        {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": app}},
        }
    ]


def _cluster() -> core.Core:
    return scheduler(*(node(f"n{at}", labels={ZONE: f"z{at % 2}"}) for at in range(4)))


def _put(subject: core.Core, name: str, on: str, priority: int, **more: Any) -> None:
    subject.cache.set_pod(info(name, nodeName=on, priority=priority, **more))


def _victims(decision: core.Decision) -> list[str]:
    return [one.key.removeprefix("default/") for one in unfit(decision).result.victims]


def test_only_the_pod_that_repels_goes() -> None:
    subject = _cluster()
    for at in range(4):
        _put(subject, f"web-{at}", f"n{at}", at, labels={"app": "web"})
        _put(subject, f"idle-{at}", f"n{at}", 0, cpu="1")
    urgent = info("p", priority=100, affinity=_apart("web", HOST))
    assert _victims(subject.schedule(urgent, 0)) == ["web-0"]


def test_a_placed_pod_that_wants_to_be_alone_goes() -> None:
    subject = _cluster()
    for at in range(4):
        _put(subject, f"lonely-{at}", f"n{at}", at, affinity=_apart("web", HOST))
    urgent = info("p", priority=100, labels={"app": "web"})
    assert _victims(subject.schedule(urgent, 0)) == ["lonely-0"]


def test_pods_of_other_nodes_in_the_zone_are_out_of_reach() -> None:
    subject = _cluster()
    for at in range(4):
        _put(subject, f"web-{at}", f"n{at}", 0, labels={"app": "web"})
    urgent = info("p", priority=100, affinity=_apart("web", ZONE))
    decision = unfit(subject.schedule(urgent, 0))
    assert decision.result.victims == ()
    assert decision.message == (
        "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules. preemption: "
        "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules."
    )


def test_skew_is_taken_away_where_it_is() -> None:
    subject = _cluster()
    for at in (0, 2):
        _put(subject, f"web-{at}", f"n{at}", at, labels={"app": "web"})
    for at in (1, 3):
        _put(subject, f"full-{at}", f"n{at}", 200, cpu="4")
    urgent = info("p", cpu="1", priority=100, labels={"app": "web"})
    spread = info(
        "p", cpu="1", priority=100, labels={"app": "web"}, topologySpreadConstraints=_spread("web")
    )
    assert isinstance(subject.schedule(urgent, 0), core.Placed)
    subject.cache.remove_pod(urgent.key)
    # Zone z0 has two, z1 none: one of n0 or n2 must go for one to come, which leaves 2 to 0.
    assert unfit(subject.schedule(spread, 0)).result.victims == ()
    _put(subject, "web-1", "n1", 200, labels={"app": "web"})
    assert _victims(subject.schedule(spread, 0)) == ["web-0"]


def test_a_dry_run_leaves_verdicts_and_sums_as_they_were() -> None:
    subject = _cluster()
    for at in range(4):
        _put(subject, f"web-{at}", f"n{at}", 0, labels={"app": "web"}, cpu="3")
    pods = [
        info("p", priority=100, affinity=_apart("web", HOST)),
        info("q", priority=100, affinity=_apart("web", ZONE)),
        info("r", priority=-1, cpu="2", labels={"app": "web"}),
    ]
    first = [unfit(subject.schedule(one, 0)).message for one in pods]
    for one in pods:
        subject.cache.nominations.drop(one.key)
    assert [unfit(subject.schedule(one, 0)).message for one in pods] == first


class _Counting:
    def __init__(self) -> None:
        self.there: dict[str, int] = {}

    def placed(self, pod: Any, node: str) -> None:
        self.there[node] = self.there.get(node, 0) + 1

    def removed(self, pod: Any, node: str) -> None:
        self.there[node] -= 1

    def node_set(self, old: Any, node: Json, row: int) -> None:
        pass

    def node_removed(self, node: Json, row: int) -> None:
        pass


def test_listeners_see_a_trial_and_its_end_even_where_it_breaks() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    here, other = info("x", nodeName="a", cpu="1"), info("y", cpu="2")
    cache.set_pod(here)
    counting = _Counting()
    cache.listen(counting)
    before = (cache.table.requested.tolist(), cache.table.usage_changed.tolist())

    def breaking() -> None:
        with Trial(cache) as trial:
            trial.take_out(here)
            assert counting.there == {"a": 0}
            trial.put_in(other, "a")
            assert counting.there == {"a": 1}
            assert cache.node_of(here.key) == ""
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaking()
    assert counting.there == {"a": 1}
    assert cache.confirmed(here.key, here.uid)
    assert cache.node_of(other.key) == ""
    assert (cache.table.requested.tolist(), cache.table.usage_changed.tolist()) == before


def test_room_is_left_for_who_was_promised_the_node_and_is_as_important() -> None:
    subject = scheduler(node("a", cpu="2"), node("b", cpu="2"))
    promised = info("promised", cpu="2", priority=50)
    subject.cache.nominations.put(promised, "a")
    for name, priority, wanted in (("low", 10, "b"), ("same", 50, "b"), ("high", 60, "ab")):
        decision = subject.schedule(info(name, cpu="2", priority=priority), 0)
        assert isinstance(decision, core.Placed)
        assert decision.node in wanted
        subject.cache.remove_pod(f"default/{name}")
    decision = subject.schedule(promised, 0)
    assert isinstance(decision, core.Placed)
    assert decision.node == "a"
    assert len(subject.cache.nominations) == 0


def test_who_is_repelled_by_a_promised_pod_goes_elsewhere() -> None:
    subject = _cluster()
    subject.cache.nominations.put(info("promised", labels={"app": "web"}, priority=50), "n2")
    names = set()
    for at in range(3):
        one = info(f"p{at}", affinity=_apart("web", HOST), cpu="3")
        decision = subject.schedule(one, 0)
        assert isinstance(decision, core.Placed)
        names.add(decision.node)
    assert names == {"n0", "n1", "n3"}
