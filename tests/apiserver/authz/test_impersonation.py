import pytest
from authz_world import JANE, bind, role

from cluster.api import errors, identity
from cluster.apiserver.authz.impersonation import impersonated
from cluster.apiserver.authz.rbac import Rbac


def allowing(*rules: str) -> Rbac:
    rbac = Rbac()
    role(rbac, "", "as", "\n".join(rules))
    bind(rbac, "", "as", "ClusterRole/as", "User jane")
    return rbac


def test_a_user_with_groups_uid_and_extra() -> None:
    rbac = allowing(
        "impersonate core users,groups", "impersonate authentication.k8s.io userextras/scopes,uids"
    )
    found = impersonated(
        rbac, JANE,
        [
            ("Impersonate-User", "bob"), ("Impersonate-Group", "a"), ("impersonate-group", "b"),
            ("Impersonate-Uid", "u1"), ("Impersonate-Extra-Scopes", "view"),
            ("Impersonate-Extra-scopes", "edit"), ("Accept", "*/*"),
        ],
    )  # fmt: skip
    assert found == identity.User(
        "bob", ("a", "b", "system:authenticated"), "u1", (("scopes", ("view", "edit")),)
    )


@pytest.mark.parametrize(
    ("rule", "headers", "message"),
    [
        (
            "impersonate core groups",
            [("Impersonate-User", "bob")],
            'users "bob" is forbidden: User "jane" cannot impersonate resource "users" in API '
            'group "" at the cluster scope',
        ),
        (
            "impersonate core users",
            [("Impersonate-User", "bob"), ("Impersonate-Group", "system:masters")],
            'groups "system:masters" is forbidden: User "jane" cannot impersonate resource '
            '"groups" in API group "" at the cluster scope',
        ),
        (
            "impersonate core users",
            [("Impersonate-User", "system:serviceaccount:ns:sa")],
            'serviceaccounts "sa" is forbidden: User "jane" cannot impersonate resource '
            '"serviceaccounts" in API group "" in the namespace "ns"',
        ),
        (
            "impersonate core users",
            [("Impersonate-User", "bob"), ("Impersonate-Extra-Scopes%2Fx", "v")],
            'userextras.authentication.k8s.io "v" is forbidden: User "jane" cannot impersonate '
            'resource "userextras/scopes/x" in API group "authentication.k8s.io" at the cluster '
            "scope",
        ),
        (
            "impersonate core users bob",
            [("Impersonate-User", "bob"), ("Impersonate-Uid", "1")],
            'uids.authentication.k8s.io "1" is forbidden: User "jane" cannot impersonate resource '
            '"uids" in API group "authentication.k8s.io" at the cluster scope',
        ),
    ],
)
def test_each_part_is_asked_about(rule, headers, message) -> None:
    with pytest.raises(errors.Forbidden) as refused:
        impersonated(allowing(rule), JANE, headers)
    assert refused.value.message == message


def test_service_accounts_and_the_anonymous_get_the_groups_that_they_have() -> None:
    rbac = allowing("impersonate core users,serviceaccounts")
    account = impersonated(rbac, JANE, [("Impersonate-User", "system:serviceaccount:ns:sa")])
    assert account.groups == (
        "system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated",
    )  # fmt: skip
    nobody = impersonated(rbac, JANE, [("Impersonate-User", "system:anonymous")])
    assert nobody == identity.ANONYMOUS


def test_groups_without_a_user_are_a_bad_request() -> None:
    with pytest.raises(errors.BadRequest):
        impersonated(allowing("* * *"), JANE, [("Impersonate-Group", "a")])


def test_without_headers_one_is_oneself() -> None:
    assert impersonated(Rbac(), JANE, [("Accept", "x")]) is JANE
