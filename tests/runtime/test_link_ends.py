"""Which nodes are told what of a link by its name."""

import pytest

from cluster.runtime import linkends
from cluster.runtime.linkends import Place

NODES = ("a", "b", "c")


def place(namespace: str, name: str) -> Place:
    return Place("b", f"{namespace}.{name}")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a:b", ["a>b", "b>a"]),
        ("a", ["a>b", "b>a", "a>c", "c>a"]),
        ("pod:x/web", ["b>pod:x.web"]),
        ("pod:web", ["b>pod:default.web"]),
    ],
)
def test_a_link_has_ends(name: str, expected: list[str]) -> None:
    assert [f"{end.node}>{end.link}" for end in linkends.ends(name, NODES, place)] == expected


@pytest.mark.parametrize("name", ["d", "a:d", "d:a", "a:a", "", "pod:", "pod:/x", "a:"])
def test_what_is_no_link_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no link|not found"):
        linkends.ends(name, NODES, place)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([["a"], ["b", "c"]], ["a>b", "a>c", "b>a", "c>a"]),
        ([["a"]], ["a>b", "a>c", "b>a", "c>a"]),
        ([["a"], ["b"]], ["a>b", "b>a"]),
        ([["a", "a"], ["b"], ["c"]], ["a>b", "a>c", "b>a", "b>c", "c>a", "c>b"]),
        ([["a", "b", "c"]], []),
    ],
)
def test_a_partition_cuts_between_its_sides(groups: list[list[str]], expected: list[str]) -> None:
    found = [f"{end.node}>{end.link}" for end in linkends.cuts(groups, NODES)]
    assert sorted(found) == expected
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("groups", [[], [[]], [["a"], ["a"]], [["x"]]])
def test_what_is_no_partition_is_refused(groups: list[list[str]]) -> None:
    with pytest.raises(ValueError, match=r"needs nodes|two sides|not found"):
        linkends.cuts(groups, NODES)
