import pytest

from cluster.api import errors
from cluster.apiserver.rest import query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False), ("watch", True), ("watch=", True), ("watch=true", True), ("watch=1", True),
        ("watch=True", True), ("watch=t", True), ("watch=false", False), ("watch=False", False),
        ("watch=0", False), ("watch=1&watch=0", True),
    ],
)  # fmt: skip
def test_flags_are_read_as_kubernetes_reads_them(text: str, expected: bool) -> None:
    assert query.boolean(query.parse(text), "watch") is expected


def test_list_options() -> None:
    found = query.for_list(
        query.parse(
            "labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&limit=5&continue=abc&watch=1"
            "&resourceVersion=7&timeoutSeconds=9&allowWatchBookmarks=true"
        )
    )
    assert found == query.ListOptions(
        "a=b", "metadata.name=x", 5, "abc", "7", "", True, 9, True, None
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit=many", 'strconv.ParseInt: parsing "many": invalid syntax'),
        ("limit=1_000", 'strconv.ParseInt: parsing "1_000": invalid syntax'),
        (
            "limit=9223372036854775808",
            'strconv.ParseInt: parsing "9223372036854775808": value out of range',
        ),
        (f"limit={'9' * 5000}", f'strconv.ParseInt: parsing "{"9" * 5000}": value out of range'),
        ("timeoutSeconds=1s", 'strconv.ParseInt: parsing "1s": invalid syntax'),
    ],
)
def test_numbers_that_are_none(text: str, message: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        query.for_list(query.parse(text))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
        ("watch=1&sendInitialEvents=true", "requires setting resourceVersionMatch to NotOlderThan"),
        ("watch=1&resourceVersionMatch=NotOlderThan", "is forbidden for watch unless"),
    ],
)
def test_list_options_that_exclude_each_other(text: str, message: str) -> None:
    with pytest.raises(errors.Invalid, match=message):
        query.for_list(query.parse(text))


def test_write_options() -> None:
    text = "dryRun=All&fieldManager=me&fieldValidation=Strict&force=true"
    found = query.for_write(query.parse(text), "kubectl/v1", "PatchOptions")
    assert found == query.WriteOptions(True, "me", "Strict", True)
    assert query.for_write({}, "kubectl/v1.33 (linux)", "CreateOptions").manager == "kubectl"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dryRun=Some",
         'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported '
         'values: "All"'),
        ("fieldValidation=Hard",
         'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Hard": '
         'supported values: "", "Ignore", "Strict", "Warn"'),
        ("fieldManager=" + "m" * 129,
         'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than '
         "128 bytes"),
    ],
)  # fmt: skip
def test_write_options_that_are_wrong(text: str, message: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        query.for_write(query.parse(text), "", "CreateOptions")
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("user_agent", "manager"),
    [
        ("kubectl/v1.33.1 (linux/amd64) kubernetes/abc", "kubectl"),
        ("", ""),
        ("a\x07b\u200bc/1", "abc"),
        ("x" * 200, "x" * 128),
        ("ä" * 100, "ä" * 64),
        ("x" + "ä" * 100, "x" + "ä" * 63),
    ],
)
def test_a_client_without_a_field_manager_is_known_by_its_user_agent(user_agent, manager):
    assert query.for_write({}, user_agent, "CreateOptions").manager == manager


def test_a_field_manager_is_printable_and_not_too_long():
    with pytest.raises(errors.Invalid) as caught:
        query.for_write({"fieldManager": "a\x01b"}, "", "PatchOptions")
    assert "fieldManager: Invalid value" in caught.value.message
    assert "invalid character U+0001 (at position 1)" in caught.value.message
    with pytest.raises(errors.Invalid, match="128"):
        query.for_write({"fieldManager": "x" * 129}, "", "PatchOptions")
