"""Which volume suits a claim best: compared with looking at every one of them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cluster.api import objects
from cluster.api.persistentvolumes import facts
from cluster.api.persistentvolumes.matching import Volumes

Json = dict[str, Any]
MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce")


def volume(name: str, size: int, modes: list[str], kind: str, label: str, phase: str) -> Json:
    spec = {"capacity": {"storage": f"{size}Gi"}, "accessModes": modes, "storageClassName": kind}
    meta = {"name": name, "uid": f"u-{name}", "labels": {"tier": label}, "resourceVersion": "1"}
    return {"metadata": meta, "spec": spec, "status": {"phase": phase}}


def claim(size: int, modes: list[str], kind: str, label: str, name: str = "c") -> Json:
    spec: Json = {
        "accessModes": modes, "storageClassName": kind,
        "resources": {"requests": {"storage": f"{size}Gi"}},
    }  # fmt: skip
    if label:
        spec["selector"] = {"matchLabels": {"tier": label}}
    return {"metadata": {"name": name, "namespace": "n", "uid": f"u-{name}"}, "spec": spec}


sizes = st.integers(1, 4)
modes = st.lists(st.sampled_from(MODES), min_size=1, max_size=3, unique=True)
kinds = st.sampled_from(("", "fast"))
volumes = st.lists(
    st.tuples(
        sizes, modes, kinds, st.sampled_from("ab"), st.sampled_from(("Available", "Released"))
    ),
    max_size=8,
)
claims = st.tuples(sizes, modes, kinds, st.sampled_from(("", "a")))


def test_the_smallest_of_other_modes_that_are_as_many():
    known = Volumes()
    known.put(volume("large", 2, ["ReadOnlyMany", "ReadWriteMany"], "", "a", "Available"))
    known.put(volume("small", 1, ["ReadOnlyMany", "ReadWriteOnce"], "", "a", "Available"))
    found = known.best(claim(1, ["ReadOnlyMany"], "", ""), delayed=False)
    assert found is not None
    assert objects.name(found) == "small"


@given(volumes, claims, st.data())
def test_the_best_volume_is_the_smallest_that_will_do_with_the_fewest_modes(
    made: list[Any], wanted: Any, data: st.DataObject
) -> None:
    known, all_of = Volumes(), {}
    for number, fields in enumerate(made):
        all_of[f"v{number}"] = one = volume(f"v{number}", *fields)
        known.put(one)
    for name in data.draw(st.lists(st.sampled_from(sorted(all_of)), unique=True)) if all_of else ():
        known.remove(name)
        del all_of[name]
    asked = claim(*wanted)
    able = [one for one in all_of.values() if suits(one, asked)]
    best = known.best(asked, delayed=False)
    expected = min(
        ((len(facts.access_modes(one)), facts.capacity(one)) for one in able), default=None
    )
    if best is None:
        assert expected is None
        return
    assert best in able
    found = (len(facts.access_modes(best)), facts.capacity(best))
    assert found == expected
    assert known.best(asked, delayed=True) is None
    by_size = [facts.capacity(one) for one in known.free(asked)]
    assert by_size == sorted(facts.capacity(one) for one in able)


def suits(one: Json, asked: Json) -> bool:
    selector = asked["spec"].get("selector")
    return (
        one["status"]["phase"] == "Available"
        and facts.capacity(one) >= facts.requested(asked)
        and {*facts.access_modes(asked)} <= {*facts.access_modes(one)}
        and facts.class_of(one) == facts.class_of(asked)
        and (selector is None or objects.labels(one)["tier"] == "a")
    )


def test_a_volume_is_one_claims_while_it_is_being_bound() -> None:
    known = Volumes()
    known.put(volume("v", 1, ["ReadWriteOnce"], "", "a", "Available"))
    mine, other = (claim(1, ["ReadWriteOnce"], "", "", name) for name in ("mine", "other"))
    known.take("v", "u-mine")
    assert known.best(other, delayed=False) is None
    assert known.best(mine, delayed=False) is not None
    known.give_back("v")
    assert known.best(other, delayed=False) is not None


def test_older_news_of_a_volume_is_passed_over() -> None:
    known = Volumes()
    old = volume("v", 1, ["ReadWriteOnce"], "", "a", "Available")
    new = facts.volume_bound(old, claim(1, ["ReadWriteOnce"], "", ""))
    assert new is not None
    new["metadata"] = {**new["metadata"], "resourceVersion": "2"}
    known.put(new)
    known.put(old)
    assert known.get("v") is new
    assert known.of_claim("n/c") == ["v"]
    known.remove("v")
    assert known.of_claim("n/c") == []
    assert len(known) == 0


def test_a_volume_reserved_for_a_claim_comes_before_a_smaller_one() -> None:
    known, asked = Volumes(), claim(1, ["ReadWriteOnce"], "", "")
    reserved = volume("big", 4, ["ReadWriteOnce"], "other", "b", "Pending")
    reserved["spec"]["claimRef"] = {"namespace": "n", "name": "c"}
    known.put(reserved)
    known.put(volume("small", 1, ["ReadWriteOnce"], "", "a", "Available"))
    assert known.best(asked, delayed=True) is reserved
    reserved["spec"]["claimRef"]["uid"] = "another"
    found = known.best(asked, delayed=False)
    assert found is not None
    assert objects.name(found) == "small"
