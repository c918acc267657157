"""Thresholds, ranking, messages, limits and admission of eviction, without a loop."""

from typing import Any

import pytest

from cluster.kubelet.eviction import admission, limits, messages, signals, thresholds
from cluster.kubelet.eviction.manager import Manager, Settings
from cluster.kubelet.eviction.picture import Candidate, ContainerUse, PodUse, critical
from cluster.kubelet.eviction.ranking import ranked
from cluster.kubelet.eviction.signals import Observation
from cluster.kubelet.eviction.thresholds import Amount, Threshold

GI, MI = 1 << 30, 1 << 20


def pod(name: str, *, priority: int = 0, **fields: Any) -> dict[str, Any]:
    resources = {
        side: {"memory": fields[side]} for side in ("requests", "limits") if side in fields
    }
    spec = {"priority": priority, "containers": [{"name": "web", "resources": resources}]}
    spec |= fields.get("spec", {})
    meta = {"name": name, "uid": name, "annotations": fields.get("annotations", {})}
    return {"metadata": meta, "spec": spec}


def using(memory: int = 0, rootfs: int = 0, **more: Any) -> PodUse:
    return PodUse({"web": ContainerUse(memory, rootfs)}, **more)


def names(candidates: list[Candidate], resource: str = "memory") -> list[str]:
    return [one.uid for one in ranked(candidates, resource)]


def test_a_flag_is_read_as_statements() -> None:
    text = "memory.available<1Gi, nodefs.available<10%"
    assert thresholds.pairs(text, "<") == {"memory.available": "1Gi", "nodefs.available": "10%"}
    with pytest.raises(ValueError, match="not of the form"):
        thresholds.pairs("memory.available=1Gi", "<")
    with pytest.raises(ValueError, match="duplicate eviction signal"):
        thresholds.pairs("pid.available<1,pid.available<2", "<")


def test_a_hard_threshold_on_memory_holds_for_what_is_allocatable_too() -> None:
    made = thresholds.parse({"memory.available": "100Mi"}, {}, {}, {"memory.available": "10%"})
    assert made == (
        Threshold("memory.available", Amount(100 * MI), None, Amount(share=0.1)),
        Threshold("allocatableMemory.available", Amount(100 * MI), None, Amount(share=0.1)),
    )


@pytest.mark.parametrize(
    ("hard", "soft", "grace", "reclaim", "message"),
    [
        ({"memory.free": "1Gi"}, {}, {}, {}, "unsupported eviction signal memory.free"),
        ({"memory.available": "-1"}, {}, {}, {}, "must be positive"),
        ({"memory.available": "101%"}, {}, {}, {}, "must be <= 100%"),
        ({"memory.available": "x%"}, {}, {}, {}, "no percentage"),
        ({}, {"memory.available": "1Gi"}, {}, {}, "grace period must be specified"),
        ({}, {}, {"memory.available": "soon"}, {}, "no duration"),
        ({}, {}, {}, {"memory.available": "-1"}, "negative eviction minimum reclaim"),
        ({}, {}, {}, {"memory.available": "0%"}, "must be positive"),
    ],
)
def test_bad_thresholds_are_refused(
    hard: Any, soft: Any, grace: Any, reclaim: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        thresholds.parse(hard, soft, grace, reclaim)


def test_zero_and_hundred_percent_switch_a_threshold_off() -> None:
    assert thresholds.parse({"nodefs.available": "0%", "pid.available": "100%"}, {}, {}, {}) == ()


def test_who_exceeds_requests_goes_first_then_priority_then_by_how_much() -> None:
    candidates = [
        Candidate(pod("within", requests="2Gi"), using(GI)),
        Candidate(pod("important", priority=10), using(3 * GI)),
        Candidate(pod("small"), using(GI)),
        Candidate(pod("large"), using(2 * GI)),
        Candidate(pod("unknown"), None),
        Candidate(pod("within-low", requests="2Gi", priority=-1), using(GI)),
    ]
    assert names(candidates) == ["unknown", "large", "small", "important", "within-low", "within"]


def test_processes_are_ranked_by_priority_and_number() -> None:
    candidates = [
        Candidate(pod("few"), using(processes=2)),
        Candidate(pod("many"), using(processes=900)),
        Candidate(pod("important", priority=5), using(processes=9000)),
    ]
    assert names(candidates, signals.PIDS) == ["many", "few", "important"]


def test_the_message_names_containers_that_use_more_than_they_request() -> None:
    threshold = Threshold(signals.MEMORY, Amount(100 * MI))
    seen = Observation(50 * MI + 17, 4 * GI)
    one = Candidate(pod("web", requests="64Mi"), using(3 * GI))
    assert messages.of_pressure(one, threshold, seen) == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container web was using 3Gi, request is 64Mi, has larger consumption of memory. "
    )
    assert messages.of_pressure(one, threshold, seen, old=True) == (
        "The node was low on resource: memory. "
        "Container web was using 3Gi, which exceeds its request of 64Mi. "
    )
    modest = Candidate(pod("web", requests="4Gi"), using(3 * GI))
    assert "Container" not in messages.of_pressure(modest, threshold, seen)


