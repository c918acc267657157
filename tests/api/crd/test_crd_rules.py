"""x-kubernetes-validations: what they say, what they compare, and what they may cost."""

from typing import Any

import crd_schemas as schemas
import pytest

from cluster.api.crd import definition

PAIR: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
}


def ruled(*rules: dict[str, Any], **schema: Any) -> Any:
    return schemas.field({**PAIR, **schema, "x-kubernetes-validations": list(rules)})


def told(rules: Any, new: Any, old: Any = None) -> list[str]:
    obj = schemas.of_spec({"x": new})
    if old is None:
        return schemas.told(rules.check_new(obj))
    return schemas.told(rules.check_update(schemas.of_spec({"x": old}), obj, ""))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rule": "self.a <= self.b"},
         'spec.x: Invalid value: "object": failed rule: self.a <= self.b'),
        ({"rule": "self.a <= self.b", "message": " a is too big "},
         'spec.x: Invalid value: "object": a is too big'),
        ({"rule": "self.a <= self.b", "messageExpression": "'a is ' + string(self.a)"},
         'spec.x: Invalid value: "object": a is 2'),
        ({"rule": "self.a <= self.b", "message": "plain", "messageExpression": "''"},
         'spec.x: Invalid value: "object": plain'),
        ({"rule": "self.a <= self.b", "message": "m", "fieldPath": ".a"},
         'spec.x.a: Invalid value: "object": m'),
        ({"rule": "self.a <= self.b", "message": "m", "reason": "FieldValueForbidden"},
         "spec.x: Forbidden: m"),
        ({"rule": "self.a <= self.b", "message": "m", "reason": "FieldValueRequired"},
         "spec.x: Required value: m"),
        ({"rule": "self.a <= self.b", "reason": "FieldValueDuplicate"},
         'spec.x: Duplicate value: "object"'),
        ({"rule": "self.a / (self.b - 1) > 0"},
         'spec.x: Invalid value: "object": division by zero evaluating rule: '
         "self.a / (self.b - 1) > 0"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_hold_is_told(rule: dict[str, Any], message: str) -> None:
    assert told(ruled(rule), {"a": 2, "b": 1}) == [message]
    if "/" not in rule["rule"]:
        assert told(ruled(rule), {"a": 1, "b": 2}) == []


def test_transition_rules_compare_with_the_old_state_where_there_is_one() -> None:
    rules = ruled({"rule": "self.a == oldSelf.a", "message": "a is immutable"})
    assert told(rules, {"a": 2}) == []
    assert told(rules, {"a": 2}, {"a": 2, "b": 1}) == []
    assert told(rules, {"a": 2}, {"a": 1}) == ['spec.x: Invalid value: "object": a is immutable']


def test_an_optional_old_state_lets_a_rule_speak_of_new_objects() -> None:
    rule = {
        "rule": "oldSelf.hasValue() || self.a == 0",
        "optionalOldSelf": True,
        "message": "begin at 0",
    }  # fmt: skip
    assert told(ruled(rule), {"a": 2}) == ['spec.x: Invalid value: "object": begin at 0']
    assert told(ruled(rule), {"a": 2}, {"a": 1}) == []


def test_elements_of_map_lists_are_compared_by_key_and_others_not() -> None:
    rules = schemas.field(
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["n"],
            "items": {
                "type": "object",
                "required": ["n"],
                "properties": {"n": {"type": "string"}, "v": {"type": "integer"}},
                "x-kubernetes-validations": [
                    {"rule": "self.v >= oldSelf.v", "message": "never less"}
                ],
            },
        }
    )
    old = [{"n": "a", "v": 5}, {"n": "b", "v": 5}]
    new = [{"n": "c", "v": 0}, {"n": "b", "v": 4}, {"n": "a", "v": 5}]
    assert told(rules, new, old) == ['spec.x[1]: Invalid value: "object": never less']


def test_a_rule_that_did_not_hold_before_may_stay_broken() -> None:
    rules = ruled({"rule": "self.a <= self.b", "message": "a is too big"})
    broken = {"a": 2, "b": 1}
    assert told(rules, broken, broken) == []
    assert told(rules, {"a": 3, "b": 1}, broken) == [
        'spec.x: Invalid value: "object": a is too big'
    ]


