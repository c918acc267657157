"""Sizes of ReplicaSets: tables from the documentation, and bounds for arbitrary histories."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.controllers.deployment import budget, hashing, proportions, revisions, strategy


def deployment(replicas, surge="25%", unavailable="25%", kind="RollingUpdate", image="new"):
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {
        "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {
            "replicas": replicas,
            "strategy": {"type": kind, "rollingUpdate": rolling if kind == "RollingUpdate" else {}},
            "template": {"spec": {"containers": [{"name": "c", "image": image}]}},
        },
    }


def replica_set(name, size, available=None, *, maximum=None, created="2026-01-01T00:00:00Z"):
    annotations = {} if maximum is None else {revisions.MAXIMUM: str(maximum)}
    available = size if available is None else available
    return {
        "metadata": {"name": name, "creationTimestamp": created, "annotations": annotations},
        "spec": {"replicas": size},
        "status": {"replicas": size, "availableReplicas": available},
    }


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),  # surge rounds up, unavailable down
        (1, "25%", "25%", (1, 0)),
        (4, 0, 1, (0, 1)),
        (3, 0, 0, (0, 1)),  # something must be able to move
        (3, 0, "10%", (0, 1)),
        (3, "100%", "100%", (3, 3)),
        (2, 1, 5, (1, 2)),  # never more than there are
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_budget_resolves_percentages(replicas, surge, unavailable, expected) -> None:
    found = budget.of(deployment(replicas, surge, unavailable))
    assert (found.surge, found.unavailable) == expected


def test_recreate_has_no_budget() -> None:
    found = budget.of(deployment(5, kind="Recreate"))
    assert (found.surge, found.unavailable) == (0, 0)


@pytest.mark.parametrize(
    ("replicas", "surge", "old", "new", "expected"),
    [
        (10, 2, 10, 0, 2),
        (10, 2, 8, 2, 4),
        (10, 2, 10, 2, 2),  # no room yet
        (10, 20, 10, 0, 10),  # never more than asked for
        (10, 2, 0, 12, 10),  # shrinks to the size asked for
    ],
)
def test_the_new_replica_set_grows_as_the_surge_allows(replicas, surge, old, new, expected) -> None:
    sizes = strategy.roll_new(
        deployment(replicas, surge, 0), replica_set("new", new), [replica_set("old", old)]
    )
    assert sizes.get("new", new) == expected


@pytest.mark.parametrize(
    ("unavailable", "old", "old_ready", "new", "new_ready", "expected"),
    [
        (2, 10, 10, 0, 0, 8),
        (0, 10, 10, 2, 0, 10),  # new pods that are not available save no old ones
        (0, 10, 10, 2, 2, 8),
        (2, 10, 8, 0, 0, 8),  # the unhealthy go first, and use the budget up
        (2, 10, 0, 2, 0, 8),
        (5, 10, 10, 5, 3, 2),
    ],
)
def test_old_replica_sets_shrink_as_availability_allows(
    unavailable, old, old_ready, new, new_ready, expected
) -> None:
    sizes = strategy.roll_old(
        deployment(10, 5, unavailable),
        replica_set("new", new, new_ready),
        [replica_set("old", old, old_ready)],
    )
    assert sizes.get("old", old) == expected


class _Simulated:
    """ReplicaSets whose pods become available, and fail, at random."""

    def __init__(self, wanted, surge, unavailable, seed) -> None:
        self.deployment = deployment(wanted, surge, unavailable)
        self.random = random.Random(seed)
        self.sets = {"a-old": [wanted, wanted], "b-new": [0, 0]}

    def views(self):
        made = {name: replica_set(name, size, ready) for name, (size, ready) in self.sets.items()}
        return made["b-new"], [rs for name, rs in made.items() if name != "b-new"]

    def step(self, failing):
        new, old = self.views()
        before = {name: ready for name, (_, ready) in self.sets.items()}
        sizes = strategy.roll_new(self.deployment, new, old) or strategy.roll_old(
            self.deployment, new, old
        )
        for name, size in sizes.items():
            current = self.sets[name]
            # Pods that are not available are deleted first.
            self.sets[name] = [size, min(current[1], size)]
        lost = sum(before.values()) - sum(ready for _, ready in self.sets.values())
        for current in self.sets.values():
            current[1] += self.random.randint(0, current[0] - current[1])
            if failing:
                current[1] -= self.random.randint(0, current[1])
        return lost


@given(
    wanted=st.integers(1, 40),
    surge=st.one_of(st.integers(0, 10), st.integers(0, 100).map(lambda n: f"{n}%")),
    unavailable=st.one_of(st.integers(0, 10), st.integers(0, 100).map(lambda n: f"{n}%")),
    failing=st.lists(st.booleans(), max_size=30),
    seed=st.integers(0, 2**32),
)
def test_a_rollout_never_breaks_its_bounds_and_ends(
    wanted, surge, unavailable, failing, seed
) -> None:
    world = _Simulated(wanted, surge, unavailable, seed)
    limits = budget.of(world.deployment)
    for fails in [*failing, *[False] * 400]:
        available = sum(ready for _, ready in world.sets.values())
        lost = world.step(fails)
        assert sum(size for size, _ in world.sets.values()) <= wanted + limits.surge
        # The controller itself never takes an available pod away below the minimum.
        assert lost == 0 or available - lost >= wanted - limits.unavailable
        if world.sets == {"a-old": [0, 0], "b-new": [wanted, wanted]}:
            break
    assert world.sets["b-new"][0] == wanted
    assert world.sets["a-old"][0] == 0


def test_scaling_shares_the_change_in_proportion() -> None:
    # The documentation's example: 10 replicas, surge 3, 8 old and 5 new, scaled to 15.
    sizes = proportions.scale(
        deployment(15, 3, 2),
        replica_set("new", 5, maximum=13),
        [replica_set("old", 8, maximum=13)],
    )
    assert sizes == {"old": 11, "new": 7}


def test_scaling_to_zero_takes_everything() -> None:
    sizes = proportions.scale(
        deployment(0, 3, 2), replica_set("new", 5, maximum=13), [replica_set("old", 8, maximum=13)]
    )
    assert sizes == {"old": 0, "new": 0}


def test_the_only_active_replica_set_takes_the_whole_change() -> None:
    old = [replica_set("older", 0), replica_set("old", 4)]
    assert proportions.scale(deployment(9), replica_set("new", 0), old) == {"old": 9}


@given(
    sizes=st.lists(st.integers(1, 50), min_size=2, max_size=5),
    wanted=st.integers(0, 200),
    surge=st.integers(0, 20),
)
def test_scaling_hands_out_exactly_what_is_allowed(sizes, wanted, surge) -> None:
    before = sum(sizes)
    sets = [replica_set(f"rs{i}", size, 0, maximum=before) for i, size in enumerate(sizes)]
    target = deployment(wanted, surge, 1)
    found = proportions.scale(target, sets[-1], sets[:-1])
    allowed = wanted + surge if wanted else 0
    assert sum(found.values()) == allowed
    assert all(size >= 0 for size in found.values())


def test_the_hash_ignores_its_own_label_and_the_order_of_fields() -> None:
    one = {"metadata": {"labels": {"app": "web"}}, "spec": {"a": 1, "b": 2}}
    other = {"spec": {"b": 2, "a": 1}, "metadata": {"labels": {"app": "web", hashing.LABEL: "x"}}}
    assert hashing.same_template(one, other)
    assert hashing.template_hash(one, None) == hashing.template_hash(other, None)


def test_the_hash_differs_by_template_and_collision_count() -> None:
    one = {"spec": {"image": "a"}}
    hashes = {
        hashing.template_hash(one, None),
        hashing.template_hash(one, 1),
        hashing.template_hash(one, 2),
        hashing.template_hash({"spec": {"image": "b"}}, None),
    }
    assert len(hashes) == 4
    assert all(set(text) <= set("bcdfghjklmnpqrstvwxz2456789") for text in hashes)


def test_fnv1a_and_the_safe_alphabet_match_their_published_values() -> None:
    assert hashing.fnv1a(b"") == 0x811C9DC5
    assert hashing.fnv1a(b"foobar") == 0xBF9CF968
    # ord("0") is 48, and 48 % 27 is 21: the alphabet's 22nd letter, then those after it.
    assert hashing.safe_encoded("0123456789") == "456789bcdf"


@pytest.mark.parametrize(
    ("existing", "revision", "expected"),
    [
        ({}, 1, {revisions.REVISION: "1"}),
        ({revisions.REVISION: "1"}, 1, {revisions.REVISION: "1"}),
        (
            {revisions.REVISION: "1"},
            3,
            {revisions.REVISION: "3", revisions.HISTORY: "1"},
        ),
        (
            {revisions.REVISION: "3", revisions.HISTORY: "1"},
            5,
            {revisions.REVISION: "5", revisions.HISTORY: "1,3"},
        ),
        ({revisions.REVISION: "7"}, 5, {revisions.REVISION: "7"}),
    ],
)
def test_revisions_go_up_and_leave_a_history(existing, revision, expected) -> None:
    assert revisions.annotated(deployment(1), existing, revision) == expected


def test_annotations_are_copied_but_those_that_speak_of_the_deployment_itself() -> None:
    source = deployment(1)
    source["metadata"]["annotations"] = {
        "note": "x",
        revisions.LAST_APPLIED: "{}",
        revisions.REVISION: "9",
    }
    assert revisions.annotated(source, {}, 1) == {"note": "x", revisions.REVISION: "1"}


def test_a_long_history_forgets_its_oldest_revisions() -> None:
    existing = {revisions.REVISION: "999"}
    existing[revisions.HISTORY] = ",".join(str(n) for n in range(100, 990))
    found = revisions.annotated(deployment(1), existing, 1000)[revisions.HISTORY]
    assert len(found) <= revisions.HISTORY_LENGTH
    assert found.endswith(",999")
    assert not found.startswith("100,")


def test_pods_of_a_replica_set_that_shrinks_are_not_counted_upon() -> None:
    """Its status still tells of five; three of them are about to go."""
    old, new = replica_set("old", 5, available=5), replica_set("new", 2, available=5)
    assert strategy.roll_old(deployment(7, 0, 2), new, [old]) == {"old": 3}
    assert strategy.roll_old(deployment(7, 1, 0), new, [old]) == {}


def test_nothing_is_known_of_a_replica_set_that_was_just_scaled() -> None:
    old, new = replica_set("old", 6, available=6), replica_set("new", 2, available=2)
    assert strategy.roll_old(deployment(7, 1, 2), new, [old]) == {"old": 3}
    new["metadata"]["generation"], new["status"]["observedGeneration"] = 3, 2
    assert strategy.roll_old(deployment(7, 1, 2), new, [old]) == {"old": 5}
    new["status"]["observedGeneration"] = 3
    old["metadata"]["generation"] = 2
    assert strategy.roll_old(deployment(7, 1, 2), new, [old]) == {}, "none of it is unhealthy"
