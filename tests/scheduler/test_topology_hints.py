"""Which events wake pods that affinity or spreading turned down."""

from typing import Any

import pytest
from scheduling import info, node, pod

from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.plugins.interpodaffinity import InterPodAffinity, InterPodAffinityArgs
from cluster.scheduler.plugins.podtopologyspread import PodTopologySpread
from cluster.scheduler.plugins.spreadconstraints import PodTopologySpreadArgs

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
TERM = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "x"}}}
NEAR = {"podAffinity": {REQUIRED: [TERM]}}
FAR = {"podAntiAffinity": {REQUIRED: [TERM]}}
X, Y = pod("x", labels={"app": "x"}), pod("y", labels={"app": "y"})
SHY = pod("shy", affinity=FAR)
ZONED, BARE = node("a", labels={"zone": "z"}), node("b")


@pytest.mark.parametrize(
    ("labels", "affinity", "event", "old", "new", "helps"),
    [
        ({}, NEAR, Event.ASSIGNED_POD_ADD, None, X, True),
        ({}, NEAR, Event.ASSIGNED_POD_ADD, None, Y, False),
        ({}, FAR, Event.ASSIGNED_POD_ADD, None, X, False),
        ({}, FAR, Event.ASSIGNED_POD_DELETE, X, None, True),
        ({}, FAR, Event.ASSIGNED_POD_DELETE, Y, None, False),
        ({}, NEAR, Event.ASSIGNED_POD_DELETE, X, None, True),
        ({"app": "x"}, {}, Event.ASSIGNED_POD_DELETE, SHY, None, True),
        ({"app": "y"}, {}, Event.ASSIGNED_POD_DELETE, SHY, None, False),
        ({}, FAR, Event.ASSIGNED_POD_UPDATE, X, Y, True),
        ({}, FAR, Event.ASSIGNED_POD_UPDATE, Y, X, False),
        ({}, NEAR, Event.ASSIGNED_POD_UPDATE, Y, X, True),
        ({}, NEAR, Event.ASSIGNED_POD_UPDATE, Y, Y, False),
        ({}, NEAR, Event.NODE_ADD, None, ZONED, True),
        ({}, NEAR, Event.NODE_ADD, None, BARE, False),
        ({}, FAR, Event.NODE_ADD, None, BARE, True),
        ({}, NEAR, Event.NODE_LABELS, BARE, ZONED, True),
        ({"app": "z"}, FAR, Event.POD_UPDATE, X, None, True),
        ({"app": "x"}, {}, Event.POD_UPDATE, X, None, False),
    ],
)
def test_pod_affinity(
    labels: dict[str, str], affinity: Any, event: Event, old: Any, new: Any, helps: bool
) -> None:
    cache = Cache()
    plugin = InterPodAffinity(cache, PodIndex(cache))
    asked = {"affinity": affinity} if affinity else {}
    waiting = info("w", labels=labels, **asked)
    assert plugin.hints[event](waiting, Occurrence(event, old, new)) is helps


def _spread(**more: Any) -> Any:
    selector = {"matchLabels": {"app": "x"}}
    found = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    return [found | {"labelSelector": selector} | more]


ELSEWHERE = {"metadata": X["metadata"] | {"namespace": "other"}, "spec": {}}


@pytest.mark.parametrize(
    ("constraints", "event", "old", "new", "helps"),
    [
        (_spread(), Event.ASSIGNED_POD_ADD, None, X, True),
        (_spread(), Event.ASSIGNED_POD_ADD, None, Y, False),
        (_spread(), Event.ASSIGNED_POD_ADD, None, ELSEWHERE, False),
        (_spread(), Event.ASSIGNED_POD_DELETE, X, None, True),
        (_spread(), Event.ASSIGNED_POD_UPDATE, X, Y, True),
        (_spread(), Event.NODE_ADD, None, ZONED, True),
        (_spread(), Event.NODE_ADD, None, BARE, False),
        (_spread(), Event.NODE_DELETE, ZONED, None, True),
        (_spread(), Event.NODE_LABELS, BARE, ZONED, True),
        (_spread(), Event.NODE_LABELS, ZONED, BARE, True),
        (_spread(), Event.NODE_TAINTS, ZONED, ZONED, False),
        (_spread(nodeTaintsPolicy="Honor"), Event.NODE_TAINTS, ZONED, ZONED, True),
        (_spread(), Event.POD_UPDATE, pod("w"), None, True),
        (_spread(), Event.POD_UPDATE, pod("w", topologySpreadConstraints=_spread()), None, False),
    ],
)
def test_topology_spread(constraints: Any, event: Event, old: Any, new: Any, helps: bool) -> None:
    cache = Cache()
    plugin = PodTopologySpread(PodIndex(cache), cache.workloads)
    waiting = info("w", topologySpreadConstraints=constraints)
    assert plugin.hints[event](waiting, Occurrence(event, old, new)) is helps


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_out_of_range_is_refused(weight: int) -> None:
    with pytest.raises(ValueError, match=r"hardPodAffinityWeight: .* not in valid range \[0-100\]"):
        InterPodAffinityArgs(hard_pod_affinity_weight=weight)


ANYWAY = {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1}


@pytest.mark.parametrize(
    ("constraints", "kind", "sentence"),
    [
        ([], "Other", 'defaultingType: Invalid value: "Other": must be one of {"System", "List"}'),
        ([ANYWAY], "System", "when .defaultConstraints are not empty"),
        ([ANYWAY | {"maxSkew": 0}], "List", r"\[0\].maxSkew: Invalid value: 0: must be greater"),
        ([ANYWAY | {"topologyKey": ""}], "List", "topologyKey: Required value: can not be empty"),
        ([ANYWAY | {"whenUnsatisfiable": "X"}], "List", 'Unsupported value: "X"'),
        ([ANYWAY | {"labelSelector": {}}], "List", "labelSelector: Forbidden: constraint must not"),
        ([ANYWAY, ANYWAY], "List", r"\[1\]: Duplicate value: \"{zone, ScheduleAnyway}\""),
    ],
)
def test_default_constraints_that_cannot_be_are_refused(
    constraints: Any, kind: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence.replace("{", r"\{").replace("}", r"\}")):
        PodTopologySpreadArgs(tuple(constraints), kind)
