import pytest
from authz_world import JANE, ROBOT, asks, bind, role
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.apiserver.authz.rbac import Rbac


def world() -> Rbac:
    rbac = Rbac()
    role(rbac, "", "reader", "read core pods,configmaps\nget core */log")
    role(rbac, "", "probe", "get url /metrics,/debug/*")
    role(rbac, "a", "one", "get,update core secrets wanted\nlist core secrets")
    bind(rbac, "", "all-dev", "ClusterRole/reader", "Group dev")
    bind(rbac, "", "probes", "ClusterRole/probe", "User jane", "ServiceAccount ci/robot")
    bind(rbac, "a", "one", "Role/one", "User other", "User jane")
    bind(rbac, "b", "mine", "ClusterRole/reader", "ServiceAccount /robot")
    bind(rbac, "ci", "mine", "ClusterRole/reader", "ServiceAccount /robot")
    return rbac


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (asks(JANE, "list core pods"), True),
        (asks(JANE, "list core pods", "any"), True),
        (asks(JANE, "list apps pods"), False),
        (asks(JANE, "create core pods"), False),
        (asks(JANE, "get core pods/log", "any", "x"), True),
        (asks(JANE, "get core pods/status", "any", "x"), False),
        (asks(JANE, "get core secrets", "a", "wanted"), True),
        (asks(JANE, "get core secrets", "a", "other"), False),
        (asks(JANE, "get core secrets", "b", "wanted"), False),
        (asks(JANE, "list core secrets", "a"), True),
        (asks(JANE, "update core secrets", "a"), False),
        (asks(JANE, "get /metrics"), True),
        (asks(JANE, "get /metrics/more"), False),
        (asks(JANE, "get /debug/pprof"), True),
        (asks(JANE, "get /debug"), False),
        (asks(JANE, "post /metrics"), False),
        (asks(ROBOT, "get /metrics"), True),
        (asks(ROBOT, "list core pods", "ci"), True),
        (asks(ROBOT, "list core pods", "b"), False),
        (asks(ROBOT, "list core pods"), False),
    ],
)
def test_what_roles_and_bindings_allow(asked, allowed) -> None:
    rbac = world()
    for _ in range(2):  # the second answer is the remembered one
        assert rbac.authorize(asked).allowed is allowed


def test_the_reason_names_binding_role_and_subject() -> None:
    rbac = world()
    assert rbac.authorize(asks(JANE, "get core secrets", "a", "wanted")).reason == (
        'RBAC: allowed by RoleBinding "one/a" of Role "one" to User "jane"'
    )
    assert rbac.authorize(asks(JANE, "list core pods")).reason == (
        'RBAC: allowed by ClusterRoleBinding "all-dev" of ClusterRole "reader" to Group "dev"'
    )
    assert rbac.authorize(asks(ROBOT, "get /metrics")).reason == (
        'RBAC: allowed by ClusterRoleBinding "probes" of ClusterRole "probe" '
        'to ServiceAccount "robot/ci"'
    )


def test_roles_that_are_not_there_are_told_where_nothing_else_allows() -> None:
    rbac = world()
    bind(rbac, "a", "broken", "Role/gone", "User jane")
    bind(rbac, "a", "broken-too", "ClusterRole/lost", "User jane")
    assert rbac.authorize(asks(JANE, "delete core pods", "a")).reason == (
        'RBAC: [role.rbac.authorization.k8s.io "gone" not found, '
        'clusterrole.rbac.authorization.k8s.io "lost" not found]'
    )
    assert rbac.rules_for(JANE, "a").problems == (
        'role.rbac.authorization.k8s.io "gone" not found',
        'clusterrole.rbac.authorization.k8s.io "lost" not found',
    )


def test_a_change_of_a_role_or_binding_is_heard_at_once() -> None:
    rbac = world()
    asked = asks(JANE, "delete core pods", "a")
    assert not rbac.authorize(asked).allowed
    role(rbac, "", "reader", "* core pods")
    assert rbac.authorize(asked).allowed
    rbac.drop_binding("", "all-dev")
    assert not rbac.authorize(asked).allowed


_USERS = (JANE, ROBOT)
_RULES = (
    "get core pods", "* core pods", "get,list core secrets s1", "get core secrets s1,s2",
    "get core secrets", "* * *", "get core */log", "get url /x/*",
)  # fmt: skip
_NAMES = st.sampled_from(["r1", "r2", "r3"])
_SPACES = st.sampled_from(["", "a", "b"])
_CHANGES = st.one_of(
    st.tuples(st.just("role"), _SPACES, _NAMES, st.lists(st.sampled_from(_RULES), max_size=3)),
    st.tuples(st.just("drop role"), _SPACES, _NAMES),
    st.tuples(
        st.just("bind"), _SPACES, _NAMES, st.sampled_from(["Role", "ClusterRole"]), _NAMES,
        st.lists(
            st.sampled_from(
                ["User jane", "Group dev", "ServiceAccount ci/robot", "Group x"]
            ),
            max_size=2,
        ),
    ),
    st.tuples(st.just("drop binding"), _SPACES, _NAMES),
)  # fmt: skip
_QUESTIONS = [
    asks(user, text, space, name)
    for user in _USERS
    for text in ("get core pods", "get core secrets", "list core secrets", "get core pods/log")
    for space in ("", "a", "b")
    for name in ("", "s1", "s2")
] + [asks(user, "get /x/y") for user in _USERS]


@settings(max_examples=60, deadline=None)
@given(st.lists(_CHANGES, min_size=1, max_size=12))
def test_remembered_decisions_are_those_that_a_new_index_would_make(changes) -> None:
    rbac = Rbac()
    done = []
    for change in changes:
        done.append(change)
        _apply(rbac, change)
        anew = Rbac()
        for each in done:
            _apply(anew, each)
        for asked in _QUESTIONS:
            wanted = anew.authorize(asked)
            anew._verdicts.clear()
            assert rbac.authorize(asked) == wanted
            assert rbac.authorize(asked) == wanted


def _apply(rbac: Rbac, change) -> None:
    kind, space, name, *rest = change
    if kind == "role":
        role(rbac, space, name, "\n".join(rest[0]))
    elif kind == "drop role":
        rbac.drop_role(space, name)
    elif kind == "bind":
        role_kind, target, subjects = rest
        bind(rbac, space, name, f"{role_kind}/{target}", *subjects)
    else:
        rbac.drop_binding(space, name)
