"""The language: expressions and their values, from the language definition."""

from typing import Any

import pytest

from cluster.api import cel
from cluster.api.cel import types
from cluster.api.cel.values import Uint

ENVIRONMENT = cel.Environment(
    {
        "d": types.DYN,
        "m": types.map_of(types.STRING, types.INT),
        "s": types.STRING,
        "l": types.list_of(types.INT),
    }
)
BINDINGS: dict[str, Any] = {
    "d": {"a": {"b": [1, 2.5, "x", None, True]}, "namespace": "n", "e": {}},
    "m": {"one": 1, "two": 2},
    "s": "héllo",
    "l": [3, 1, 2],
}


def value(text: str) -> Any:
    return cel.compile(text, ENVIRONMENT).run(BINDINGS)


def fault(text: str) -> str:
    with pytest.raises(cel.EvaluationError) as caught:
        value(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # literals
        ("1", 1),
        ("0x1F", 31),
        ("-0x1f", -31),
        ("7u", 7),
        ("0xFFu", 255),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615u", 2**64 - 1),
        ("'a'", "a"),
        ('"a\\"b"', 'a"b'),
        ("'''a\nb'''", "a\nb"),
        ("r'\\d'", "\\d"),
        ("'\\u00e9\\x41\\101\\n'", "éAA\n"),
        ("''", ""),
        ("b'\\xff'", b"\xff"),
        ("b'é'", "é".encode()),
        ("true", True),
        ("null", None),
        ("[]", []),
        ("[1, 2,]", [1, 2]),
        ("{}", {}),
        ("{'a': 1}", {"a": 1}),
        ("1 // a comment", 1),
        # arithmetic
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("7 % -2", 1),
        ("1.0 / 4.0", 0.25),
        ("1.0 / 0.0", float("inf")),
        ("-(3)", -3),
        ("--3", 3),
        ("2u * 3u", 6),
        ("5 - 2 - 1", 2),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("b'a' + b'b'", b"ab"),
        # comparison
        ("1 < 2", True),
        ("2 <= 2", True),
        ("'a' < 'b'", True),
        ("1 < 1.5", True),
        ("1u < 2", True),
        ("b'a' < b'b'", True),
        ("false < true", True),
        ("1 == 1", True),
        ("1 != 1", False),
        ("dyn(1) == 1.0", True),
        ("dyn(1) == 1u", True),
        ("dyn(1) == dyn(true)", False),
        ("dyn('a') == dyn(1)", False),
        ("[1, 2] == [1, 2]", True),
        ("[1] == [2]", False),
        ("{'a': 1} == {'a': 1}", True),
        ("{'a': [1]} == {'a': [2]}", False),
        ("dyn([1]) == dyn([1.0])", True),
        ("dyn([1]) == dyn([true])", False),
        ("null == null", True),
        ("d.a == null", False),
        ("d.a.b[3] == null", True),
        # logic
        ("true && false", False),
        ("true || false", True),
        ("!true", False),
        ("!!true", True),
        ("true ? 1 : 2", 1),
        ("false ? 1 : true ? 2 : 3", 2),
        ("1 / 0 == 1 || true", True),
        ("true || 1 / 0 == 1", True),
        ("1 / 0 == 1 && false", False),
        ("false && 1 / 0 == 1", False),
        ("true && 1 / 0 == 1 && false", False),
        ("false || 1 / 0 == 1 || true", True),
        ("true ? 1 : 1 / 0", 1),
        # selection, index, in
        ("d.a.b[0]", 1),
        ("d['a']['b'][1]", 2.5),
        ("d.namespace", "n"),
        ("m.one", 1),
        ("l[0] + l[2]", 5),
        ("1 in l", True),
        ("5 in l", False),
        ("'one' in m", True),
        ("'x' in m", False),
        ("2 in {1: 'a', 2: 'b'}", True),
        ("true in {true: 1}", True),
        ("{1: 'a'}[1]", "a"),
        ("dyn(1.0) in [1, 2]", True),
        ("s in ['héllo', 'x']", True),
        ("d.a.b[dyn(1.0)]", 2.5),
        ("dyn(true) in {1: 'a'}", False),
        ("has(d.a.b)", True),
        ("has(d.x)", False),
        ("has(d.a.x)", False),
        ("has(m.one)", True),
        # macros
        ("l.all(x, x > 0)", True),
        ("l.all(x, x > 1)", False),
        ("[].all(x, x > 0)", True),
        ("l.exists(x, x == 2)", True),
        ("l.exists(x, x == 9)", False),
        ("m.exists(k, k == 'one')", True),
        ("l.exists_one(x, x > 2)", True),
        ("l.exists_one(x, x > 1)", False),
        ("l.map(x, x * 2)", [6, 2, 4]),
        ("l.map(x, x > 1, x * 2)", [6, 4]),
        ("l.filter(x, x > 1)", [3, 2]),
        ("m.map(k, m[k])", [1, 2]),
        ("m.filter(k, m[k] > 1)", ["two"]),
        ("l.map(x, [1].map(y, x + y))", [[4], [2], [3]]),
        ("l.map(x, l.map(x, x)[0])", [3, 3, 3]),
        ("[1, 0].exists(x, 1 / x == 1)", True),
        ("[0, 1].exists(x, 1 / x == 1)", True),
        ("[0, 2].all(x, 1 / x == 1)", False),
        # two variables
        ("l.all(i, v, i < 3 && v > 0)", True),
        ("l.exists(i, v, i == 1 && v == 1)", True),
        ("l.existsOne(i, v, v > 1)", False),
        ("m.all(k, v, m[k] == v)", True),
        ("l.transformList(i, v, i * v)", [0, 1, 4]),
        ("l.transformList(i, v, i > 0, v)", [1, 2]),
        ("m.transformMap(k, v, v + 1)", {"one": 2, "two": 3}),
        ("m.transformMap(k, v, v > 1, k)", {"two": "two"}),
        ("l.transformMap(i, v, v)", {0: 3, 1: 1, 2: 2}),
        ("m.transformMapEntry(k, v, {v: k})", {1: "one", 2: "two"}),
        # bindings and optional values
        ("cel.bind(x, 3, x * x)", 9),
        ("cel.bind(x, 1, cel.bind(y, x + 1, x + y))", 3),
        ("d.?a.?b[0].value()", 1),
        ("d.?x.?y.hasValue()", False),
        ("d.?x.orValue(5)", 5),
        ("m[?'one'].orValue(0)", 1),
        ("m[?'x'].orValue(0)", 0),
        ("l[?9].hasValue()", False),
        ("d.?a.b.hasValue()", True),
        ("optional.of(1).value()", 1),
        ("optional.none().hasValue()", False),
        ("optional.ofNonZeroValue(0).hasValue()", False),
        ("optional.ofNonZeroValue('a').value()", "a"),
        ("optional.none().or(optional.of(2)).value()", 2),
        ("optional.of(1).orValue(1 / 0)", 1),
        ("optional.of(1).optMap(x, x + 1).value()", 2),
        ("optional.none().optMap(x, x).hasValue()", False),
        ("optional.of(1).optFlatMap(x, optional.of(x + 1)).value()", 2),
        ("optional.of(1) == optional.of(1)", True),
        ("optional.none() == optional.of(1)", False),
        ("[?optional.of(1), ?optional.none(), 3]", [1, 3]),
        ("{?'a': d.?x, 'b': 1}", {"b": 1}),
        ("has(d.?a.b)", True),
        # types and conversions
        ("type(1) == int", True),
        ("type('') == string", True),
        ("type(d.a.b[1]) == double", True),
        ("type([]) == list", True),
        ("type({}) == map", True),
        ("type(null) == null_type", True),
        ("type(int) == type", True),
        ("type(1u) == uint", True),
        ("type(b'') == bytes", True),
        ("int('12')", 12),
        ("int(3.9)", 3),
        ("int(-3.9)", -3),
        ("uint('3')", 3),
        ("double('1.5')", 1.5),
        ("double(1)", 1.0),
        ("string(12)", "12"),
        ("string(1.5)", "1.5"),
        ("string(1e6)", "1e+06"),
        ("string(100.0)", "100"),
        ("string(true)", "true"),
        ("string(b'a')", "a"),
        ("bytes('a')", b"a"),
        ("bool('true')", True),
        ("dyn(1) + 1", 2),
        ("string(1u)", "1"),
        # size and strings
        ("size(s)", 5),
        ("s.size()", 5),
        ("size(b'é')", 2),
        ("size(l)", 3),
        ("m.size()", 2),
        ("s.startsWith('hé')", True),
        ("s.endsWith('lo')", True),
        ("s.contains('ll')", True),
        ("s.matches('^h.*o$')", True),
        ("matches('abc', 'b')", True),
    ],
)
def test_expressions_have_values(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected) or isinstance(found, Uint)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("1u / 0u", "division by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("-9223372036854775808 - 1", "integer overflow"),
        ("9223372036854775807 * 2", "integer overflow"),
        ("-(-9223372036854775808)", "integer overflow"),
        ("-9223372036854775808 / -1", "integer overflow"),
        ("1u - 2u", "unsigned integer overflow"),
        ("d.x", "no such key: x"),
        ("d.a.x.y", "no such key: x"),
        ("m.three", "no such key: three"),
        ("m['three']", "no such key: three"),
        ("l[3]", "index out of bounds: 3"),
        ("l[-1]", "index out of bounds: -1"),
        ("d.a.b[9]", "index out of bounds: 9"),
        ("d.a.b[0].c", "no such key: c"),
        ("{1: 2}[3]", "no such key: 3"),
        ("dyn(1) + dyn('a')", "no such overload"),
        ("dyn(1) < dyn('a')", "no such overload"),
        ("dyn(1) && true", "no such overload"),
        ("!dyn(1)", "no such overload"),
        ("size(dyn(1))", "no such overload: size(int)"),
        ("d.a.b[1].contains('x')", "no such overload: contains(double, string)"),
        ("optional.none().value()", "optional.none() dereference"),
        ("int('x')", "type conversion error from 'string' to 'int'"),
        ("int(1e30)", "integer overflow"),
        ("{dyn([1]): 1}", "unsupported key type: list"),
        ("{'a': 1, 'a': 2}", "Failed with repeated key: a"),
        ("dyn(1).all(x, true)", "got 'int', expected iterable type"),
        ("s.matches(d.namespace + '(')", "error parsing regexp: missing closing ): `n(`"),
        ("[0, 1].all(x, 1 / x == 1)", "division by zero"),
    ],
)
def test_errors_are_told_in_cel_gos_words(text: str, said: str) -> None:
    assert fault(text) == said


def test_a_variable_that_is_not_bound_fails_where_it_is_used() -> None:
    program = cel.compile("s == 'x' || true", ENVIRONMENT)
    assert program.run({}) is True
    with pytest.raises(cel.EvaluationError, match=r"no such attribute\(s\): s"):
        cel.compile("s == 'x'", ENVIRONMENT).run({})


def test_programs_say_what_they_name_and_give() -> None:
    program = cel.compile("m.all(k, k == s)", ENVIRONMENT)
    assert program.variables == ("m", "s")
    assert program.type is types.BOOL
