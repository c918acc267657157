"""Custom objects against their schema: words, pruning, defaults, ratcheting."""

from typing import Any

import crd_schemas as schemas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = {"secretName": "web", "issuerRef": {"name": "ca"}}
TOO_MANY = {"type": "array", "maxItems": 3, "items": {"type": "integer"}}


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "integer"}, "three",
         'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'),
        ({"type": "string"}, 5,
         'spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer"'),
        ({"type": "string"}, 5.5,
         'spec.x: Invalid value: "number": spec.x in body must be of type string: "number"'),
        ({"type": "object"}, [],
         'spec.x: Invalid value: "array": spec.x in body must be of type object: "array"'),
        ({"type": "array", "items": {"type": "string"}}, True,
         'spec.x: Invalid value: "boolean": spec.x in body must be of type array: "boolean"'),
        ({"x-kubernetes-int-or-string": True}, True,
         'spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: '
         '"boolean"'),
        ({"type": "array", "items": {"type": "string"}}, [None],
         'spec.x[0]: Invalid value: "null": spec.x[0] in body must be of type string: "null"'),
        ({"type": "string", "enum": ["a", "b"]}, "x",
         'spec.x: Unsupported value: "x": supported values: "a", "b"'),
        ({"type": "integer", "enum": [1, 2]}, 3,
         'spec.x: Unsupported value: 3: supported values: "1", "2"'),
        ({"type": "string", "pattern": "^a+$"}, "b",
         "spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"),
        ({"type": "string", "minLength": 2}, "b",
         'spec.x: Invalid value: "b": spec.x in body should be at least 2 chars long'),
        ({"type": "string", "maxLength": 2}, "abc",
         "spec.x: Too long: may not be more than 2 bytes"),
        ({"type": "integer", "minimum": 1}, 0,
         "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"),
        ({"type": "integer", "maximum": 1000000}, 1000001,
         "spec.x: Invalid value: 1000001: spec.x in body should be less than or equal to 1000000"),
        ({"type": "number", "maximum": 1000000}, 1000000.5,
         "spec.x: Invalid value: 1000000.5: spec.x in body should be less than or equal to 1e+06"),
        ({"type": "number", "minimum": 0.5, "exclusiveMinimum": True}, 0.5,
         "spec.x: Invalid value: 0.5: spec.x in body should be greater than 0.5"),
        ({"type": "integer", "multipleOf": 5}, 7,
         "spec.x: Invalid value: 7: spec.x in body should be a multiple of 5"),
        ({"type": "integer", "format": "int32"}, 1 << 31,
         '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in '
         "spec.x"),
        (TOO_MANY, [1, 2, 3, 4, 5], "spec.x: Too many: 5: must have at most 3 items"),
        ({"type": "array", "minItems": 1, "items": {"type": "string"}}, [],
         "spec.x: Invalid value: 0: spec.x in body should have at least 1 items"),
        ({"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}, {},
         "spec.x: Invalid value: 0: spec.x in body should have at least 1 properties"),
        ({"type": "object", "maxProperties": 1, "additionalProperties": {"type": "string"}},
         {"a": "1", "b": "2"}, "spec.x: Too many: 2: must have at most 1 item"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": 1},
         'spec.x.a: Invalid value: "integer": spec.x.a in body must be of type string: "integer"'),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}, {},
         "spec.x.a: Required value"),
        ({"type": "string", "not": {"enum": ["b"]}}, "b",
         '<nil>: Invalid value: "": "spec.x" must not validate the schema (not)'),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
         ["a", "a"], 'spec.x[1]: Duplicate value: "a"'),
        ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
          "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "string"}}}},
         [{"n": "a"}, {"n": "a"}], 'spec.x[1]: Duplicate value: {"n":"a"}'),
        ({"type": "object", "x-kubernetes-embedded-resource": True,
          "x-kubernetes-preserve-unknown-fields": True}, {"kind": "Pod"},
         "spec.x.apiVersion: Required value"),
    ],
)  # fmt: skip
def test_a_value_that_breaks_its_schema_is_told_in_kubernetes_words(
    schema: dict[str, Any], value: Any, message: str
) -> None:
    rules = schemas.field(schema)
    assert schemas.told(rules.check_new(schemas.of_spec({"x": value}))) == [message]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2026-01-02T03:04:05Z", "2026-01-02 03:04"),
        ("date", "2026-01-02", "2026-1-2"),
        ("duration", "1h5m", "5"),
        ("duration", "3 days", "soon"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6f96"),
        ("byte", "aGk=", "a"),
        ("email", "a@example.com", "a"),
        ("hostname", "example.com", "-a.com"),
        ("uri", "https://example.com/x", "nothing"),
        ("mac", "01:02:03:04:05:06", "01:02"),
        ("isbn", "978-0-321-75104-1", "978"),
    ],
)
def test_formats_are_checked(name: str, good: str, bad: str) -> None:
    rules = schemas.field({"type": "string", "format": name})
    assert rules.check_new(schemas.of_spec({"x": good})) == []
    wanted = f'spec.x: Invalid value: "{bad}": spec.x in body must be of type {name}: "{bad}"'
    assert schemas.told(rules.check_new(schemas.of_spec({"x": bad}))) == [wanted]


