"""What the cache tells its listeners: always the pods on the nodes as they are."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scheduling import info, node, pod

from cluster.scheduler import pods
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.pods import PodInfo


class _Mirror:
    """Repeats what it is told, and checks what it was promised."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.nodes: dict[str, Any] = {}
        self.pods: dict[tuple[str, str], PodInfo] = {}
        self.told: list[str] = []

    def placed(self, pod: PodInfo, node: str) -> None:
        assert node in self.nodes
        assert self.cache.table.row(node) is not None
        assert (pod.key, node) not in self.pods
        self.pods[pod.key, node] = pod
        self.told.append(f"+{pod.key}")

    def removed(self, pod: PodInfo, node: str) -> None:
        assert self.cache.table.row(node) is not None
        known = self.pods.pop((pod.key, node))
        assert known.object["metadata"]["labels"] == pod.object["metadata"]["labels"]
        self.told.append(f"-{pod.key}")

    def node_set(self, old: Any, node: Any, row: int) -> None:
        name = node["metadata"]["name"]
        assert self.nodes.get(name) == old
        assert self.cache.table.node(row) is node
        self.nodes[name] = node

    def node_removed(self, node: Any, row: int) -> None:
        name = node["metadata"]["name"]
        assert self.cache.table.node(row) is node
        assert self.nodes.pop(name) is node
        assert not [key for key, where in self.pods if where == name]


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["set_node", "remove_node", "assume", "bind", "forget", "remove_pod"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from(["x", "y"]),
    ),
    max_size=50,
)


@given(_ACTIONS, st.integers(0, 50))
def test_a_listener_knows_the_pods_of_all_nodes_that_are_there(
    actions: list[tuple[str, int, int, str]], late: int
) -> None:
    cache = Cache()
    early, later = _Mirror(cache), _Mirror(cache)
    cache.listen(early)
    for at, (action, p, n, label) in enumerate(actions):
        if at == late:
            cache.listen(later)
        one, name = info(f"p{p}", labels={"l": label}), f"n{n}"
        if action == "set_node":
            cache.set_node(node(name, labels={"l": label}))
        elif action == "remove_node":
            cache.remove_node(name)
        elif action == "assume" and not cache.node_of(one.key):
            cache.assume(one, name)
        elif action == "bind":
            cache.set_pod(info(f"p{p}", labels={"l": label}, nodeName=name))
        elif action == "forget":
            cache.forget(one)
        elif action == "remove_pod":
            cache.remove_pod(one.key)
        there = {
            (one.key, name): one.object["metadata"]["labels"]
            for name in early.nodes
            for one in cache.pods_on(name)
        }
        for mirror in [early, later] if at >= late else [early]:
            told = {at: one.object["metadata"]["labels"] for at, one in mirror.pods.items()}
            assert told == there


def _listened() -> tuple[Cache, _Mirror]:
    cache = Cache()
    mirror = _Mirror(cache)
    cache.listen(mirror)
    cache.set_node(node("a"))
    cache.assume(info("p", labels={"l": "x"}), "a")
    mirror.told.clear()
    return cache, mirror


def test_the_confirmation_of_an_assumed_pod_is_no_news() -> None:
    cache, mirror = _listened()
    cache.set_pod(info("p", labels={"l": "x"}, nodeName="a"))
    assert mirror.told == []


def test_a_pod_whose_labels_change_is_counted_anew() -> None:
    cache, mirror = _listened()
    cache.set_pod(info("p", labels={"l": "y"}, nodeName="a"))
    assert mirror.told == ["-default/p", "+default/p"]


def test_a_pod_that_is_being_deleted_is_counted_anew() -> None:
    cache, mirror = _listened()
    going = pod("p", labels={"l": "x"}, nodeName="a")
    going["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    cache.set_pod(pods.info(going))
    assert mirror.told == ["-default/p", "+default/p"]
