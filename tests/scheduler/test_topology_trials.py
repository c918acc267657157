"""What would be without certain pods, or with others: filters judge the cache as it is."""

from typing import Any

import numpy as np
from scheduling import info, node, placed, scheduler, unfit

from cluster.scheduler import core, pods
from cluster.scheduler.evaluation import Evaluation
from cluster.scheduler.nodes.trial import Trial

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _far(app: str) -> Any:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": app}}}
    return {"podAntiAffinity": {REQUIRED: [term]}}


def _two_zones() -> core.Core:
    return scheduler(node("a", labels={"zone": "A"}), node("b", labels={"zone": "B"}))


def _passes(subject: core.Core, evaluation: Evaluation, pod: pods.PodInfo, name: str) -> bool:
    """Whether the filters that look at pods let the pod onto the node, as things are."""
    rows = np.array([subject.cache.table.row(name)], np.intp)
    return not any(
        one.filter(evaluation.state, pod, subject.cache.table, rows).any()
        for one in evaluation.moving_filters()
    )


def _evaluation(subject: core.Core, pod: pods.PodInfo) -> Evaluation:
    evaluation = Evaluation(subject.profile, pod, subject.cache)
    evaluation.refresh(pod)
    return evaluation


def test_a_pod_that_keeps_others_away_does_not_while_it_is_out() -> None:
    subject = _two_zones()
    for name in ("a", "b"):
        subject.cache.set_pod(info(f"shy-{name}", affinity=_far("x"), nodeName=name))
    one = info("p", labels={"app": "x"})
    assert unfit(subject.schedule(one, 0)).rejected_by == ("InterPodAffinity",)
    evaluation = _evaluation(subject, one)
    for name in ("a", "b", "a"):
        (shy,) = subject.cache.pods_on(name)
        with Trial(subject.cache) as trial:
            trial.take_out(shy)
            assert _passes(subject, evaluation, one, name)
            trial.put_back(shy)
            assert not _passes(subject, evaluation, one, name)
            trial.take_out(shy)
        assert not _passes(subject, evaluation, one, name)


def test_a_pod_that_is_put_in_keeps_others_away() -> None:
    subject = _two_zones()
    subject.cache.set_pod(info("shy", affinity=_far("x"), nodeName="b"))
    one = info("p", labels={"app": "x"})
    evaluation = _evaluation(subject, one)
    assert _passes(subject, evaluation, one, "a")
    other = {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone", "labelSelector": {}}]}}
    with Trial(subject.cache) as trial:
        trial.put_in(info("q", affinity=other), "a")
        assert not _passes(subject, evaluation, one, "a")
    assert _passes(subject, evaluation, one, "a")


def test_pods_that_share_results_do_not_share_what_keeps_them_away() -> None:
    """A rule that comes later means one of two pods that were alike until then."""
    subject = _two_zones()
    subject.cache.set_pod(info("shy", affinity=_far("x"), nodeName="a"))
    first = info("first", labels={"app": "x", "id": "1"})
    assert placed(subject.schedule(first, 0)) == "b"
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"id": "1"}}}
    later = {"podAntiAffinity": {REQUIRED: [term]}}
    subject.cache.set_pod(info("later", affinity=later, nodeName="b"))
    second = info("second", labels={"app": "x", "id": "2"})
    assert placed(subject.schedule(second, 0)) == "b"
    third = info("third", labels={"app": "x", "id": "1"})
    assert unfit(subject.schedule(third, 0)).rejected_by == ("InterPodAffinity",)


def test_skew_follows_pods_that_are_out() -> None:
    subject = _two_zones()
    constraint = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    }
    subject.cache.set_pod(info("x", labels={"app": "x"}, nodeName="a"))
    one = info("p", labels={"app": "x"}, topologySpreadConstraints=[constraint])
    evaluation = _evaluation(subject, one)
    assert not _passes(subject, evaluation, one, "a")
    with Trial(subject.cache) as trial:
        trial.take_out(subject.cache.pods_on("a")[0])
        assert _passes(subject, evaluation, one, "a")
    assert not _passes(subject, evaluation, one, "a")