def test_a_format_that_kubernetes_does_not_know_is_not_checked() -> None:
    rules = schemas.field({"type": "string", "format": "of-our-own"})
    assert rules.check_new(schemas.of_spec({"x": "anything"})) == []


@pytest.mark.parametrize(
    ("branches", "value", "message"),
    [
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {},
         '"spec.x" must validate one and only one schema (oneOf). Found none valid'),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": "", "b": ""},
         '"spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {},
         '"spec.x" must validate at least one schema (anyOf)'),
        ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": ""},
         '"spec.x" must validate all the schemas (allOf)'),
        ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {},
         '"spec.x" must validate all the schemas (allOf). None validated'),
    ],
)  # fmt: skip
def test_junctors_say_which_of_them_fails(
    branches: dict[str, Any], value: Any, message: str
) -> None:
    properties = {"a": {"type": "string"}, "b": {"type": "string"}}
    rules = schemas.field({"type": "object", "properties": properties, **branches})
    found = schemas.told(rules.check_new(schemas.of_spec({"x": value})))
    assert f'<nil>: Invalid value: "": {message}' in found


def test_fields_that_nobody_specified_are_dropped_and_told() -> None:
    rules = schemas.version(schemas.CERTIFICATE)
    spec = GOOD | {
        "bogus": 1,
        "issuerRef": {"name": "ca", "group": "x"},
        "usages": [{"name": "a", "why": "?"}],
        "labels": {"any": "key"},
        "values": {"deep": {"er": 1}},
        "template": {"kind": "Pod", "apiVersion": "v1", "metadata": {"foo": 1}, "more": 1},
    }
    found, unknown = schemas.decoded(rules, schemas.of_spec(spec))
    assert unknown == [
        "spec.issuerRef.group", "spec.bogus", "spec.usages[0].why", "spec.template.metadata.foo",
    ]  # fmt: skip
    assert found["spec"]["values"] == {"deep": {"er": 1}}
    assert found["spec"]["labels"] == {"any": "key"}
    assert found["spec"]["template"]["more"] == 1
    assert spec["bogus"] == 1, "what came in was changed"


def test_defaults_are_filled_in_and_nulls_give_way_to_them() -> None:
    rules = schemas.version(schemas.CERTIFICATE)
    spec = GOOD | {"replicas": None, "note": None, "duration": None}
    found, _ = schemas.decoded(rules, schemas.of_spec(spec))
    assert found["spec"] == {
        "secretName": "web",
        "issuerRef": {"name": "ca", "kind": "Issuer"},
        "replicas": 1,
        "note": None,
    }


def test_a_stored_object_is_read_with_the_defaults_of_now() -> None:
    rules = schemas.version(schemas.CERTIFICATE)
    found = rules.restored(schemas.of_spec(GOOD))
    assert found is not None
    assert found["spec"]["replicas"] == 1
    assert rules.restored(found) is None


