"""Which revision is the present one, how revisions are named, and which may go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.controllers.history import naming, revisions, snapshot


def revision(number: int, image: str, name: str = "") -> dict[str, Any]:
    metadata = {
        "name": name or f"web-{image}-{number}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return {"metadata": metadata, "revision": number, "data": data(image)}


def template(image: str = "a") -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }


def data(image: str) -> dict[str, Any]:
    return snapshot.of({"spec": {"template": template(image)}})


@pytest.mark.parametrize(
    ("text", "value"),
    # The published test vectors of FNV-1, 32 bits.
    [(b"", 0x811C9DC5), (b"a", 0x050C5D7E), (b"b", 0x050C5D7D), (b"foobar", 0x31F0B262)],
)
def test_fnv1_gives_the_published_values(text: bytes, value: int) -> None:
    assert naming.fnv1(text) == value


def test_a_name_keeps_to_253_characters_and_spells_no_words() -> None:
    value = naming.hashed(b"{}", 0)
    name = naming.name("w" * 300, value)
    assert len(name) <= 253 - (10 - len(value))
    assert name.endswith(f"-{value}")
    assert not set(value) & set("aeiou013")


def test_the_collision_count_changes_the_hash_as_digits() -> None:
    assert naming.hashed(b"x", 7) == naming.hashed(b"x7", None)
    assert naming.hashed(b"x", 7) != naming.hashed(b"x", 8)


def test_data_is_encoded_as_go_encodes_it() -> None:
    found = snapshot.encoded(snapshot.of({"spec": {"template": template("a<b>&\u2028é")}}))
    assert (
        found
        == (
            '{"spec":{"template":{"$patch":"replace","metadata":{"creationTimestamp":null,'
            '"labels":{"app":"web"}},"spec":{"containers":[{"image":'
            '"a\\u003cb\\u003e\\u0026\\u2028é","name":"c","resources":{}}]}}}}'
        ).encode()
    )


def test_claims_in_ephemeral_volumes_are_written_as_go_writes_them() -> None:
    pod = template()
    claim = {"spec": {"accessModes": ["ReadWriteOnce"]}}
    pod["spec"]["volumes"] = [{"name": "v", "ephemeral": {"volumeClaimTemplate": claim}}]
    found = snapshot.of({"spec": {"template": pod}})["spec"]["template"]["spec"]["volumes"][0]
    assert found["ephemeral"]["volumeClaimTemplate"] == {
        "metadata": {"creationTimestamp": None},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {}},
    }
    assert claim == {"spec": {"accessModes": ["ReadWriteOnce"]}}, "the cache was changed"


def test_a_template_comes_back_as_it_was_but_for_empty_resources() -> None:
    restored = snapshot.template_in(data("a"))
    assert restored["metadata"] == {"labels": {"app": "web"}}
    assert restored["spec"] == {"containers": [{"name": "c", "image": "a", "resources": {}}]}
    assert snapshot.of({"spec": {"template": restored}}) == data("a")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"spec": 1},
        {"spec": {"template": []}},
        {"x": None},
        {"spec": {"template": {"spec": 5}}},
        {"spec": {"template": {"spec": {}, "metadata": [1]}}},
        {"spec": {"template": {"spec": {}, "metadata": {"labels": ["a"]}}}},
    ],
)
def test_data_of_another_shape_remembers_no_template(broken: dict[str, Any]) -> None:
    assert snapshot.template_in(broken) == {}


@pytest.mark.parametrize(
    ("known", "wanted", "choice"),
    [
        ([], "a", ("create", 1)),
        ([(1, "a")], "a", ("keep", "web-a-1")),
        ([(1, "a")], "b", ("create", 2)),
        ([(1, "a"), (2, "b")], "b", ("keep", "web-b-2")),
        ([(1, "a"), (2, "b")], "a", ("renumber", "web-a-1", 3)),
        ([(1, "a"), (4, "a"), (9, "b")], "a", ("renumber", "web-a-4", 10)),
        # Two of the same data: the newest of all is the present one.
        ([(1, "b"), (2, "a"), (3, "b")], "b", ("keep", "web-b-3")),
    ],
)  # fmt: skip
def test_the_present_revision_is_chosen(
    known: list[tuple[int, str]], wanted: str, choice: tuple[Any, ...]
) -> None:
    history = revisions.ordered(revision(number, image) for number, image in known)
    found = revisions.choose(history, data(wanted))
    match found:
        case revisions.Create(number):
            assert choice == ("create", number)
        case revisions.Keep(one):
            assert choice == ("keep", one["metadata"]["name"])
        case revisions.Renumber(one, number):
            assert choice == ("renumber", one["metadata"]["name"], number)


def test_revisions_of_one_number_are_in_order_of_creation_then_name() -> None:
    late = revision(1, "a", "a")
    late["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    early, other = revision(1, "a", "c"), revision(1, "a", "b")
    names = [one["metadata"]["name"] for one in revisions.ordered([late, early, other])]
    assert names == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("count", "live", "limit", "gone"),
    [
        (3, [], 3, []),
        (3, [], 1, [1, 2]),
        (3, [], 0, [1, 2, 3]),
        (3, [1], 1, [2]),
        (3, [1, 2, 3], 0, []),
        (3, [], -1, []),
        (12, [], None, [1, 2]),
    ],
)  # fmt: skip
def test_the_oldest_that_are_not_in_use_go(
    count: int, live: list[int], limit: int | None, gone: list[int]
) -> None:
    history = [revision(number, "a", f"r{number}") for number in range(1, count + 1)]
    found = revisions.surplus(history, {f"r{number}" for number in live}, limit)
    assert [revisions.number(one) for one in found] == gone


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
def test_after_any_changes_the_last_revision_is_the_present_state(images: list[str]) -> None:
    """And there is one revision a state, numbered by when it was last present."""
    history: list[dict[str, Any]] = []
    for image in images:
        match revisions.choose(history, data(image)):
            case revisions.Create(number):
                history.append(revision(number, image))
            case revisions.Renumber(one, number):
                one["revision"] = number
        history = revisions.ordered(history)
        assert revisions.same(history[-1], data(image))
    assert len(history) == len(set(images))
    assert len({revisions.number(one) for one in history}) == len(history)


def test_a_revision_is_named_labelled_and_owned() -> None:
    owner = {"metadata": {"name": "web", "namespace": "default"}}
    made = revisions.new(
        owner, {"uid": "u"}, data("a"), labels={"app": "web"}, annotations={}, number=1,
        collisions=0,
    )  # fmt: skip
    value = naming.hashed(snapshot.encoded(data("a")), 0)
    assert made["metadata"] == {
        "name": f"web-{value}",
        "namespace": "default",
        "labels": {"app": "web", "controller.kubernetes.io/hash": value},
        "ownerReferences": [{"uid": "u"}],
    }
    assert (made["revision"], made["data"]) == (1, data("a"))
