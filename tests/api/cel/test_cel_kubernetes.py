"""What Kubernetes adds to the language: types from schemas, list types, mutations, budgets."""

import base64
from typing import Any

import pytest

from cluster.api import cel
from cluster.api.cel import builtin, costs, mutation, structural, types
from cluster.api.cel.structural import from_schema

ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "byName": {
            "type": "array",
            "items": ITEM,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
        "list": {"type": "array", "items": {"type": "string"}},
        "ratio": {"type": "number"},
        "ratios": {"type": "array", "items": {"type": "number"}},
        "data": {"type": "string", "format": "byte"},
        "at": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "wait": {"type": "string", "format": "duration"},
        "port": {"x-kubernetes-int-or-string": True},
    },
}


def environment(schema: dict[str, Any]) -> cel.Environment:
    found = from_schema(schema)
    assert found is not None
    return cel.Environment({"self": found, "oldSelf": found})


def run(text: str, value: Any, old: Any = None) -> Any:
    return cel.compile(text, environment(SCHEMA)).run({"self": value, "oldSelf": old})


def test_sets_compare_and_join_without_order() -> None:
    value, old = {"set": ["a", "b"]}, {"set": ["b", "a"]}
    assert run("self.set == oldSelf.set", value, old) is True
    assert run("self == oldSelf", value, old) is True
    assert run("self.list == oldSelf.list", {"list": ["a", "b"]}, {"list": ["b", "a"]}) is False
    assert run("self.set + oldSelf.set + ['c']", value, {"set": ["c", "a"]}) == ["a", "b", "c"]


def test_maps_as_lists_compare_and_join_by_their_keys() -> None:
    one, two = {"name": "a", "size": 1}, {"name": "b", "size": 2}
    assert run("self.byName == oldSelf.byName", {"byName": [one, two]}, {"byName": [two, one]})
    other = {"name": "a", "size": 9}
    assert not run("self.byName == oldSelf.byName", {"byName": [one]}, {"byName": [other]})
    joined = run("self.byName + oldSelf.byName", {"byName": [one, two]}, {"byName": [other]})
    assert joined == [other, two]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type(self.ratio) == double && self.ratio / 2.0 == 1.5", True),
        ("self.ratios.sum() == 3.5 && self.ratios[0] == 1.0", True),
        ("self.ratios.all(x, type(x) == double)", True),
        ("self.data == b'hi'", True),
        ("self.at.getFullYear() == 2024 && self.day < self.at", True),
        ("self.wait == duration('90s')", True),
        ("type(self.port) == int && self.port == 80", True),
        ("has(self.set)", False),
        ("self.?ratio.orValue(0.0)", 3.0),
    ],
)
def test_values_have_the_types_of_the_schema(text: str, expected: Any) -> None:
    value = {
        "ratio": 3,
        "ratios": [1, 2.5],
        "data": base64.b64encode(b"hi").decode(),
        "at": "2024-05-01T10:00:00Z",
        "day": "2024-05-01",
        "wait": "1m30s",
        "port": 80,
    }
    assert run(text, value) == expected


def test_transition_rules_are_told_by_what_they_name() -> None:
    program = cel.compile("self.list == oldSelf.list", environment(SCHEMA))
    assert program.variables == ("self", "oldSelf")


def test_an_optional_old_value_is_bound_as_such() -> None:
    found = from_schema(SCHEMA)
    assert found is not None
    optional = cel.Environment({"self": found, "oldSelf": types.optional_of(found)})
    program = cel.compile("!oldSelf.hasValue() || oldSelf.ratio.value() < self.ratio", optional)
    assert program.run({"self": {"ratio": 2}, "oldSelf": cel.none()}) is True
    assert program.run({"self": {"ratio": 2}, "oldSelf": cel.optional({"ratio": 1})}) is True
    assert program.run({"self": {"ratio": 1}, "oldSelf": cel.optional({"ratio": 1})}) is False


def test_built_in_kinds_have_types() -> None:
    pod = builtin.for_kind("v1", "Pod")
    assert pod is not None
    pods = cel.Environment({"object": pod})
    text = "object.spec.containers.all(c, c.image.startsWith('a/')) && object.metadata.name != ''"
    value = {"metadata": {"name": "p"}, "spec": {"containers": [{"image": "a/b"}]}}
    assert cel.compile(text, pods).run({"object": value}) is True
    with pytest.raises(cel.CompileError, match="undefined field 'replicas'"):
        cel.compile("object.spec.replicas > 1", pods)
    crd = builtin.for_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    assert crd is not None
    cel.compile("object == object && object.spec == null", cel.Environment({"object": crd}))


