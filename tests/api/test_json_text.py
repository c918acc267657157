import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import json_text

BROKEN = [
    (b"", "unexpected end of JSON input"),
    (b'{"a":', "unexpected end of JSON input"),
    (b'{"a": 1 "b": 2}', "invalid character '\"' after object key:value pair"),
    (b'{"a" 1}', "invalid character '1' after object key"),
    (b"{a: 1}", "invalid character 'a' looking for beginning of object key string"),
    (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    (b"[1 2]", "invalid character '2' after array element"),
    (b"[1,]", "invalid character ']' looking for beginning of value"),
    (b"{} x", "invalid character 'x' after top-level value"),
    (b"\xff", "invalid character '\\xff' looking for beginning of value"),
    (b'"\xff"', "invalid UTF-8 in string literal"),
    (b"[" * 100_000, "exceeded max depth"),
]


@pytest.mark.parametrize(("body", "message"), BROKEN)
def test_broken_text_is_told_of_as_go_tells_it(body: bytes, message: str) -> None:
    with pytest.raises(json_text.Malformed) as told:
        json_text.decoded(body)
    assert str(told.value) == message


REPEATED = [
    (b'{"a":1,"b":2}', ()),
    (b'{"a":1,"a":2}', ("a",)),
    (b'{"a":1, "a":1, "a":1}', ("a",)),
    (b'{"spec":{"x":[{"n":1},{"n":1,"n":2}]},"a":{"b":"c","b":"c"}}', ("spec.x[1].n", "a.b")),
    (b'{"a":{"b":1},"a":{"c":1,"c":2}}', ("a", "a.c")),
    (b'[{"a":1,"a":2}]', ("[0].a",)),
    (b'{"a":"\\u0026", "b":{}}\n', ()),
    (b'{"a":1,"a":"\\u0022\\u0022"}', ("a",)),
    (b'{ "a" : "x\\"y", "b": [ "\\u0022" ] }', ()),
]


@pytest.mark.parametrize(("body", "paths"), REPEATED)
def test_fields_that_are_given_twice_are_found(body: bytes, paths: tuple[str, ...]) -> None:
    assert json_text.repeated(body, msgspec.json.decode(body)) == paths


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(documents, st.booleans())
def test_a_document_repeats_nothing_however_it_is_written(document: object, plain: bool) -> None:
    body = json.dumps(document, ensure_ascii=plain).encode()
    assert json_text.repeated(body, json_text.decoded(body)) == ()
