"""The node table and the cache: usage follows pods and nodes in whatever order they come."""

from hypothesis import given
from hypothesis import strategies as st
from scheduling import info, node

from cluster.scheduler import pods
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.table import CPU_COLUMN, PODS_COLUMN, NodeTable


def _used(cache: Cache, name: str) -> tuple[int, int]:
    row = cache.table.row(name)
    assert row is not None
    requested = cache.table.requested[:, row]
    return int(requested[CPU_COLUMN]), int(requested[PODS_COLUMN])


def test_an_assumed_pod_counts_until_it_is_forgotten() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    pod = info("p", cpu="500m")
    cache.assume(pod, "a")
    assert _used(cache, "a") == (500, 1)
    assert cache.forget(pod)
    assert _used(cache, "a") == (0, 0)


def test_a_confirmed_pod_is_counted_once_and_not_forgotten() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    pod = info("p", cpu="500m")
    cache.assume(pod, "a")
    cache.set_pod(info("p", cpu="500m", nodeName="a"))
    assert _used(cache, "a") == (500, 1)
    assert not cache.forget(pod)
    assert _used(cache, "a") == (500, 1)


def test_a_pod_that_was_bound_elsewhere_moves() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    cache.set_node(node("b"))
    cache.assume(info("p", cpu="500m"), "a")
    cache.set_pod(info("p", cpu="500m", nodeName="b"))
    assert _used(cache, "a") == (0, 0)
    assert _used(cache, "b") == (500, 1)


def test_forgetting_spares_another_pod_of_the_same_name() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    old = info("p", cpu="500m")
    new = pods.PodInfo("default/p", "other", old.object, 0, old.requests)
    cache.assume(new, "a")
    assert not cache.forget(old)
    assert _used(cache, "a") == (500, 1)


def test_pods_of_an_unknown_node_count_when_it_appears() -> None:
    cache = Cache()
    cache.set_pod(info("p", cpu="1", nodeName="late"))
    cache.set_node(node("late"))
    assert _used(cache, "late") == (1000, 1)


def test_a_node_that_comes_back_has_its_pods_again() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    cache.set_pod(info("p", cpu="1", nodeName="a"))
    cache.remove_node("a")
    cache.set_node(node("a"))
    assert _used(cache, "a") == (1000, 1)


def test_a_reused_row_starts_empty() -> None:
    cache = Cache()
    cache.set_node(node("a", taints=[{"key": "k", "effect": "NoSchedule"}], gpu="4"))
    cache.set_pod(info("p", cpu="1", nodeName="a"))
    row = cache.table.row("a")
    cache.remove_node("a")
    cache.set_node(node("b", cpu="2"))
    table = cache.table
    assert table.row("b") == row
    assert _used(cache, "b") == (0, 0)
    assert table.allocatable[table.column("gpu"), row] == 0
    assert table.taints.taints(int(table.taints.codes[row])) == ()


def test_a_resource_first_heard_of_from_a_pod_gets_its_column() -> None:
    cache = Cache()
    cache.set_node(node("a"))
    cache.set_pod(info("p", requests={"example.com/gpu": "2"}, nodeName="a"))
    cache.set_node(node("b", **{"example.com/gpu": "8"}))
    column = cache.table.column("example.com/gpu")
    assert cache.table.requested[column, cache.table.row("a")] == 2
    assert cache.table.allocatable[column, cache.table.row("b")] == 8


def test_the_table_grows_and_keeps_what_it_has() -> None:
    table = NodeTable()
    column = table.label("zone")
    for at in range(100):
        table.set(node(f"n{at}", cpu=str(at + 1), labels={"zone": f"z{at % 3}"}))
    assert len(table) == len(table.rows()) == 100
    for at in range(100):
        row = table.row(f"n{at}")
        assert table.allocatable[CPU_COLUMN, row] == 1000 * (at + 1)
        column = table.label("zone")
        assert column.text(column.codes[row]) == f"z{at % 3}"


def test_a_label_column_forgets_the_values_of_nodes_that_are_gone() -> None:
    table = NodeTable()
    for at in range(1000):
        table.set(node(f"n{at}"))
        table.label("kubernetes.io/hostname")
        table.remove(f"n{at}")
    assert not table.label("kubernetes.io/hostname").wasteful
    assert table.label("kubernetes.io/hostname").code("n1") == -1


def test_distinct_taints_do_not_pile_up() -> None:
    table = NodeTable()
    for at in range(100):
        table.set(node("a", taints=[{"key": f"k{at}", "effect": "NoSchedule"}]))
    assert len(table.taints._lists) == 2  # "none", and the last


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["set_node", "remove_node", "assume", "bind", "forget", "remove_pod"]),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    max_size=60,
)


@given(_ACTIONS)
def test_usage_is_always_the_sum_of_the_pods_on_the_node(
    actions: list[tuple[str, int, int]],
) -> None:
    cache = Cache()
    on_node: dict[str, tuple[str, bool]] = {}
    nodes: dict[str, None] = {}
    for action, p, n in actions:
        pod, name = info(f"p{p}", cpu=f"{p + 1}00m"), f"n{n}"
        if action == "set_node":
            cache.set_node(node(name))
            nodes[name] = None
        elif action == "remove_node":
            cache.remove_node(name)
            nodes.pop(name, None)
        elif action == "assume" and pod.key not in on_node:
            cache.assume(pod, name)
            on_node[pod.key] = (name, True)
        elif action == "bind":
            cache.set_pod(info(f"p{p}", cpu=f"{p + 1}00m", nodeName=name))
            on_node[pod.key] = (name, False)
        elif action == "forget":
            cache.forget(pod)
            if on_node.get(pod.key, ("", False))[1]:
                del on_node[pod.key]
        elif action == "remove_pod":
            cache.remove_pod(pod.key)
            on_node.pop(pod.key, None)
        for known in nodes:
            here = [key for key, (where, _) in on_node.items() if where == known]
            cpu = sum(100 * (int(key[-1]) + 1) for key in here)
            assert _used(cache, known) == (cpu, len(here))
    assert cache.lowest_priority() == (0 if on_node else float("inf"))