def volume(limit: str, **more: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": limit} | more}]}


def storage(limit: str) -> dict[str, Any]:
    resources = {"limits": {"ephemeral-storage": limit}}
    return {"containers": [{"name": "web", "resources": resources}]}


@pytest.mark.parametrize(
    ("spec", "use", "expected"),
    [
        (volume("1Mi"), using(volumes={"scratch": MI}), None),
        (
            volume("1Mi"),
            using(volumes={"scratch": MI + 1}),
            ('emptydirfs.limit', 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '),
        ),
        (volume("1Mi", medium="Memory"), using(volumes={"scratch": 2 * MI}), None),
        (
            storage("1Mi"),
            using(rootfs=MI // 2, volumes={"other": MI}),
            (
                "ephemeralpodfs.limit",
                "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ",
            ),
        ),
        (
            {**storage("1Mi"), "containers": [*storage("1Mi")["containers"],
             {"name": "b", "resources": {"limits": {"ephemeral-storage": "9Mi"}}}]},
            using(rootfs=2 * MI),
            (
                "ephemeralcontainerfs.limit",
                'Container web exceeded its local ephemeral storage limit "1Mi". ',
            ),
        ),
    ],
)  # fmt: skip
def test_limits_of_local_storage(spec: Any, use: PodUse, expected: Any) -> None:
    assert limits.exceeded(Candidate(pod("web", spec=spec), use)) == expected


TOLERATION = {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}


@pytest.mark.parametrize(
    ("made", "conditions", "taken"),
    [
        (pod("best-effort"), (), True),
        (pod("best-effort"), ("MemoryPressure",), False),
        (pod("burstable", requests="1Mi"), ("MemoryPressure",), True),
        (pod("burstable", requests="1Mi"), ("MemoryPressure", "DiskPressure"), False),
        (pod("tolerant", spec={"tolerations": [TOLERATION]}), ("MemoryPressure",), True),
        (pod("tolerant", spec={"tolerations": [TOLERATION]}), ("DiskPressure",), False),
        (pod("critical", priority=2_000_000_000), ("DiskPressure",), True),
        # Whoever writes a pod may annotate it: that makes it no static one.
        (pod("spoof", annotations={"kubernetes.io/config.source": "file"}),
         ("DiskPressure",), False),
    ],
)  # fmt: skip
def test_pods_that_a_node_under_pressure_takes(
    made: Any, conditions: tuple[str, ...], taken: bool
) -> None:
    found = admission.judge(made, conditions)
    assert (found is None) is taken
    if found is not None:
        assert found.reason == "Evicted"
        assert found.message == f"The node had condition: [{' '.join(conditions)}]. "


def test_a_static_pod_is_taken_under_any_pressure() -> None:
    assert admission.judge(pod("static"), ("DiskPressure",), static=True) is None


def memory(available: int) -> dict[str, Observation]:
    return {signals.MEMORY: Observation(available, 4 * GI)}


def manager(**more: Any) -> Manager:
    hard = Threshold(signals.MEMORY, Amount(GI), None, Amount(GI // 2))
    soft = Threshold(signals.MEMORY, Amount(2 * GI), 30.0)
    return Manager(Settings((hard, soft), **more))


def test_a_soft_threshold_has_to_be_met_for_its_grace_period() -> None:
    made = manager(max_grace=7)
    assert made.observe(memory(int(1.5 * GI)), [], 0.0).reclaim is None
    assert made.conditions == ("MemoryPressure",)
    assert made.observe(memory(3 * GI), [], 20.0).reclaim is None
    assert made.observe(memory(int(1.5 * GI)), [], 25.0).reclaim is None
    seen = memory(int(1.5 * GI))
    outcome = made.observe(seen, [], 55.0)
    assert outcome.reclaim is not None
    assert not outcome.reclaim.hard
    victim = made.victim(outcome.reclaim, seen, [Candidate(pod("web"), using(GI))])
    assert victim is not None
    assert (victim.uid, victim.grace, victim.signal) == ("web", 7, "memory.available")


def test_a_hard_threshold_evicts_at_once_and_until_its_reclaim_is_there() -> None:
    made = manager()
    first = made.observe(memory(GI - 1), [], 0.0)
    assert first.reclaim is not None
    assert first.reclaim.hard
    # Above the threshold, but not yet by the minimum that is to be reclaimed.
    second = made.observe(memory(GI + 1), [], 1.0)
    assert second.reclaim is not None
    assert second.reclaim.hard
    assert made.observe(memory(3 * GI), [], 2.0).reclaim is None


def test_a_pressure_is_told_until_its_transition_period_is_over() -> None:
    made = manager(transition=300.0)
    made.observe(memory(GI - 1), [], 0.0)
    assert made.observe(memory(3 * GI), [], 299.0).conditions == ("MemoryPressure",)
    last = made.observe(memory(3 * GI), [], 300.0)
    assert (last.conditions, last.busy) == ((), False)


def test_what_the_node_cannot_do_without_is_no_victim() -> None:
    made, seen = manager(), memory(0)
    threshold = made.settings.thresholds[0]
    system = Candidate(pod("system", priority=2_000_000_000), using(3 * GI))
    assert critical(system.pod, static=False)
    assert made.victim(threshold, seen, [system]) is None
    user = Candidate(pod("user", requests="2Gi"), using(MI))
    found = made.victim(threshold, seen, [system, user])
    assert found is not None
    assert (found.uid, found.grace) == ("user", 1)


def test_limits_of_pods_come_before_pressures_of_the_node() -> None:
    over = Candidate(pod("web", spec=volume("1Mi")), using(volumes={"scratch": 2 * MI}))
    outcome = manager().observe(memory(0), [over], 0.0)
    assert [one.uid for one in outcome.evictions] == ["web"]
    assert outcome.reclaim is None