MUTATIONS = cel.Environment({"object": types.DYN}, mutation.objects)


def test_mutations_construct_objects() -> None:
    text = (
        "Object{metadata: Object.metadata{labels: Object.metadata.labels{a: 'b'}}, spec: "
        "Object.spec{replicas: object.spec.replicas + 1, ?x: object.?y, "
        "containers: object.spec.containers.map(c, Object.spec.containers{name: c.name})}}"
    )
    value = {"spec": {"replicas": 1, "containers": [{"name": "c"}]}}
    found = cel.compile(text, MUTATIONS).run({"object": value})
    assert mutation.checked_object(found) == {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"replicas": 2, "containers": [{"name": "c"}]},
    }
    assert type(mutation.checked_object(found)) is dict


def test_objects_stand_where_their_names_say() -> None:
    found = cel.compile("Object{spec: Object.other{a: 1}}", MUTATIONS).run({})
    with pytest.raises(cel.EvaluationError, match=r'unexpected type name "Object\.other"'):
        mutation.checked_object(found)


def test_mutations_construct_json_patches() -> None:
    text = (
        "[JSONPatch{op: 'test', path: '/spec/replicas', value: 1}, JSONPatch{op: 'add', "
        "path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: Object.spec{a: 1}}]"
    )
    program = cel.compile(text, MUTATIONS)
    assert mutation.to_json(program.run({})) == [
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "add", "path": "/metadata/labels/a~1b", "value": {"a": 1}},
    ]
    with pytest.raises(cel.CompileError, match="expected type of field 'op' is 'string' but"):
        cel.compile("JSONPatch{op: 1}", MUTATIONS)
    with pytest.raises(cel.CompileError, match="undefined field 'verb'"):
        cel.compile("JSONPatch{verb: 'x'}", MUTATIONS)


def test_what_runs_is_taken_from_the_budget() -> None:
    program = cel.compile("self.all(x, x > 0)", cel.Environment({"self": types.DYN}))
    budget = cel.Budget(1000)
    program.run({"self": [1] * 10}, budget=budget)
    # One for `self` and one for the result; a turn is the condition, the step, `x` and `>`.
    assert budget.left == 1000 - 2 - 10 * 5
    with pytest.raises(cel.EvaluationError):
        program.run({"self": ["a"]}, budget=budget)
    assert budget.left < 1000 - 52
    program.run({"self": [1] * 500}, budget=budget)
    assert budget.exhausted


def test_values_may_be_made_as_they_are_asked_for() -> None:
    class Variables(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            return len(name)

        def __contains__(self, name: object) -> bool:
            return True

    kept = cel.Environment({"variables": types.DYN})
    program = cel.compile("variables.abc + variables.de", kept)
    assert program.run({"variables": Variables()}) == 5


@pytest.mark.parametrize(
    ("schema", "rule", "most"),
    [
        ({"type": "integer"}, "self > 1", 2),
        ({"type": "string", "maxLength": 10}, "self == 'abc'", 2),
        ({"type": "string", "maxLength": 10}, "self.contains('a')", 1 + 4),
        (
            {"type": "array", "maxItems": 10, "items": {"type": "integer"}},
            "self.all(x, x > 0)",
            1 + 10 * (3 + 2) + 1,
        ),
        (
            {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 100}},
            "self.all(x, self.exists(y, x == y))",
            1 + 10 * (3 + 1 + 10 * (4 + 1 + 1 + 40) + 1) + 1,
        ),
        (
            {
                "type": "object",
                "maxProperties": 5,
                "additionalProperties": {"type": "string", "maxLength": 25},
            },
            "self.all(k, self[k].startsWith('a'))",
            1 + 5 * (3 + 1 + 1 + 1 + 1) + 1,
        ),
    ],
)
def test_costs_are_estimated_from_the_bounds_of_the_schema(
    schema: dict[str, Any], rule: str, most: int
) -> None:
    assert costs.estimate(cel.compile(rule, environment(schema))).most == most


def test_a_rule_over_unbounded_lists_is_estimated_beyond_the_limit() -> None:
    schema = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
    program = cel.compile("self.all(x, x.all(y, y.contains('a')))", environment(schema))
    assert costs.estimate(program).most > 100 * costs.ESTIMATE_LIMIT
    simple = cel.compile("self.size() < 5", environment(schema))
    assert costs.estimate(simple).most < costs.ESTIMATE_LIMIT


def test_schemas_that_expressions_cannot_see_have_no_type() -> None:
    assert structural.from_schema({"type": "array"}) is None
    assert structural.from_schema({"x-kubernetes-preserve-unknown-fields": True}) is None