def test_what_was_wrong_already_may_stay_in_an_update() -> None:
    rules = schemas.version(schemas.CERTIFICATE)
    old = schemas.of_spec(GOOD | {"secretName": "x" * 30, "labels": {"a": "b"}})
    new = schemas.of_spec(GOOD | {"secretName": "x" * 30, "labels": {"a": "c"}})
    worse = schemas.of_spec(GOOD | {"secretName": "y" * 30, "labels": {"a": "c"}})
    assert rules.check_update(old, new, "") == []
    assert schemas.told(rules.check_update(old, worse, "")) == [
        "spec.secretName: Too long: may not be more than 20 bytes"
    ]


def test_elements_of_a_map_list_are_compared_by_their_keys() -> None:
    rules = schemas.version(schemas.CERTIFICATE)
    bad = {"name": "a", "weight": 7}
    old = schemas.of_spec(GOOD | {"usages": [bad]})
    moved = schemas.of_spec(GOOD | {"usages": [{"name": "b", "weight": 10}, bad]})
    assert rules.check_update(old, moved, "") == []


def test_true_is_not_one_when_old_and_new_are_compared() -> None:
    rules = schemas.field({"type": "integer"})
    found = rules.check_update(schemas.of_spec({"x": 1}), schemas.of_spec({"x": True}), "")
    assert [cause.reason for cause in found] == ["FieldValueTypeInvalid"]


def test_checking_an_object_ends_though_its_schema_would_take_for_ever() -> None:
    branch = {"required": [f"k{n}" for n in range(50)]}
    items = {"type": "object", "anyOf": [branch] * 1000}
    rules = schemas.field({"type": "array", "items": items})
    found = rules.check_new(schemas.of_spec({"x": [{}] * 100_000}))
    assert 0 < len(found) <= 1000


SCALARS = {
    "string": st.text(max_size=5), "integer": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(), "number": st.floats(allow_nan=False, allow_infinity=False),
}  # fmt: skip
NAMES = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def schemas_and_values(draw: st.DrawFn, depth: int = 3) -> tuple[dict[str, Any], Any]:
    kinds = [*SCALARS] + (["object", "array", "map", "free"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    if kind in SCALARS:
        schema: dict[str, Any] = {"type": kind}
        if draw(st.booleans()):
            schema["default"] = draw(SCALARS[kind])
        return schema, draw(SCALARS[kind])
    if kind == "object":
        parts = {name: draw(schemas_and_values(depth - 1)) for name in draw(st.sets(NAMES))}
        properties = {name: schema for name, (schema, _) in parts.items()}
        value = {name: value for name, (_, value) in parts.items() if draw(st.booleans())}
        return {"type": "object", "properties": properties}, value
    inner, value = draw(schemas_and_values(depth - 1))
    inner.pop("default", None)
    if kind == "array":
        return {"type": "array", "items": inner}, [value] * draw(st.integers(0, 2))
    if kind == "map":
        return {"type": "object", "additionalProperties": inner}, {draw(NAMES): value}
    return {"x-kubernetes-preserve-unknown-fields": True}, {"free": value}


@settings(max_examples=200, deadline=None)
@given(schemas_and_values())
def test_what_a_schema_makes_passes_it_and_pruning_is_idempotent(
    made: tuple[dict[str, Any], Any],
) -> None:
    schema, value = made
    rules = schemas.field(schema)
    once, unknown = schemas.decoded(rules, schemas.of_spec({"x": value}))
    assert unknown == []
    assert rules.check_new(once) == []
    assert schemas.decoded(rules, once) == (once, [])
    assert rules.restored(once) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(schemas_and_values(), JSON)
def test_any_json_is_pruned_defaulted_and_checked_without_a_fault(
    made: tuple[dict[str, Any], Any], value: Any
) -> None:
    rules = schemas.field(made[0])
    once, _ = schemas.decoded(rules, schemas.of_spec({"x": value}))
    rules.check_new(once)
    assert schemas.decoded(rules, once) == (once, [])
