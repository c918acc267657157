"""The comparison itself finds what differs."""

import pytest
from matching import differences

CASES = [
    ({"a": 1}, {"a": 1, "b": 2}, []),
    ({"a": 1, "$exactly": True}, {"a": 1, "b": 2}, [".b: expected no such field, got 2"]),
    ({"a": "<absent>"}, {"a": 1}, ["a: expected no such field, got 1"]),
    ({"a": {"b": 1}}, {"a": {}}, ["a.b: expected 1, got no such field"]),
    ({"a": [1, 2]}, {"a": [1]}, ["a: expected a list of 2, got [1]"]),
    ({"a": [1, 2]}, {"a": [1, 3]}, ["a[1]: expected 2, got 3"]),
    ({"a": 1}, {"a": True}, ["a: expected 1, got True"]),
    ({"a": 1}, [], ["the answer: expected an object, got []"]),
    ("<uid>", "2b7ff5b8-6a9d-4c7e-9a5b-2f6a1c9d8e7f", []),
    ("<uid>", "no", ["the answer: expected '<uid>', got 'no'"]),
    ("<time>", "2026-01-01T00:00:00Z", []),
    ("<number>", "12", []),
    ("<number>", "x", ["the answer: expected '<number>', got 'x'"]),
    ("/^a+$/", "aaa", []),
    ("/^a+$/", "aab", ["the answer: expected '/^a+$/', got 'aab'"]),
]


@pytest.mark.parametrize(("expected", "found", "told"), CASES)
def test_differences_are_told(expected: object, found: object, told: list[str]) -> None:
    assert list(differences(expected, found)) == told
