import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.apiserver.authz import rules
from cluster.apiserver.authz.policy import notation
from cluster.apiserver.authz.rules import Rule


@pytest.mark.parametrize(
    ("owned", "wanted", "missing"),
    [
        ("* * *", "get core pods", []),
        ("get core pods", "get core pods", []),
        ("get core pods", "get core pods x", []),
        (
            "get core pods x",
            "get core pods",
            ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'],
        ),
        (
            "get core pods x",
            "get core pods x,y",
            ['{APIGroups:[""], Resources:["pods"], ResourceNames:["y"], Verbs:["get"]}'],
        ),
        ("get core */log", "get core pods/log", []),
        (
            "get,list core pods",
            "get,list,update,delete core,apps pods",
            [
                '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "update"]}',
                '{APIGroups:["apps"], Resources:["pods"], Verbs:["delete" "get" "list" "update"]}',
            ],
        ),
        ("get core pods\nlist core pods", "get,list core pods", []),
        ("get url /x/*", "get url /x/y,/z", ['{NonResourceURLs:["/z"], Verbs:["get"]}']),
        ("get url *", "get url /x/*", []),
    ],
)
def test_what_is_missing_of_what_is_wanted(owned, wanted, missing) -> None:
    found = rules.missing(notation.rules(owned), notation.rules(wanted))
    assert [rules.text(rule) for rule in rules.compacted(found)] == missing


def test_rules_that_multiply_without_end_are_refused_and_not_worked_through() -> None:
    many = tuple(f"r{number}" for number in range(1000))
    with pytest.raises(rules.TooLarge):
        rules.missing((), [Rule(many, many, many)])


def test_many_paths_and_names_are_compared_without_looking_at_each_pair() -> None:
    held = Rule(("get",), urls=tuple(f"/held/{number}*" for number in range(20_000)))
    asked = Rule(("get",), urls=tuple(f"/held/{number}/x" for number in range(9_000)))
    assert rules.missing([held], [asked]) == []
    names = tuple(f"n{number}" for number in range(5_000))
    limited = Rule(("get",), tuple("ab"), tuple(f"r{n}" for n in range(1_000)), names)
    assert rules.missing([limited], [Rule(("get",), ("a",), ("r7",), names)]) == []


_WORD = st.sampled_from(["*", "a", "b"])
_SOME = st.lists(_WORD, min_size=1, max_size=2).map(tuple)
_RULE = st.builds(
    Rule, _SOME, _SOME, _SOME, st.lists(st.sampled_from(["n", "m"]), max_size=2).map(tuple)
)


@given(st.lists(_RULE, max_size=3), _RULE)
def test_nothing_missing_means_that_whatever_is_allowed_was_allowed_before(owned, wanted) -> None:
    if rules.missing(owned, [wanted]):
        return
    for verb in "abz":
        for group in "abz":
            for resource in "abz":
                if not wanted.allows(verb, group, resource, ""):
                    continue
                for name in wanted.names or ("",):
                    assert any(
                        rule.allows(verb, group, resource, "")
                        and (not rule.names or name in rule.names)
                        for rule in owned
                    )
