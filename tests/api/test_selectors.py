"""Label and field selectors."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import errors, resources, selectors

TABLE = resources.built_in()
LABELS = {"app": "web", "tier": "front", "n": "5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app == web", True),
        ("app=other", False),
        ("app!=web", False),
        ("absent!=x", True),
        ("app in (web, api)", True),
        ("app in (api)", False),
        ("app notin (api)", True),
        ("absent notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!absent", True),
        ("n>4", True),
        ("n>5", False),
        ("n<6", True),
        ("app>1", False),
        ("app=web,tier=front", True),
        ("app=web,tier=back", False),
        ("app=", False),
    ],
)
def test_matching(text: str, expected: bool) -> None:
    assert selectors.parse_labels(text).matches(LABELS) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a in x", "unable to parse requirement: found 'x' expected: '('"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a>b", "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt'"),
        ("-a=b", 'unable to parse requirement: key: Invalid value: "-a": name part must consist'),
        ("a=-b", 'unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label'),
    ],
)
def test_malformed_label_selectors(text: str, message: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        selectors.parse_labels(text)
    assert caught.value.message.startswith(message)


@given(st.text(alphabet="ab=!,()<> in", max_size=14))
def test_any_text_parses_or_is_a_bad_request(text: str) -> None:
    try:
        selector = selectors.parse_labels(text)
    except errors.BadRequest:
        return
    assert str(selectors.parse_labels(str(selector))) == str(selector)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_label_selector_documents(document: Any, expected: bool) -> None:
    assert selectors.of(document).matches(LABELS) is expected


def test_an_unknown_operator_is_told() -> None:
    document = {"matchExpressions": [{"key": "a", "operator": "Like"}]}
    with pytest.raises(ValueError, match='"Like" is not a valid label selector operator'):
        selectors.of(document)


def test_emptiness() -> None:
    assert selectors.of({}).empty
    assert not selectors.of(None).empty
    assert not selectors.parse_labels("a").empty


POD = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("metadata.name=web", True),
        ("metadata.name=web,metadata.name=web", True),
        ("metadata.name!=web", False),
        ("spec.nodeName==n1,status.phase!=Succeeded", True),
        ("spec.nodeName=", False),
        ("status.podIP=", True),
        ("spec.hostNetwork=false", True),
    ],
)
def test_field_selectors_on_pods(text: str, expected: bool) -> None:
    row = TABLE.get("pods")
    selector = selectors.parse_fields(text, row)
    assert selector.matches(selectors.field_values(row, POD)) is expected


@pytest.mark.parametrize(
    ("text", "resource", "message"),
    [
        ("spec.foo=x", "pods", "field label not supported: spec.foo"),
        ("a=x", "configmaps", '"a" is not a known field selector: only "metadata.name"'),
        ("metadata.name", "pods", "invalid selector: 'metadata.name'; can't understand"),
        ("metadata.name=a\\b", "pods", "invalid field selector: invalid escape sequence: \\b"),
    ],
)
def test_malformed_field_selectors(text: str, resource: str, message: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        selectors.parse_fields(text, TABLE.get(resource))
    assert caught.value.message.startswith(message)


def test_escaped_values() -> None:
    row = TABLE.get("secrets")
    selector = selectors.parse_fields("type=a\\,b\\=c\\\\", row)
    assert selector.exact("type") == "a,b=c\\"


def test_field_values_of_nodes_and_events() -> None:
    assert selectors.field_values(TABLE.get("nodes"), {})["spec.unschedulable"] == "false"
    node = {"spec": {"unschedulable": True}}
    assert selectors.field_values(TABLE.get("nodes"), node)["spec.unschedulable"] == "true"
    event = {"source": {"component": "kubelet"}, "reportingComponent": "x"}
    assert selectors.field_values(TABLE.get("events"), event)["source"] == "kubelet"
    del event["source"]
    assert selectors.field_values(TABLE.get("events"), event)["source"] == "x"
