"""YAML bodies: what they mean as JSON, and that none can stop the server."""

import json
from collections.abc import Callable

import pytest

from cluster.api import errors
from cluster.apiserver.rest import yaml_text


def _bomb(leaf: str, level: Callable[[str], str]) -> bytes:
    """Nine levels, each of which names the one before nine times."""
    lines, last = [f"a: &a {leaf}"], "a"
    for name in "bcdefghij":
        lines.append(f"{name}: &{name} {level(','.join([f'*{last}'] * 9))}")
        last = name
    return "\n".join(lines).encode()


HOSTILE = {
    "lists of lists": _bomb("[lol]", lambda names: f"[{names}]"),
    "merged keys": _bomb(
        "{" + ", ".join(f"k{index}: v" for index in range(50)) + "}",
        lambda names: f"{{<<: [{names}]}}",
    ),
    "one long text": b'a: &a "' + b"x" * 1_000_000 + b'"\nb: [' + b"*a, " * 1000 + b"*a]",
    "a list of itself": b"a: &a [*a]",
    "a map merged with itself": b"a: &a {b: c, <<: [*a]}",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_aliases_cannot_blow_a_document_up(body: bytes) -> None:
    with pytest.raises(errors.BadRequest, match="error converting YAML to JSON: yaml: "):
        yaml_text.to_json(body)


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b"{a: " * 50_000, b"- " * 50_000, b"? " * 50_000, b"[" * 2000 + b"]" * 2000],
    ids=["lists", "maps", "block lists", "keys", "closed lists"],
)
def test_deep_documents_are_refused(body: bytes) -> None:
    with pytest.raises(errors.BadRequest, match="yaml: exceeded max depth of "):
        yaml_text.to_json(body)


def test_anchors_and_merged_keys_mean_what_they_say() -> None:
    body = b"base: &base {a: 1, b: 2}\nmine: {<<: *base, b: 3}\nlist: [*base, *base]\n"
    base = {"a": 1, "b": 2}
    assert json.loads(yaml_text.to_json(body)) == {
        "base": base, "mine": {"a": 1, "b": 3}, "list": [base, base],
    }  # fmt: skip


def test_an_error_fits_on_one_line() -> None:
    with pytest.raises(errors.BadRequest) as told:
        yaml_text.to_json(b'metadata: {name: "\x07"}')
    assert str(told.value) == (
        "error converting YAML to JSON: yaml: control characters are not allowed"
    )


def test_what_is_too_deep_for_yaml_is_not_acceptable() -> None:
    with pytest.raises(errors.NotAcceptable, match="nested too deeply"):
        yaml_text.from_json(b"[" * 900 + b"]" * 900)
    assert yaml_text.from_json(b'{"a":["b"]}') == b"a:\n- b\n"
