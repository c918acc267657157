"""Sets of fields: FieldsV1 read, written and calculated with."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api.managedfields import elements, fieldsets

PORT = 'k:{"containerPort":80,"protocol":"TCP"}'

names = st.text("abcz/.-", min_size=1, max_size=3)
element = st.one_of(
    names.map(elements.field),
    st.one_of(names, st.integers(-3, 300), st.booleans()).map(elements.of_value),
    st.dictionaries(names, st.one_of(names, st.integers(0, 99)), min_size=1, max_size=2).map(
        lambda keys: elements.of_keys(keys.items())
    ),
    st.integers(0, 20).map(lambda index: f"i:{index}"),
)
sets = st.lists(st.lists(element, min_size=1, max_size=3).map(tuple), max_size=6).map(
    fieldsets.of_paths
)


def members(found: fieldsets.Set) -> set[tuple[str, ...]]:
    return set(fieldsets.paths(found))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('{"f:spec":{"f:replicas":{}}}', [".spec.replicas"]),
        ('{"f:labels":{".":{},"f:a/b":{}}}', [".labels", ".labels.a/b"]),
        (
            '{"f:ports":{"k:{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:name":{}}}}',
            [
                '.ports[containerPort=80,protocol="TCP"]',
                '.ports[containerPort=80,protocol="TCP"].name',
            ],
        ),
        ('{"f:finalizers":{"v:\\"x\\"":{}}}', ['.finalizers[="x"]']),
        ('{"f:args":{"i:0":{}}}', [".args[0]"]),
    ],
)  # fmt: skip
def test_reads_a_set_and_shows_its_paths(text: str, paths: list[str]) -> None:
    found = fieldsets.decoded(json.loads(text))
    assert [fieldsets.shown(path) for path in fieldsets.paths(found)] == paths
    assert json.dumps(found, separators=(",", ":")) == text


@pytest.mark.parametrize(
    "document",
    [
        [], "x", {"f:a": 1}, {"f:a": {"f:b": None}}, {"k:[]": {}}, {"k:{": {}}, {"v:": {}},
        {"i:x": {}}, {"name": {}}, {".": {}}, {"f:a": {".": {"f:b": {}}}}, {"x": {}},
    ],
)  # fmt: skip
def test_refuses_what_is_no_set(document: Any) -> None:
    with pytest.raises(fieldsets.Malformed):
        fieldsets.decoded(document)


def test_refuses_a_set_that_is_too_deep() -> None:
    document: dict[str, Any] = {}
    for _ in range(300):
        document = {"f:a": document}
    with pytest.raises(fieldsets.Malformed):
        fieldsets.decoded(document)


def test_puts_keys_in_their_order_and_in_one_spelling() -> None:
    wild = {
        'v:"b"': {}, "f:z": {}, 'k:{"protocol":"TCP", "containerPort":443}': {}, PORT: {},
        "f:a": {".": {}}, 'v:"a"': {}, "i:10": {}, "i:9": {}, "v:7": {},
    }  # fmt: skip
    assert list(fieldsets.decoded(wild)) == [
        "f:a", "f:z", PORT, 'k:{"containerPort":443,"protocol":"TCP"}',
        "v:7", 'v:"a"', 'v:"b"', "i:9", "i:10",
    ]  # fmt: skip
    assert fieldsets.decoded(wild)["f:a"] == {}


def test_leaves_out_elements_of_kinds_that_are_not_known() -> None:
    assert fieldsets.decoded({"z:future": {}, "f:a": {}}) == {"f:a": {}}


@given(sets)
def test_a_set_survives_its_text(one: fieldsets.Set) -> None:
    again = fieldsets.decoded(json.loads(json.dumps(one)))
    assert again == one
    assert json.dumps(again) == json.dumps(one)


@settings(max_examples=400)
@given(sets, sets)
def test_calculates_as_sets_of_paths_do(one: fieldsets.Set, other: fieldsets.Set) -> None:
    mine, theirs = members(one), members(other)
    assert members(fieldsets.union(one, other)) == mine | theirs
    assert members(fieldsets.intersection(one, other)) == mine & theirs
    assert members(fieldsets.difference(one, other)) == mine - theirs
    outside = {
        path for path in mine if not any(path[:n] in theirs for n in range(1, len(path) + 1))
    }
    assert members(fieldsets.without(one, other)) == outside
    assert all(fieldsets.has(one, path) == (path in mine) for path in mine | theirs)


@settings(max_examples=400)
@given(sets, sets)
def test_results_are_as_a_decoder_would_write_them(
    one: fieldsets.Set, other: fieldsets.Set
) -> None:
    before = json.dumps([one, other])
    for result in (
        fieldsets.union(one, other),
        fieldsets.intersection(one, other),
        fieldsets.difference(one, other),
        fieldsets.without(one, other),
    ):
        assert json.dumps(fieldsets.decoded(result)) == json.dumps(result)
    assert json.dumps([one, other]) == before


def test_an_element_that_loses_all_below_it_is_a_plain_member() -> None:
    both = fieldsets.of_paths([("f:a",), ("f:a", "f:b"), ("f:a", "f:c")])
    below = fieldsets.of_paths([("f:a", "f:b"), ("f:a", "f:c")])
    assert fieldsets.difference(both, below) == {"f:a": {}}
    assert fieldsets.without(both, below) == {"f:a": {}}
    assert fieldsets.intersection(both, fieldsets.of_paths([("f:a",), ("f:a", "f:d")])) == {
        "f:a": {}
    }
