"""The autoscaler's arithmetic, from the algorithm page of Kubernetes' documentation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import resources, selectors, timestamps
from cluster.controllers.podautoscaler import (
    decision,
    grouping,
    model,
    normalizing,
    proposals,
    questions,
    readings,
    replicas,
    targets,
)
from cluster.controllers.podautoscaler.history import History
from cluster.controllers.podautoscaler.model import Sample, Unavailable
from cluster.controllers.podautoscaler.normalizing import Wish
from cluster.controllers.selectedpods import SelectedPods

NOW = 1_800_000_000.0


def pod(name, *, ready=True, age=3600.0, changed=None, phase="Running", request="100m", **meta):
    since = timestamps.encode(NOW - (age if changed is None else changed))
    requests = {"cpu": request} if request else {}
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}, **meta},
        "spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]},
        "status": {
            "phase": phase,
            "startTime": timestamps.encode(NOW - age),
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}],
        },
    }


def situation(pods, wanted=None, **settings):
    count = len(pods) if wanted is None else wanted
    known = model.Settings(**settings)
    allowed = model.Tolerances(known.tolerance, known.tolerance)
    return replicas.Situation("default", count, count, pods, known, allowed, NOW)


def used(**amounts):
    return {name: Sample(amount, NOW, 15.0) for name, amount in amounts.items()}


def pods(count, **more):
    return [pod(f"p{number}", **more) for number in range(count)]


def samples(*amounts):
    return used(**{f"p{number}": amount for number, amount in enumerate(amounts)})


@pytest.mark.parametrize(
    ("amounts", "target", "wanted"),
    [
        # desired = ceil(current * now / target)
        ((200, 200), 100, 4),
        ((50, 50), 100, 1),
        ((50, 50, 50, 50), 100, 2),
        ((105, 105), 100, 2),  # a tenth off is near enough
        ((109, 109), 100, 2),
        ((110, 110), 100, 2),
        ((111, 111), 100, 3),
        ((90, 90, 90), 100, 3),
        ((89, 89, 89), 100, 3),
        ((60, 60, 60), 100, 2),
        ((0, 0, 0), 100, 0),
        ((300, 0), 100, 3),
    ],
)
def test_as_many_pods_as_bring_the_average_to_the_target(amounts, target, wanted):
    at = situation(pods(len(amounts)))
    by_percent = replicas.by_utilization(at, samples(*amounts), "cpu", "", target)
    by_amount = replicas.by_average(at, samples(*amounts), "cpu", target)
    assert (by_percent.replicas, by_amount.replicas) == (wanted, wanted)
    assert by_percent.percent == sum(amounts) // len(amounts)


@pytest.mark.parametrize(
    ("known", "others", "wanted"),
    [
        # Not measured: all that is requested when shrinking, nothing when growing.
        ((20, 20), [pod("x")], 3),  # (20+20+100)/3 = 46% of 50%: near enough
        ((10, 10), [pod("x")], 3),  # 40%: ceil(0.8*3)
        ((200, 200), [pod("x")], 8),  # 133%: ceil(2.66*3)
        ((60, 60), [pod("x")], 3),  # 40%: the direction would turn
        # Not ready: nothing when growing, left out when shrinking.
        ((200, 200), [pod("x", ready=False, age=60)], 8),
        ((60, 60), [pod("x", ready=False, age=60)], 3),
        ((10, 10), [pod("x", ready=False, age=60)], 1),
        ((10, 10), [pod("x", phase="Pending")], 1),
        # On its way out, or ended: not there.
        ((10, 10), [pod("x", deletionTimestamp="2027-01-15T08:00:00Z")], 1),
        ((200, 200), [pod("x", phase="Failed")], 8),
    ],
)
def test_what_is_not_known_is_taken_for_what_holds_back(known, others, wanted):
    at = situation([*pods(len(known)), *others])
    found = samples(*known)
    for other in others:
        if other["status"]["phase"] == "Running" and not grouping.conditions.is_true(
            other, "Ready"
        ):
            found |= used(x=500)
    assert replicas.by_utilization(at, found, "cpu", "", 50).replicas == wanted


@pytest.mark.parametrize(
    ("ready", "age", "changed", "measured", "starting"),
    [
        (True, 3600, 3600, 0, False),
        (True, 60, 10, 0, True),  # no whole window since it became ready
        (True, 60, 30, 0, False),
        (False, 60, 55, 0, True),
        (False, 3600, 3590, 0, True),  # it has never been ready
        (False, 3600, 100, 0, False),  # it was ready once
    ],
)
def test_cpu_counts_once_a_pod_has_started(ready, age, changed, measured, starting):
    one = pod("p0", ready=ready, age=float(age), changed=float(changed))
    groups = grouping.grouped([one], samples(100), "cpu", model.Settings(), NOW - measured)
    assert (groups.unready == ["p0"]) is starting
    other = grouping.grouped([one], samples(100), "memory", model.Settings(), NOW)
    assert other.ready == 1


@pytest.mark.parametrize(
    ("value", "target", "wanted", "size"),
    [(150, 100, 2, 3), (105, 100, 2, 2), (50, 100, 2, 1), (0, 100, 2, 0), (250, 100, 0, 3)],
)
def test_one_number_is_brought_to_its_target(value, target, wanted, size):
    at = situation(pods(wanted), wanted)
    assert replicas.by_value(at, value, target).replicas == size


@pytest.mark.parametrize(
    ("value", "present", "size", "each"), [(300, 2, 6, 150), (100, 2, 2, 50), (10, 0, 1, 10)]
)
def test_one_number_is_shared_among_pods(value, present, size, each):
    found = replicas.by_share(situation(pods(present)), value, 50)
    assert (found.replicas, found.value) == (size, each)


@pytest.mark.parametrize(
    ("at", "found", "why"),
    [
        (situation([]), {}, "no pods returned by selector while calculating replica count"),
        (
            situation(pods(1, ready=False, age=1)),
            samples(5),
            "did not receive metrics for targeted pods (pods might be unready)",
        ),
        (
            situation(pods(1, request="")),
            samples(5),
            "missing request for cpu in container c of Pod p0",
        ),
    ],
)
def test_what_cannot_be_told_is_said(at, found, why):
    with pytest.raises(Unavailable) as caught:
        replicas.by_utilization(at, found, "cpu", "", 50)
    assert str(caught.value) == why


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=20),
    st.integers(0, 10),
    st.integers(0, 10),
    st.integers(1, 200),
)
def test_uncertainty_never_scales_further_than_certainty(amounts, missing, unready, target):
    known = pods(len(amounts))
    unknown = [pod(f"m{number}") for number in range(missing)]
    unknown += [pod(f"u{number}", phase="Pending") for number in range(unready)]
    at = situation([*known, *unknown])
    found = replicas.by_utilization(at, samples(*amounts), "cpu", "", target)
    ratio = found.percent / target
    if ratio > 1.0:
        assert at.wanted <= found.replicas <= max(at.wanted, math.ceil(ratio * at.wanted))
    elif unready == 0:
        assert found.replicas <= at.wanted


def resource(name="cpu", **target):
    kind = "Utilization" if "averageUtilization" in target else "AverageValue"
    return {"type": "Resource", "resource": {"name": name, "target": {"type": kind, **target}}}


def test_the_metric_that_calls_for_most_decides_and_a_missing_one_forbids_to_shrink():
    at = situation(pods(4))
    metrics = [resource(averageUtilization=50), resource("memory", averageValue="100")]
    low, high = samples(10, 10, 10, 10), samples(*([200_000] * 4))
    both = proposals.agreed(at, metrics, [low, high])
    assert (both.replicas, both.name) == (8, "memory resource")
    gone = Unavailable("unable to fetch metrics from resource metrics API: gone")
    grown = proposals.agreed(at, metrics, [gone, high])
    assert grown.replicas == 8
    assert grown.statuses[0] == {"type": ""}
    assert grown.problem.startswith("invalid metrics (1 invalid out of 2), first error is: failed")
    shrunk = proposals.agreed(at, metrics, [low, gone])
    assert shrunk.replicas is None


def normal(wish, behavior=None, history=None, window=300.0, now=NOW):
    return normalizing.normalized(wish, behavior, history or History(), now, window)


@pytest.mark.parametrize(
    ("wish", "size", "reason", "limited"),
    [
        (Wish(3, 5, 1, 10), 5, "DesiredWithinRange", False),
        (Wish(3, 50, 1, 10), 6, "ScaleUpLimit", True),
        (Wish(1, 50, 1, 10), 4, "ScaleUpLimit", True),
        (Wish(8, 50, 1, 10), 10, "TooManyReplicas", True),
        (Wish(3, 0, 2, 10), 2, "TooFewReplicas", True),
    ],
)
def test_sizes_stay_within_bounds_and_double_at_most(wish, size, reason, limited):
    found = normal(wish)
    assert (found.replicas, found.limit[0], found.limited) == (size, reason, limited)


def rules(policies, select="Max", window=0):
    given_policies = [
        {"type": kind, "value": value, "periodSeconds": period} for kind, value, period in policies
    ]
    return {
        "selectPolicy": select, "policies": given_policies, "stabilizationWindowSeconds": window,
    }  # fmt: skip


FAST = rules([("Percent", 100, 15)])


@pytest.mark.parametrize(
    ("current", "desired", "behavior", "size", "reason"),
    [
        (10, 100, {"scaleUp": rules([("Percent", 900, 60)])}, 100, "DesiredWithinRange"),
        (10, 100, {"scaleUp": rules([("Pods", 1, 60)])}, 11, "ScaleUpLimit"),
        (10, 100, {"scaleUp": rules([("Pods", 4, 15), ("Percent", 100, 15)])}, 20, "ScaleUpLimit"),
        (10, 100, {"scaleUp": rules([("Pods", 4, 15), ("Percent", 100, 15)], "Min")}, 14,
         "ScaleUpLimit"),
        (1, 100, {"scaleUp": rules([("Percent", 10, 15)])}, 2, "ScaleUpLimit"),
        (10, 100, {"scaleUp": rules([("Pods", 4, 15)], "Disabled")}, 10, "ScaleUpLimit"),
        (80, 10, {"scaleDown": rules([("Pods", 4, 60), ("Percent", 10, 60)])}, 72,
         "ScaleDownLimit"),
        (80, 10, {"scaleDown": rules([("Pods", 4, 60), ("Percent", 10, 60)], "Min")}, 76,
         "ScaleDownLimit"),
        (80, 10, {"scaleDown": rules([("Pods", 4, 60)], "Disabled")}, 80, "ScaleDownLimit"),
        (10, 0, {"scaleDown": FAST}, 1, "TooFewReplicas"),
    ],
)  # fmt: skip
def test_policies_of_the_documentation(current, desired, behavior, size, reason):
    behavior = {"scaleUp": FAST, "scaleDown": FAST} | behavior
    found = normal(Wish(current, desired, 1, 1000), behavior)
    assert (found.replicas, found.limit[0]) == (size, reason)


def test_changes_of_the_period_count_for_a_policy():
    behavior = {"scaleUp": rules([("Pods", 4, 60)]), "scaleDown": FAST}
    history = History()
    history.scaled(10, 13, NOW - 30, 60)
    assert normal(Wish(13, 100, 1, 1000), behavior, history).replicas == 14
    assert normal(Wish(13, 100, 1, 1000), behavior, history, now=NOW + 31).replicas == 17


def test_the_highest_recommendation_of_five_minutes_counts():
    history = History()
    for seconds, wanted in ((0, 10), (60, 8), (200, 9), (299, 3)):
        found = normal(Wish(10, wanted, 1, 100), history=history, now=NOW + seconds)
        assert found.replicas == 10
    assert found.able[0] == "ScaleDownStabilized"
    assert normal(Wish(10, 3, 1, 100), history=history, now=NOW + 301).replicas == 9
    assert normal(Wish(9, 3, 1, 100), history=history, now=NOW + 501).replicas == 3


def test_windows_of_both_directions_hold_the_size():
    behavior = {"scaleUp": rules([("Percent", 900, 15)], window=60), "scaleDown": FAST}
    history = History()
    history.began(5, NOW)
    found = normal(Wish(5, 9, 1, 100), behavior, history, now=NOW + 15)
    assert (found.replicas, found.able[0]) == (5, "ScaleUpStabilized")
    found = normal(Wish(5, 9, 1, 100), behavior, history, now=NOW + 70)
    assert (found.replicas, found.able[0]) == (9, "ReadyForNewScale")


@given(
    st.integers(1, 100),
    st.integers(0, 500),
    st.integers(1, 50),
    st.integers(50, 200),
    st.booleans(),
)
def test_no_size_is_ever_out_of_bounds(current, desired, least, most, plain):
    current = min(max(current, least), most)
    behavior = None if plain else {"scaleUp": FAST, "scaleDown": FAST}
    found = normal(Wish(current, desired, least, most), behavior)
    assert least <= found.replicas <= most
    assert (found.replicas >= current) or (desired < current)


def test_tolerances_of_a_behavior_stand_for_the_common_one():
    assert model.tolerances({}, 0.1) == model.Tolerances(0.1, 0.1)
    spec = {"behavior": {"scaleUp": {"tolerance": "0"}, "scaleDown": {"tolerance": "250m"}}}
    assert model.tolerances(spec, 0.1) == model.Tolerances(0.25, 0.0)


def test_an_autoscaler_forgets_no_condition_and_keeps_times_of_unchanged_ones():
    hpa = {"metadata": {"namespace": "default"}, "spec": {"maxReplicas": 5}, "status": {}}
    basis = decision.Basis(History(), model.Settings(), NOW)
    first = decision.decide(hpa, model.Scale(0, 0, "a=b"), None, basis)
    later = decision.Basis(History(), model.Settings(), NOW + 60)
    again = decision.decide(hpa | {"status": first.status}, model.Scale(0, 0, "a=b"), None, later)
    assert again.status == first.status


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        (("apps/v1", "Deployment"), "/apis/apps/v1/namespaces/a/deployments/web/scale"),
        (("apps/v1beta1", "Deployment"), "/apis/apps/v1/namespaces/a/deployments/web/scale"),
        (("v1", "ReplicationController"),
         "/api/v1/namespaces/a/replicationcontrollers/web/scale"),
    ],
)  # fmt: skip
def test_targets_are_found_by_group_and_kind(reference, path):
    api_version, kind = reference
    target = {"apiVersion": api_version, "kind": kind, "name": "web"}
    hpa = {"metadata": {"namespace": "a"}, "spec": {"scaleTargetRef": target}}
    assert targets.of(hpa, resources.built_in())[1] == path


def test_selectors_are_shown_as_go_prints_them():
    assert questions.shown_selector(None) == "nil"
    assert questions.shown_selector({"matchLabels": {"b": "2", "a": "1"}}) == (
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},"
        "MatchExpressions:[]LabelSelectorRequirement{},}"
    )


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"metadata": {"name": "p"}},
        {"metadata": {"name": "p"}, "timestamp": 3, "window": "1s", "containers": [{}]},
        {"metadata": {"name": "p"}, "timestamp": "x", "window": "1s",
         "containers": [{"usage": {"cpu": "1"}}]},
        {"metadata": {"name": "p"}, "containers": [{"usage": {"cpu": []}}]},
    ],
)  # fmt: skip
def test_no_answer_of_a_metrics_server_breaks_more_than_the_reading(item):
    try:
        found = readings.resource(readings.by_pod({"items": [item]}), ["p"], "cpu", "")
    except (*readings.WRONG, Unavailable):
        found = {}
    assert found == {}


class Naive:
    """What SelectedPods has to agree with."""

    def __init__(self):
        self.selectors = {}
        self.pods = {}

    def selected(self, hpa):
        selector = self.selectors[hpa]
        return {key for key, labels in self.pods.items() if selector.matches(labels)}

    def sharing(self, hpa):
        own = self.selected(hpa)
        return {hpa} | {other for other in self.selectors if own & self.selected(other)}


texts = st.sampled_from(["a=1", "a=1,b=2", "b in (1,2)", "!a", "a!=1", "b in (2)", "a"])
labels = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2)
steps = st.one_of(
    st.tuples(st.just("hpa"), st.sampled_from("xyz"), texts),
    st.tuples(st.just("gone"), st.sampled_from("xyz"), st.none()),
    st.tuples(st.just("pod"), st.sampled_from("pqrs"), labels),
    st.tuples(st.just("dead"), st.sampled_from("pqrs"), st.none()),
)


@given(st.lists(steps, max_size=30))
def test_selections_agree_with_a_look_at_everything(story):
    naive, kept = Naive(), SelectedPods()

    def made(name, own):
        return {"metadata": {"name": name, "namespace": "d", "labels": own}}

    for what, name, more in story:
        key = f"d/{name}"
        if what == "hpa":
            naive.selectors[key] = selectors.parse_labels(more)
            everything = [made(pod[2:], own) for pod, own in naive.pods.items()]
            kept.put(key, naive.selectors[key], everything)
        elif what == "gone":
            naive.selectors.pop(key, None)
            kept.remove(key)
        else:
            before = naive.pods.pop(key, None)
            after = more if what == "pod" else None
            if after is not None:
                naive.pods[key] = after
            old = made(name, before) if before is not None else None
            kept.pod_changed(old, made(name, after) if after is not None else None)
        for hpa in naive.selectors:
            assert set(kept.pods(hpa)) == naive.selected(hpa)
            assert set(kept.sharing(hpa)) == naive.sharing(hpa)
