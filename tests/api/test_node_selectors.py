"""What node selectors ask of labels and names of nodes."""

from typing import Any

import pytest

from cluster.api import nodeselectors

NODE = {"metadata": {"name": "n1", "labels": {"zone": "a", "cores": "8"}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": [*values]}


@pytest.mark.parametrize(
    ("asked", "met"),
    [
        (expression("zone", "In", "a", "b"), True),
        (expression("zone", "In", "b"), False),
        (expression("zone", "NotIn", "b"), True),
        (expression("disk", "NotIn", "ssd"), True),
        (expression("disk", "Exists"), False),
        (expression("disk", "DoesNotExist"), True),
        (expression("cores", "Gt", "7"), True),
        (expression("cores", "Gt", "8"), False),
        (expression("cores", "Lt", "9"), True),
        (expression("zone", "Lt", "9"), False),
        (expression("zone", "Like", "a"), False),
    ],
)
def test_expressions(asked: dict[str, Any], met: bool) -> None:
    assert nodeselectors.term({"matchExpressions": [asked]}).matches(NODE) is met


@pytest.mark.parametrize(
    ("term", "met", "names"),
    [
        ({}, False, None),
        ({"matchFields": [expression("metadata.name", "In", "n1", "n2")]}, True, {"n1", "n2"}),
        ({"matchFields": [expression("metadata.name", "NotIn", "n1")]}, False, None),
        ({"matchFields": [expression("spec.x", "In", "n1")]}, False, None),
        (
            {
                "matchFields": [expression("metadata.name", "In", "n1")],
                "matchExpressions": [expression("zone", "In", "b")],
            },
            False,
            {"n1"},
        ),
    ],
)
def test_terms(term: dict[str, Any], met: bool, names: set[str] | None) -> None:
    found = nodeselectors.term(term)
    assert found.matches(NODE) is met
    assert found.names() == names


@pytest.mark.parametrize(
    ("spec", "met"),
    [
        ({}, True),
        ({"nodeSelector": {"zone": "a"}}, True),
        ({"nodeSelector": {"zone": "a", "disk": "ssd"}}, False),
        (
            {"affinity": {"nodeAffinity": {nodeselectors.REQUIRED: {"nodeSelectorTerms": []}}}},
            False,
        ),
        (
            {
                "nodeSelector": {"zone": "a"},
                "affinity": {
                    "nodeAffinity": {
                        nodeselectors.REQUIRED: {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [expression("disk", "Exists")]},
                                {"matchExpressions": [expression("cores", "Gt", "1")]},
                            ]
                        }
                    }
                },
            },
            True,
        ),
    ],
)
def test_what_a_pod_requires(spec: dict[str, Any], met: bool) -> None:
    assert nodeselectors.required(spec).matches(NODE) is met
