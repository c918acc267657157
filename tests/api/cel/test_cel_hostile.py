"""Whatever is written, an expression ends soon, with a value or an error of ours."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import cel
from cluster.api.cel import mutation, types

ENVIRONMENT = cel.Environment(
    {"d": types.DYN, "s": types.STRING, "l": types.list_of(types.STRING)}, mutation.objects
)
BINDINGS: dict[str, Any] = {
    "d": {"a": [1, 2.5, "x", None, True, {"b": []}], "n": {"m": {}}},
    "s": "text",
    "l": ["a", "b"],
}
PIECES = (
    "d", "s", "l", "x", ".a", ".?a", "[0]", "[?0]", "['a']", "(", ")", "[", "]", "{", "}", ",", ":",
    "?", "+", "-", "*", "/", "%", "!", "&&", "||", "==", "!=", "<", ">=", " in ", "1", "2u", "1.5",
    "'a'", "b'a'", "true", "null", ".all(x,", ".map(x,", ".filter(x, true)", ".exists(i, v,",
    ".transformMap(k, v,", "has(d.a)", "size(", ".size()", ".matches(s)", ".format(", ".sum()",
    "type(", "string(", "int(", "optional.of(", ".orValue(", ".optMap(x,", "cel.bind(x,", "dyn(",
    "Object{", "Object.a{", "duration('1s')", "timestamp(", "quantity(", "ip(", ".split(", ".join(",
    ".indexOf(", "sets.contains(", "\\", '"', "'", "\n", "9223372036854775807", "`", "é",
)  # fmt: skip


def attempt(text: str) -> Any:
    try:
        return cel.compile(text, ENVIRONMENT).run(BINDINGS)
    except (cel.CompileError, cel.EvaluationError):
        return None


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_pieces_of_the_language_in_any_order(text: str) -> None:
    attempt(text)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    attempt(text)


VALUES = st.recursive(
    st.sampled_from(
        ["1", "-1", "1u", "1.5", "''", "'a'", "b''", "true", "null", "d", "d.a", "s", "l", "[]",
         "{}", "duration('1s')", "timestamp(0)", "int", "optional.none()", "quantity('1')",
         "ip('::1')", "cidr('::/8')", "semver('1.0.0')", "url('/a')", "format.date()"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "%", "<", "==", "in", "&&"]), inner)
        .map(lambda parts: f"(dyn({parts[0]}) {parts[1]} dyn({parts[2]}))"),
        inner.map(lambda part: f"[{part}, dyn({part})]"),
        inner.map(lambda part: f"{{'a': {part}}}.a"),
        inner.map(lambda part: f"string(dyn({part}))"),
        inner.map(lambda part: f"type({part})"),
        inner.map(lambda part: f"'%s'.format([{part}])"),
        inner.map(lambda part: f"dyn({part}).map(x, [x])"),
        inner.map(lambda part: f"dyn({part})[dyn(0)]"),
        inner.map(lambda part: f"dyn({part}).?a"),
        inner.map(lambda part: f"dyn({part}).sum()"),
        inner.map(lambda part: f"{{dyn({part}): 1}}"),
        inner.map(lambda part: f"optional.ofNonZeroValue({part})"),
        inner.map(lambda part: f"Object{{a: {part}}}"),
        st.tuples(inner, inner).map(lambda parts: f"sets.contains([{parts[0]}], [{parts[1]}])"),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(VALUES)
def test_any_function_of_any_value(text: str) -> None:
    found = attempt(text)
    with contextlib.suppress(cel.EvaluationError):
        mutation.to_json(found)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000, "[" * 5000, "!" * 20000 + "true", "-" * 20001 + "1",
        "1" + "+1" * 20000, "d" + ".a" * 20000, "d" + "[0]" * 20000, "true ? 1 : " * 5000 + "1",
        "size(" * 3000 + "d" + ")" * 3000, "{1:" * 3000, "x" * 100_001, "'" * 9999,
        "d.all(x, " * 300 + "true" + ")" * 300, "true" + " && true" * 5000,
    ],
)  # fmt: skip
def test_depth_and_length_are_bounded(text: str) -> None:
    attempt(text)


def doubled(start: str, step: str, times: int) -> str:
    """x1 = step(x0), x2 = step(x1)…: grows exponentially with the length of the text."""
    text = f"x{times}"
    for number in range(times, 0, -1):
        previous = step.replace("x", f"x{number - 1}")
        text = f"cel.bind(x{number}, {previous}, {text})"
    return f"cel.bind(x0, {start}, {text})"


@pytest.mark.parametrize(
    "text",
    [
        doubled("'aaaaaaaaaa'", "x + x", 40),
        doubled("[1]", "x + x", 40),
        doubled("'aaaaaaaaaa'", "x.replace('a', x)", 20),
        doubled("'aaaaaaaaaa'", "[x, x].join('')", 40),
        doubled("'aaaaaaaaaa'", "'%s%s'.format([x, x])", 40),
        f"({doubled('[1]', '[x, x]', 40).replace('x40)', 'dyn(x40) == dyn(x40.map(x, x)))', 1)})",
        f"'%s'.format([dyn({doubled('[1]', '[x, x]', 40)})])",
        "big.all(a, big.all(b, a + b >= 0))",
        "big.map(a, big.map(b, a + b))",
        "big.all(a, big.filter(b, b != a).size() > 0)",
    ],
)
def test_nothing_runs_for_long(text: str) -> None:
    environment = ENVIRONMENT.extended({"big": types.list_of(types.INT)})
    budget = cel.Budget()
    with pytest.raises(cel.CostExceeded, match="operation cancelled: actual cost limit exceeded"):
        cel.compile(text, environment).run({"big": list(range(5000))}, budget=budget)
    assert budget.left < cel.RUNTIME_BUDGET - cel.PER_CALL_LIMIT


def test_patterns_take_time_in_proportion_to_the_text() -> None:
    text = "s.matches('(a+)+$') || s.find('(a|aa)+b') == 'x'"
    assert cel.compile(text, ENVIRONMENT).run({"s": "a" * 50_000 + "c"}) is False


@pytest.mark.parametrize(
    "text", ["s.matches('a')", "s.find('a') == ''", "bytes(s) == b''", "url(s).getHost() == ''"]
)
def test_half_a_surrogate_pair_is_no_fault_of_the_server(text: str) -> None:
    program = cel.compile(text, ENVIRONMENT)
    try:
        assert program.run({"s": "\ud800"}) is False
    except cel.EvaluationError as error:
        assert "invalid" in str(error)  # noqa: PT017 - either is right


def test_results_that_share_parts_are_not_written_out_without_end() -> None:
    shared = cel.compile(doubled("[1]", "[x, x]", 40), ENVIRONMENT).run({})
    with pytest.raises(cel.EvaluationError, match="too large"):
        mutation.to_json(shared)
