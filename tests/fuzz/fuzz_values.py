"""Values: JSON of every kind, valid objects with parts exchanged, bytes that are nearly a text."""

import base64
import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import cluster.api.protobuf

NASTY = (
    "", " ", "a", "web", "A b", "a/b", "a%2Fb", "..", "../../etc", "\x00", "\u202e", "é" * 10,
    "\ud800", "x" * 300, "10%", "-1", "0", "1e99999", "9" * 400, "100m", "1Gi", "-1Ki", "NaN",
    "nginx:latest", "metadata.name", "None", "10.0.0.1", "::1", "::ffff:1.2.3.4", "300.1.1.1",
    "TCP", "Exists", "In", "2020-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00", "0000-00-00",
    "10000-01-01T00:00:00Z", "YQ==", "Y", "Always", "Never", "system:masters", "kube-system",
    "(a+)+$", "(?<=a)", "[", "\\", "$", "{{", "self", "self.x", "1/0", "''", "@hourly", "* * * * *",
    "0 0 31 2 *", "https://127.0.0.1:1/", "a=b", "a,b", "a in (b)", "example.com/x", "v1", "Pod",
    "kubernetes.io/tls", "PT1H", "1h", "999999h", "-5s", "true", "null", "0x10", "1_000", "٣",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 80, 65535, 65536, 1 << 31, -(1 << 31) - 1, 1 << 63, -(1 << 63) - 1, 1 << 64,
    10**40, 0.5, -0.0, 1e308, 1.0, 2.5e-320,
)  # fmt: skip
texts = st.sampled_from(NASTY) | st.text(max_size=8)
scalars = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(-3, 3), texts,
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def rarely(draw: Any, times: int) -> bool:
    """Once in `times`; not by a bound of a range, which hypothesis likes too well."""
    return bool(draw(st.integers(0, times - 1)) == times // 2)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values within one."""
    found = [path] if path else []
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def mutated(draw: Any, document: Any, most: int = 3) -> Any:
    """A document with some of its values exchanged, taken away, doubled or added."""
    document = copy.deepcopy(document)
    for _ in range(max(0, draw(st.integers(-1, most)))):
        path = draw(st.sampled_from(places(document) or [("spec",)]))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        how = draw(st.integers(0, 5))
        if isinstance(parent, dict):
            if how == 0:
                parent.pop(path[-1])
            elif how == 1:
                parent[draw(texts)] = parent[path[-1]]
            else:
                parent[path[-1]] = draw(anything if how == 2 else scalars)
        elif how == 0:
            parent.append(copy.deepcopy(parent[path[-1]]))
        else:
            parent[path[-1]] = draw(anything if how == 2 else scalars)
        if not isinstance(document, dict | list):
            break
    return document


def encoded(draw: Any, document: Any) -> bytes:
    """A document as JSON, now and then broken as a careless client breaks it."""
    text = json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if rarely(draw, 25):
        return text[: draw(st.integers(0, len(text)))]
    if rarely(draw, 25):
        at = draw(st.integers(0, len(text)))
        return text[:at] + draw(st.binary(min_size=1, max_size=4)) + text[at:]
    if rarely(draw, 25):
        return text.replace(b'"metadata"', b'"metadata": {"name": "twice"}, "metadata"', 1)
    return text


BROKEN = (
    b"", b"{", b"}", b"[]", b"null", b"1", b'""', b"\xff\xfe", b"\xef\xbb\xbf{}", b"{} {}",
    b"[" * 20_000, b'{"a":' * 20_000, b'{"metadata":{"labels":' + b'{"a":' * 3000,
    b'{"a": NaN}', b'{"a": 1e999}', b'{"a": ' + b"9" * 10_000 + b"}", b"{'a': 1}",
    b'{"a": "\\ud800"}', b"\x00", b"k8s\0", b"{" + b'"a":1,' * 50_000 + b'"b":2}',
)  # fmt: skip
YAML = (
    b"a: &a [*a]", b"a: &a [1,1,1]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]",
    b"a: &a {b: *a}", b"!!python/object/apply:os.system [ls]", b"a: !!binary YQ==", b"? [1]\n: 2",
    b"- " * 5000, b"a: 1\na: 2", b"a: 2020-01-01", b"1: 2", b"{a: b, c", b"--- {}\n--- {}", b"\t",
    b"a: .nan", b"a: .inf", b"a: 0o17", b"a: 1:30:00", b"<<: [{a: 1}]", b"%YAML 9\n---\na: 1",
    b"x: " + b"[" * 4000, b"a: |\n  text\n b", "é: ü".encode("latin-1"), b"\x85", b"a: \x00",
    b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {a: yes, b: 1}",
)  # fmt: skip


@cache
def _messages() -> dict[str, dict[str, list[str]]]:
    folder = Path(cluster.api.protobuf.__file__).parent
    found: dict[str, dict[str, list[str]]] = json.loads((folder / "fields.json").read_bytes())
    return found


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _guess(draw: Any, kind: str, depth: int) -> bytes:
    """What may stand in a field of type `kind`, without its tag."""
    if kind in _messages():
        return message(draw, kind, depth - 1)
    numbers = st.sampled_from(NUMBERS).map(lambda n: _varint(int(n)))
    if kind.endswith(("Time",)):
        return b"\x08" + draw(numbers) + b"\x10" + draw(numbers)
    if kind.endswith("IntOrString"):
        return b"\x08" + draw(numbers) + b"\x10" + draw(numbers) + _field(3, b"10%")
    if kind.endswith(("Quantity", "RawExtension", "FieldsV1", "ExtraValue")):
        return _field(1, draw(texts).encode("utf-8", "surrogatepass"))
    return bytes(draw(texts).encode("utf-8", "surrogatepass"))


def message(draw: Any, name: str, depth: int = 4) -> bytes:
    """A message that mostly has the fields of its kind, and sometimes not."""
    fields = _messages()[name]
    out = b""
    if depth == 0 or not fields:
        return out
    for number in draw(st.lists(st.sampled_from(sorted(fields)), max_size=4)):
        _, kind, shape = fields[number]
        if rarely(draw, 20):
            kind = draw(st.sampled_from(["string", "int64", "double", "meta.v1.Time"]))
        if shape == "map":
            entry = _field(1, b"a") + _field(2, _guess(draw, kind, depth))
            out += _field(int(number), entry)
        elif kind in ("bool", "int32", "int64"):
            out += _varint(int(number) << 3) + _varint(int(draw(st.sampled_from(NUMBERS))))
        elif kind == "double" and draw(st.booleans()):
            out += _varint(int(number) << 3 | 1) + draw(st.binary(min_size=8, max_size=8))
        else:
            out += _field(int(number), _guess(draw, kind, depth))
    return out


def protobuf(draw: Any, api_version: str, kind: str) -> bytes:
    """A protobuf body of a kind, rarely whole."""
    group, _, version = api_version.rpartition("/")
    name = f"{group.partition('.')[0] or 'core'}.{version}.{kind}"
    known = name if name in _messages() else draw(st.sampled_from(sorted(_messages())))
    inner = message(draw, known)
    if "1" in _messages()[known] and draw(st.booleans()):
        inner += _field(1, _field(1, draw(st.sampled_from(("web", "one", ""))).encode()))
    about = _field(1, api_version.encode()) + _field(2, kind.encode())
    body = b"k8s\0" + _field(1, about) + _field(2, inner)
    if rarely(draw, 10):
        return body[: draw(st.integers(0, len(body)))]
    if rarely(draw, 10):
        at = draw(st.integers(0, len(body)))
        return body[:at] + draw(st.binary(max_size=3)) + body[at:]
    return body


def tampered(draw: Any, token: str) -> str:
    """A token with a part of it changed, or one that its holder wrote himself."""
    how = draw(st.integers(0, 5))
    parts = token.split(".")
    if how == 0:
        at = draw(st.integers(0, len(token) - 1))
        return token[:at] + draw(st.sampled_from("aZ09-_.=")) + token[at + 1 :]
    if how == 1 or len(parts) != 3:
        return token[: draw(st.integers(0, len(token)))]
    head = {"alg": draw(st.sampled_from(["none", "HS256", "ES256", "RS256", "", 5])), "kid": "x"}
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    claims = mutated(draw, claims)
    texts_ = [parts[0] if how == 2 else _b64(head), _b64(claims), parts[2] if how < 5 else ""]
    return ".".join(texts_)


def _b64(value: Any) -> str:
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
