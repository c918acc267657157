"""Custom resources: what is owned goes by their structural schema, or by the value itself."""

from typing import Any

import pytest

from cluster.api import errors
from cluster.api.managedfields import applying, fieldsets, types, updating
from cluster.api.managedfields.applying import Apply
from cluster.api.managedfields.updating import Writer
from cluster.api.objects import Object


def schema_of(**spec: Any) -> types.Type:
    return types.of_custom(
        {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    )


def oven(**spec: Any) -> Object:
    return {"apiVersion": "e.com/v1", "kind": "Oven", "metadata": {"name": "o"}, "spec": spec}


def apply(kind: types.Type, live: Object, config: Object, manager: str = "one") -> Object:
    return applying.apply(kind, live, Apply(config, Writer(manager, "e.com/v1", 0), force=True))


def owned(obj: Object, at: int = 0) -> list[str]:
    fields = obj["metadata"]["managedFields"][at]["fieldsV1"]
    return [fieldsets.shown(path) for path in fieldsets.paths(fields)]


ITEM = {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}
LISTS: list[tuple[dict[str, Any], list[Any], list[Any], list[Any], list[str]]] = [
    ({}, [{"name": "a"}], [{"name": "b"}], [{"name": "b"}], [".spec.x"]),
    ({"x-kubernetes-list-type": "atomic"}, [1], [2], [2], [".spec.x"]),
    ({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
     [{"name": "a", "n": 1}], [{"name": "b"}], [{"name": "a", "n": 1}, {"name": "b"}],
     ['.spec.x[name="a"]', '.spec.x[name="a"].n', '.spec.x[name="a"].name']),
    ({"x-kubernetes-list-type": "set", "items": {"type": "integer"}}, [1, 2], [2, 3], [1, 2, 3],
     [".spec.x[=1]", ".spec.x[=2]"]),
]  # fmt: skip


@pytest.mark.parametrize(("marks", "first", "second", "merged", "fields"), LISTS)
def test_lists_merge_as_they_are_marked(
    marks: dict[str, Any], first: list[Any], second: list[Any], merged: list[Any], fields: list[str]
) -> None:
    items = {} if isinstance(first[0], int) else {"items": ITEM}
    kind = schema_of(x={"type": "array", **items, **marks})
    made = apply(kind, {}, oven(x=first))
    assert owned(made) == fields
    assert apply(kind, made, oven(x=second), "two")["spec"]["x"] == merged


def test_keys_have_the_defaults_of_the_schema() -> None:
    item = {"type": "object", "properties": {
        "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"},
    }}  # fmt: skip
    kind = schema_of(x={
        "type": "array", "items": item, "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
    })  # fmt: skip
    made = apply(kind, {}, oven(x=[{"port": 1}]))
    assert owned(made)[0] == '.spec.x[port=1,protocol="TCP"]'
    again = apply(kind, made, oven(x=[{"port": 1, "protocol": "TCP"}]), "two")
    assert again["spec"]["x"] == [{"port": 1, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"type": "object", "additionalProperties": {"type": "string"}}, [".spec.x.a"]),
        ({"type": "object", "additionalProperties": {"type": "string"},
          "x-kubernetes-map-type": "atomic"}, [".spec.x"]),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, [".spec.x.a"]),
        ({"x-kubernetes-preserve-unknown-fields": True}, [".spec.x.a"]),
    ],
)  # fmt: skip
def test_maps_are_owned_by_entry_or_whole(body: dict[str, Any], fields: list[str]) -> None:
    assert owned(apply(schema_of(x=body), {}, oven(x={"a": "1"}))) == fields


def test_without_a_schema_maps_are_taken_apart_and_lists_are_not() -> None:
    made = apply(types.of_custom(None), {}, oven(a={"b": [{"name": "x"}], "c": {}}))
    assert owned(made) == [".spec", ".spec.a", ".spec.a.b", ".spec.a.c"]
    made["spec"]["a"]["c"] = {"d": None}
    mixed = apply(types.of_custom(None), made, oven(a="now a text"), "two")
    assert mixed["spec"] == {"a": "now a text"}


def test_what_the_schema_does_not_have_is_refused() -> None:
    with pytest.raises(errors.BadRequest, match=r"\.spec\.y: field not declared in schema"):
        apply(schema_of(x={"type": "string"}), {}, oven(y="1"))


def test_an_update_owns_the_maps_that_it_brings() -> None:
    kind = schema_of(x={"type": "object", "properties": {"a": {"type": "string"}}})
    found = updating.update(kind, None, oven(x={"a": "1"}), Writer("m", "e.com/v1", 0))
    assert found is not None
    assert found[0]["fieldsV1"] == {"f:spec": {".": {}, "f:x": {".": {}, "f:a": {}}}}


def test_who_owned_parts_owns_the_whole_when_the_schema_makes_it_atomic() -> None:
    part = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    made = apply(schema_of(x=part), {}, oven(x={"a": "1"}))
    assert owned(made) == [".spec.x.a"]
    atomic = schema_of(x=part | {"x-kubernetes-map-type": "atomic"})
    later = apply(atomic, made, oven(x={"b": "2"}), "two")
    assert later["spec"]["x"] == {"b": "2"}
    assert len(later["metadata"]["managedFields"]) == 1
    alone = applying.apply(atomic, made, Apply(oven(x={"a": "1"}), Writer("z", "e.com/v1", 0)))
    assert owned(alone, 0) == owned(alone, 1) == [".spec.x"]


def test_items_that_cannot_be_told_apart_leave_an_object_without_managers() -> None:
    kind = schema_of(x={
        "type": "array", "items": ITEM, "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    })  # fmt: skip
    assert updating.update(kind, None, oven(x=[{"n": 1}]), Writer("m", "e.com/v1", 0)) is None
    twice = [{"name": "a", "n": 1}, {"name": "a", "n": 2}]
    found = updating.update(kind, None, oven(x=twice), Writer("m", "e.com/v1", 0))
    assert found is not None
    assert found[0]["fieldsV1"]["f:spec"]["f:x"] == {".": {}, 'k:{"name":"a"}': {}}
