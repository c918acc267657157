"""Roles and bindings: defaults, validation, printing."""

from random import Random

import pytest

from cluster.api import errors, identity, printing, resources, rules

TABLE = resources.built_in()
GROUP = "rbac.authorization.k8s.io"
REQUEST = rules.Request(1_700_000_000.0, Random(1), identity.User("u"))


def made(kind: str, **fields):
    row = TABLE.of_kind(f"{GROUP}/v1", kind)
    assert row is not None
    meta = {"name": fields.pop("name", "x")} | ({"namespace": "a"} if row.namespaced else {})
    return row, rules.for_create(row, {"metadata": meta, **fields}, REQUEST).object


def rule(**fields):
    return {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]} | fields


@pytest.mark.parametrize(
    ("kind", "fields", "field", "message"),
    [
        ("Role", {"rules": [rule(verbs=[])]}, "rules[0].verbs",
         "Required value: verbs must contain at least one value"),
        ("Role", {"rules": [rule(apiGroups=[])]}, "rules[0].apiGroups",
         "Required value: resource rules must supply at least one api group"),
        ("Role", {"rules": [rule(), rule(resources=[])]}, "rules[1].resources",
         "Required value: resource rules must supply at least one resource"),
        ("Role", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
         "rules[0].nonResourceURLs",
         'Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'),
        ("ClusterRole", {"rules": [rule(nonResourceURLs=["/x"])]}, "rules[0].nonResourceURLs",
         'Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource '
         "URLs"),
        ("ClusterRole", {"aggregationRule": {}}, "aggregationRule.clusterRoleSelectors",
         "Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"),
        ("ClusterRole", {"name": "a/b"}, "metadata.name",
         "Invalid value: \"a/b\": may not contain '/'"),
        ("RoleBinding", {"roleRef": {"kind": "User", "name": "r"}}, "roleRef.kind",
         'Unsupported value: "User": supported values: "Role", "ClusterRole"'),
        ("ClusterRoleBinding", {"roleRef": {"kind": "Role", "name": "r"}}, "roleRef.kind",
         'Unsupported value: "Role": supported values: "ClusterRole"'),
        ("RoleBinding", {"roleRef": {"kind": "Role", "name": ""}}, "roleRef.name",
         "Required value"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_the_words_of_kubernetes(kind, fields, field, message) -> None:
    with pytest.raises(errors.Invalid) as refused:
        made(kind, **fields)
    assert {"field": field, "message": message} in [
        {key: cause[key] for key in ("field", "message")}
        for cause in refused.value.details["causes"]
    ]


@pytest.mark.parametrize(
    ("kind", "subject", "field", "message"),
    [
        ("RoleBinding", {"kind": "User", "name": ""}, "subjects[0].name", "Required value"),
        ("RoleBinding", {"kind": "Robot", "name": "x"}, "subjects[0].kind",
         'Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'),
        ("RoleBinding", {"kind": "User", "name": "x", "apiGroup": "no"}, "subjects[0].apiGroup",
         f'Unsupported value: "no": supported values: "{GROUP}"'),
        ("ClusterRoleBinding", {"kind": "ServiceAccount", "name": "x"}, "subjects[0].namespace",
         "Required value"),
    ],
)  # fmt: skip
def test_subjects_that_are_none(kind, subject, field, message) -> None:
    with pytest.raises(errors.Invalid) as refused:
        made(kind, roleRef={"kind": "ClusterRole", "name": "r"}, subjects=[subject])
    (cause,) = refused.value.details["causes"]
    assert (cause["field"], cause["message"]) == (field, message)


def test_groups_of_roles_and_subjects_are_filled_in() -> None:
    _, obj = made(
        "RoleBinding", roleRef={"kind": "Role", "name": "r"},
        subjects=[{"kind": "User", "name": "x"}, {"kind": "ServiceAccount", "name": "y"}],
    )  # fmt: skip
    assert obj["roleRef"]["apiGroup"] == GROUP
    assert [subject.get("apiGroup") for subject in obj["subjects"]] == [GROUP, None]


def test_names_are_anything_that_stands_in_a_path() -> None:
    _, obj = made("ClusterRole", name="system:controller:X_y", rules=[])
    assert obj["metadata"]["name"] == "system:controller:X_y"


def test_a_binding_shows_its_role_and_whom_it_names() -> None:
    row, obj = made(
        "ClusterRoleBinding", roleRef={"kind": "ClusterRole", "name": "view"},
        subjects=[
            {"kind": "User", "name": "a"}, {"kind": "User", "name": "b"},
            {"kind": "Group", "name": "g"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
        ],
    )  # fmt: skip
    cells = printing.of(row).cells(obj, REQUEST.now + 60)
    assert cells == ["x", "ClusterRole/view", "60s", "a, b", "g", "n/s"]
