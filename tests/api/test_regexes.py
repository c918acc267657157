"""Regular expressions of users take linear time, and are refused in Go's words."""

import pytest

from cluster.api import regexes, versions


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("[a", "error parsing regexp: missing closing ]: `[a`"),
        ("(a", "error parsing regexp: missing closing ): `(a`"),
        ("*", "error parsing regexp: missing argument to repetition operator: `*`"),
        ("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"),
        ("a{1,5000}", "error parsing regexp: invalid repeat count: `{1,5000}`"),
        ("^a+$", ""),
    ],
)
def test_a_pattern_is_judged_as_go_does(pattern: str, fault: str) -> None:
    assert regexes.fault(pattern) == fault


def test_a_pattern_that_would_backtrack_for_ever_does_not() -> None:
    assert not regexes.found("^(a+)+$", "a" * 100_000 + "b")
    assert regexes.found("^(a+)+$", "a" * 100_000)


def test_a_pattern_is_found_anywhere_and_a_faulty_one_nowhere() -> None:
    assert regexes.found("b", "abc")
    assert not regexes.found("[", "[")
    assert not regexes.found("\ud800", "a")


def test_versions_are_preferred_as_kubernetes_does() -> None:
    said = ["foo1", "v3beta1", "v1", "v12alpha1", "v11beta2", "v10", "foo10", "v10beta3", "v2"]
    assert sorted(said, key=versions.preference) == [
        "v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "foo1", "foo10",
    ]  # fmt: skip
