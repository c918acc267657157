import pytest
from authz_world import JANE, asks

from cluster.api import errors, identity
from cluster.api.operations import Operation, Verb
from cluster.api.resources import built_in
from cluster.apiserver.authz import gate, modes
from cluster.apiserver.authz.always import AlwaysAllow, AlwaysDeny
from cluster.apiserver.authz.attributes import NO_OPINION, Decision
from cluster.apiserver.authz.rbac import Rbac
from cluster.apiserver.authz.union import Union

MASTER = identity.User("root", (identity.MASTERS,))


class Says:
    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    def authorize(self, asked):
        return self.decision


YES, NO = Decision(True, reason="yes"), Decision(False, True, "never")
MAYBE = Decision(False, False, "dunno")


@pytest.mark.parametrize(
    ("members", "decision"),
    [
        ([YES, NO], YES),
        ([NO, YES], NO),
        ([MAYBE, YES], YES),
        ([MAYBE, NO_OPINION, MAYBE], Decision(False, False, "dunno\ndunno")),
        ([], NO_OPINION),
    ],
)
def test_the_first_opinion_decides(members, decision) -> None:
    union = Union([Says(member) for member in members])
    assert union.authorize(asks(JANE, "get core pods")) == decision


def test_masters_are_never_asked_about() -> None:
    assert Union([Says(NO)]).authorize(asks(MASTER, "get core pods")).allowed
    assert not Union([AlwaysDeny()]).authorize(asks(JANE, "get core pods")).allowed
    assert AlwaysAllow().authorize(asks(JANE, "get /x")).allowed


@pytest.mark.parametrize("wrong", [(), ("ABAC",), ("RBAC", "RBAC")])
def test_modes_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="mode"):
        modes.checked(wrong)


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/api/v1/pods", ("list", "", "v1", "pods", "", "", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "v1", "namespaces", "", "a", "a", "")),
        ("PUT", "/api/v1/namespaces/a/finalize",
         ("update", "", "v1", "namespaces", "finalize", "a", "a", "")),
        ("POST", "/apis/g/v2/namespaces/a/things/x/sub",
         ("create", "g", "v2", "things", "sub", "a", "x", "")),
        ("DELETE", "/apis/g/v2/namespaces/a/things",
         ("deletecollection", "g", "v2", "things", "", "a", "", "")),
        ("GET", "/apis/g/v2/watch/things", ("watch", "g", "v2", "things", "", "", "", "")),
        ("GET", "/apis/apps/v1", ("get", "", "", "", "", "", "", "/apis/apps/v1")),
        ("POST", "/logs", ("post", "", "", "", "", "", "", "/logs")),
    ],
)  # fmt: skip
def test_what_a_path_asks(method, path, asked) -> None:
    assert tuple(gate.of_path(JANE, method, path))[1:9] == asked


def test_of_a_batch_what_is_not_allowed_is_refused_by_itself() -> None:
    rbac = Rbac()
    rbac.put_role("", "r", {"rules": [
        {"verbs": ["create"], "apiGroups": [""], "resources": ["pods", "pods/binding"]},
    ]})  # fmt: skip
    rbac.put_binding("", "b", {
        "roleRef": {"kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "User", "name": "jane"}],
    })  # fmt: skip
    batch = [
        Operation(Verb.CREATE, "pods", "a", "p"),
        Operation(Verb.DELETE, "pods", "a", "p"),
        Operation(Verb.CREATE, "pods", "a", "p", "binding"),
        Operation(Verb.PATCH, "namespaces", "", "a"),
        Operation(Verb.CREATE, "no.such"),
    ]
    refused = gate.refusals(rbac, JANE, batch, built_in())
    assert {index: error.message for index, error in refused.items()} == {
        1: 'pods "p" is forbidden: User "jane" cannot delete resource "pods" in API group "" in '
        'the namespace "a"',
        3: 'namespaces "a" is forbidden: User "jane" cannot patch resource "namespaces" in API '
        'group "" in the namespace "a"',
    }
    assert all(isinstance(error, errors.Forbidden) for error in refused.values())


def test_questions_of_any_length_are_answered_and_not_kept() -> None:
    rbac = Rbac()
    for number in range(100):
        asked = asks(JANE, f"get /{'x' * 5000}{number}")
        assert not rbac.authorize(asked).allowed
    crowd = identity.User("jane", tuple(f"g{number}" for number in range(1000)))
    assert not rbac.authorize(asks(crowd, "get core pods")).allowed
    assert not rbac._verdicts
