"""In what a running cluster is said to be another."""

import pytest

from cluster.launcher import shapes
from cluster.launcher.processes import Process


def processes(**argv):
    return [Process(name, name, tuple(words.split()), "") for name, words in argv.items()]


@pytest.mark.parametrize(
    ("asked", "different"),
    [
        ({"api": "api --a=1 --secure-port=6443", "sched": "sched"}, []),
        ({"api": "api --a=1 --etcd-servers=http://127.0.0.1:9", "sched": "sched"}, []),
        ({"api": "api --a=2", "sched": "sched"}, ["api runs with --a=1", "api runs without --a=2"]),
        ({"api": "api --a=1 --b=2", "sched": "sched"}, ["api runs without --b=2"]),
        ({"api": "--a=1 api", "sched": "sched"}, ["api runs with api --a=1"]),
        ({"api": "api --a=1", "sched": "sched", "node": ""}, ["node would be new"]),
        ({"api": "api --a=1"}, ["it has sched"]),
    ],
)  # fmt: skip
def test_what_is_different_but_for_ports_is_told(asked, different):
    running = processes(api="api --a=1 --secure-port=1", sched="sched")
    assert shapes.differences(running, processes(**asked)) == different


def test_of_many_differences_the_first_are_told():
    assert shapes.told(["a"]) == "a"
    assert shapes.told(["a", "b", "c"]) == "a, b, c"
    assert shapes.told(["a", "b", "c", "d", "e"]) == "a, b, c, and 2 more"
