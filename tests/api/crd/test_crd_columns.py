"""JSONPath, and the columns of custom resources."""

from typing import Any

import pytest

from cluster.api.crd import columns, jsonpath

DOCUMENT: dict[str, Any] = {
    "metadata": {
        "name": "web", "annotations": {"a.b/c": "dotted"},
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {"replicas": 3, "on": True, "ratio": 0.5, "ports": [{"n": 1}, {"n": 2}, {"n": 3}]},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "n": 1},
            {"type": "Synced", "status": "False", "n": 2},
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (".spec.replicas", [3]),
        (".spec.ports[0].n", [1]),
        (".spec.ports[-1].n", [3]),
        (".spec.ports[0:2].n", [1, 2]),
        (".spec.ports[*].n", [1, 2, 3]),
        (".spec.ports[0,2].n", [1, 3]),
        (".metadata.annotations.a\\.b/c", ["dotted"]),
        (".metadata.annotations['a.b/c']", ["dotted"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Synced')].status", ["False"]),
        (".status.conditions[?(@.n>1)].type", ["Synced"]),
        ('.status.conditions[?(@.type!="Ready")].type', ["Synced"]),
        (".status.conditions[?(@.missing)].type", []),
        ("..n", [1, 2, 3, 1, 2]),
        (".spec.missing.deeper", []),
        (".spec['replicas','on']", [3, True]),
    ],
)
def test_an_expression_finds_what_kubectl_would(text: str, found: list[Any]) -> None:
    assert list(jsonpath.parse(text).find(DOCUMENT)) == found


@pytest.mark.parametrize("text", [".spec[", ".a[?(@.x==]", ".a[x]", "spec", ".a..", ".a[?(@.b"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(jsonpath.Malformed):
        jsonpath.parse(text)


def test_an_expression_that_would_look_at_everything_many_times_ends() -> None:
    deep: Any = {"n": 1}
    for _ in range(300):
        deep = {"a": deep, "b": [deep, 1]} if _ < 12 else {"a": deep}
    assert len(list(jsonpath.parse("..a..a..a..a..x").find(deep))) == 0


@pytest.mark.parametrize(
    ("kind", "path", "cell"),
    [
        ("string", ".spec.replicas", "3"),
        ("string", ".spec.on", "true"),
        ("string", ".spec.ports[0]", '{"n":1}'),
        ("integer", ".spec.replicas", 3),
        ("integer", ".spec.ratio", 0),
        ("integer", ".metadata.name", None),
        ("number", ".spec.ratio", 0.5),
        ("boolean", ".spec.on", True),
        ("boolean", ".spec.replicas", None),
        ("date", ".metadata.creationTimestamp", "10s"),
        ("date", ".metadata.name", "<invalid>"),
        ("string", ".spec.missing", None),
        ("string", ".broken[", None),
    ],
)
def test_a_cell_is_shown_by_the_type_of_its_column(kind: str, path: str, cell: Any) -> None:
    printer = columns.printer([{"name": "X", "type": kind, "jsonPath": path, "priority": 1}])
    assert printer.cells(DOCUMENT, 1767225610.0) == ["web", cell]
    assert [(column.name, column.priority) for column in printer.columns] == [("Name", 0), ("X", 1)]


def test_without_columns_the_age_is_shown() -> None:
    printer = columns.printer([])
    assert [column.name for column in printer.columns] == ["Name", "Age"]
    assert printer.cells(DOCUMENT, 1767225610.0) == ["web", "10s"]