def test_rules_wait_until_the_types_are_right() -> None:
    rules = ruled({"rule": "self.a <= self.b"})
    assert told(rules, {"a": "2", "b": 1})[-1] == (
        "<nil>: Invalid value: null: some validation rules were not checked because the object "
        "was invalid; correct the existing errors to complete validation"
    )


def test_the_root_sees_names_and_kinds() -> None:
    rule = {"rule": "self.metadata.name.startsWith('w') && self.kind == 'Certificate'"}
    rules = schemas.version(
        {"type": "object", "x-kubernetes-validations": [rule],
         "properties": {"spec": {"type": "object"}}}
    )  # fmt: skip
    obj = schemas.of_spec({})
    assert rules.check_new(obj) == []
    obj["metadata"]["name"] = "x"
    assert schemas.told(rules.check_new(obj)) == [
        f'<nil>: Invalid value: "object": failed rule: {rule["rule"]}'
    ]


def test_rules_that_cost_too_much_end() -> None:
    rules = schemas.field(
        {
            "type": "array",
            "items": {"type": "integer"},
            "x-kubernetes-validations": [
                {"rule": "self.all(x, self.all(y, self.all(z, x + y + z >= 0)))"}
            ],
        }
    )
    (found,) = told(rules, list(range(1000)))
    assert "cost" in found


@pytest.mark.parametrize(
    ("schema", "field", "message"),
    [
        ({**PAIR, "x-kubernetes-validations": [{"rule": "self.c > 1"}]},
         "x-kubernetes-validations[0].rule", "undefined field 'c'"),
        ({**PAIR, "x-kubernetes-validations": [{"rule": "self.a"}]},
         "x-kubernetes-validations[0].rule", "cel expression must evaluate to a bool"),
        ({**PAIR, "x-kubernetes-validations": [{"rule": "true", "messageExpression": "1"}]},
         "x-kubernetes-validations[0].messageExpression",
         "messageExpression must evaluate to a string"),
        ({**PAIR, "x-kubernetes-validations": [{"rule": "true", "optionalOldSelf": True}]},
         "x-kubernetes-validations[0].optionalOldSelf",
         "may not be set if oldSelf is not used in rule"),
        ({"type": "array", "items": {**PAIR, "x-kubernetes-validations": [
            {"rule": "self == oldSelf"}]}}, "items.x-kubernetes-validations[0].rule",
         "oldSelf cannot be used on the uncorrelatable portion of the schema within"),
        ({**PAIR, "x-kubernetes-validations": [{"rule": " "}]},
         "x-kubernetes-validations[0].rule", "Required value: rule is not specified"),
        ({**PAIR, "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".c"}]},
         "x-kubernetes-validations[0].fieldPath", "fieldPath must be a valid path"),
        ({**PAIR, "x-kubernetes-validations": [{"rule": "true", "reason": "Because"}]},
         "x-kubernetes-validations[0].reason", 'Unsupported value: "Because"'),
    ],
)  # fmt: skip
def test_rules_are_checked_when_they_are_defined(
    schema: dict[str, Any], field: str, message: str
) -> None:
    root = {"type": "object", "properties": {"x": schema}}
    (found,) = definition.check_schema(root, "S")
    assert found.field == f"S.properties[x].{field}"
    assert message in found.message


def test_rules_whose_estimate_is_too_much_are_refused_until_sizes_are_bounded() -> None:
    rule = {"rule": "self.all(x, self.all(y, x == y))"}
    many: dict[str, Any] = {
        "type": "array", "items": {"type": "string"}, "x-kubernetes-validations": [rule],
    }  # fmt: skip
    found = schemas.told([*definition.check_schema(_root(many), "S")])
    assert found[0].startswith(
        "S.properties[x].x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds "
        "budget by factor of more than 100x (try simplifying the rule"
    )
    assert found[-1].startswith(
        "S: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 "
        "schema exceeds budget"
    )
    few = many | {"maxItems": 10, "items": {"type": "string", "maxLength": 20}}
    assert [*definition.check_schema(_root(few), "S")] == []


def _root(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}}
