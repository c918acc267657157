"""What the type checker and the parser say, in cel-go's words."""

import pytest

from cluster.api import cel
from cluster.api.cel import structural, types

SCHEMA = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "port": {"x-kubernetes-int-or-string": True},
        "spec": {"type": "object", "properties": {"a-b": {"type": "number"}}},
        "hidden": {
            "type": "object",
            "additionalProperties": {"x-kubernetes-preserve-unknown-fields": True},
        },
    },
}
SELF = structural.from_schema(SCHEMA, root=True)
assert SELF is not None
ENVIRONMENT = cel.Environment({"self": SELF, "x": types.DYN})


def told(text: str) -> str:
    with pytest.raises(cel.CompileError) as caught:
        cel.compile(text, ENVIRONMENT)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("self.foo", 5, "undefined field 'foo'"),
        ("self.hidden", 5, "undefined field 'hidden'"),
        ("self.metadata.labels", 14, "undefined field 'labels'"),
        ("foo", 1, "undeclared reference to 'foo' (in container '')"),
        ("foo(1)", 4, "undeclared reference to 'foo' (in container '')"),
        ("self.name.foo()", 14, "undeclared reference to 'foo' (in container '')"),
        (
            "self.replicas + self.name",
            15,
            "found no matching overload for '_+_' applied to '(int, string)'",
        ),
        ("self.name == 1", 11, "found no matching overload for '_==_' applied to '(string, int)'"),
        (
            "self.tags == null",
            11,
            "found no matching overload for '_==_' applied to '(list(string), null)'",
        ),
        (
            "self.name.contains(1)",
            19,
            "found no matching overload for 'contains' applied to 'string.(int)'",
        ),
        (
            "1 in self.tags",
            3,
            "found no matching overload for '@in' applied to '(int, list(string))'",
        ),
        (
            "self.tags['a']",
            10,
            "found no matching overload for '_[_]' applied to '(list(string), string)'",
        ),
        (
            "self.replicas && true",
            15,
            "found no matching overload for '_&&_' applied to '(int, bool)'",
        ),
        (
            "self.replicas ? 1 : 2",
            15,
            "found no matching overload for '_?_:_' applied to '(int, int, int)'",
        ),
        (
            "true ? 1 : 'a'",
            6,
            "found no matching overload for '_?_:_' applied to '(bool, int, string)'",
        ),
        ("!self.name", 1, "found no matching overload for '!_' applied to '(string)'"),
        ("self.replicas.x", 14, "type 'int' does not support field selection"),
        (
            "self.replicas.all(x, true)",
            5,
            "expression of type 'int' cannot be range of a comprehension "
            "(must be list, map, or dynamic)",
        ),
        ("[1, 'a']", 5, "expected type 'int' but found 'string'"),
        ("{'a': 1, 'b': 'c'}", 15, "expected type 'int' but found 'string'"),
        ("has(self)", 5, "invalid argument to has() macro"),
        ("[1].all(1, true)", 9, "argument must be a simple name"),
        ("[1].all(i, i, true)", 12, "duplicate variable name: i"),
        ("[1].map(x, y)", 12, "undeclared reference to 'y' (in container '')"),
        (
            "[1].map(x, x)[0] + x.a + [1].exists(x, x)",
            36,
            "found no matching overload for '_||_' applied to '(bool, int)'",
        ),
        ("for", 1, "reserved identifier: for"),
        ("duration('1x')", 10, "invalid duration argument"),
        ("timestamp('x')", 11, "invalid timestamp argument"),
        ("'a'.matches('(')", 13, "invalid matches argument"),
        ("Foo{a: 1}", 4, "undeclared reference to 'Foo' (in container '')"),
        ("99999999999999999999", 1, "invalid int literal"),
        ("9223372036854775808", 1, "invalid int literal"),
        ("1 2", 3, "Syntax error: extraneous input '2' expecting <EOF>"),
        ("'abc", 1, "Syntax error: token recognition error at: ''abc'"),
        ("1 # 2", 3, "Syntax error: token recognition error at: '#'"),
        ("(1", 3, "Syntax error: mismatched input '<EOF>' expecting ')'"),
    ],
)
def test_faults_are_told_with_their_place(text: str, place: int, said: str) -> None:
    dots = "." * (place - 1)
    shown = f"ERROR: <input>:1:{place}: {said}\n | {text}\n | {dots}^"
    assert shown in told(text)
    assert told(text).startswith("compilation failed: ERROR: <input>:1:")


def test_the_line_of_the_fault_is_shown() -> None:
    assert told("1 == 1 &&\n  self.foo == 1") == (
        "compilation failed: ERROR: <input>:2:7: undefined field 'foo'\n"
        " |   self.foo == 1\n | ......^"
    )


def test_all_faults_are_told() -> None:
    assert told("self.a == 1 || self.b == 2").count("undefined field") == 2


@pytest.mark.parametrize(
    "text",
    [
        "self.port == 80 || self.port == 'http'",
        "self.spec.a__dash__b > 1.5",
        "self.metadata.name == self.kind + self.apiVersion",
        "self.spec == null",
        "[] + [1] == [1]",
        "[[], [1]].all(x, x.size() < 2)",
        "{}.all(k, k == 1)",
        "optional.none().orValue('a') == self.name",
        "x.anything.at.all[3].b",
        "[x, 1, 'a'].size() == 3",
    ],
)
def test_good_expressions_are_accepted(text: str) -> None:
    cel.compile(text, ENVIRONMENT)


def test_field_names_are_escaped() -> None:
    assert types.escape("a-b.c/d") == "a__dash__b__dot__c__slash__d"
    assert types.escape("namespace") == "__namespace__"
    assert types.escape("x__y") == "x__underscores__y"
    assert types.escape("$ref") is None
    assert types.escape("1a") is None


def test_escaped_fields_are_read_by_their_json_names() -> None:
    environment = cel.Environment(
        {"self": types.object_of("t", {"namespace": types.STRING, "a-b": types.INT})}
    )
    program = cel.compile("self.__namespace__ + string(self.a__dash__b)", environment)
    assert program.run({"self": {"namespace": "n", "a-b": 1}}) == "n1"
